"""The MLflow tracking REST subset, for jobs that already speak it: what its clients call while they log a run."""
