"""How to walk, and who is told of it."""

from dataclasses import dataclass
from typing import Protocol

from app.search.answers import Next
from app.tuning.trial import Ended, Running


class Report(Protocol):
    """Who is told what happens."""

    def coming(self, coming: Next) -> None:
        """Another step of the procedure comes."""

    def started(self, trial: Running) -> None:
        """A trial begins."""

    def looked(self, running: list[Running]) -> None:
        """All trials that run, as they stand."""

    def ended(self, ended: Ended, tail: list[str]) -> None:
        """A trial is over; `tail`: the last lines it printed."""

    def note(self, text: str) -> None:
        """Something else is worth a line."""


@dataclass(frozen=True)
class Plan:
    """How to walk. jobs: trials at once. until_step: the last step of the procedure to walk. Times in seconds."""

    jobs: int = 1
    until_step: int = 7
    early_stopping: bool = True
    trial_timeout_s: float | None = None
    grace_s: float = 10.0
