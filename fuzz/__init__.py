"""Coverage-guided fuzzing of what reads bytes from others, and of the rules: no test, because it runs for hours."""
