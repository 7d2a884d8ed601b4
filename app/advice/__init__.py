"""What to do that no curve shows: how to start from a model that was trained before. Pure."""
