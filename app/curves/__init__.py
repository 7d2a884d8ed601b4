"""What a run reported: curves, the roles their names stand for, cleaning, thinning. Pure."""
