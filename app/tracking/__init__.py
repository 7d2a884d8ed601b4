"""The product's verbs for jobs that speak MLflow: its experiments are projects, its runs are runs."""

from copy import copy

from app.access import Access
from app.service import Service
from app.tracking.experiments import Experiments
from app.tracking.runs import TrackedRuns


class Tracking:
    """Made with a service by whoever serves MLflow's clients."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.experiments = Experiments(service.database)
        self.runs = TrackedRuns(service)

    def seen_by(self, access: Access) -> "Tracking":
        """The same for somebody to whom other projects do not exist."""
        if access.projects is None:
            return self
        view = copy(self)
        view.experiments, view.runs = self.experiments.seen_by(access), self.runs.seen_by(access)
        return view
