"""The product's verbs for jobs that speak MLflow: its experiments are projects, its runs are runs."""

from app.service import Service
from app.tracking.experiments import Experiments
from app.tracking.runs import TrackedRuns


class Tracking:
    """Made with a service by whoever serves MLflow's clients."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.experiments = Experiments(service.database)
        self.runs = TrackedRuns(service)
