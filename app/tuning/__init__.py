"""Runs a user's command over what a search proposes, on this machine, and trades trials with an Optuna study."""
