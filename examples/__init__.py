"""Programs to read and run: a training job that is advised by the service."""
