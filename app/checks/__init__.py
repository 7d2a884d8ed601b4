"""What a pipeline asks of a run: may it pass, did it fail, or must a person look. Pure."""
