"""Is a job better off on autopilot? The same trainings under it and under the usual ways to set a rate and stop."""
