"""A trial while it runs and when it has ended, and what ending it early has saved."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from app.rules.context import RunState
from app.search.answers import Proposal
from app.search.forecast import Forecast
from app.tuning.child import Child

How = Literal["finished", "stopped early", "failed", "timed out", "logged nothing", "interrupted"]
# Of a run that was stopped early all that was measured is true: it ended as it was meant to, by the search.
STATES: dict[How, RunState] = {
    "finished": "finished",
    "stopped early": "finished",
    "failed": "failed",
    "timed out": "failed",
    "logged nothing": "failed",
    "interrupted": "failed",
}
HOW_TAG, WHY_TAG = "curvewise.ended", "curvewise.why"
_LONGEST_WHY = 200  # [characters]


@dataclass
class Running:
    """A trial that runs. step, level: the last of the metric. ending: why it was told to stop, None when it was not."""

    proposal: Proposal
    child: Child
    step: float | None = None
    level: float | None = None
    planned_steps: float | None = None
    forecast: Forecast | None = None
    logged: bool = False
    ending: tuple[How, str] | None = None
    looked_at: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A trial that has ended: how, why in a sentence, and after how long."""

    proposal: Proposal
    how: How
    why: str
    seconds: float
    step: float | None
    level: float | None
    planned_steps: float | None

    @property
    def tags(self) -> dict[str, str]:
        """What is kept with the run of how it ended."""
        return {HOW_TAG: self.how, WHY_TAG: self.why[:_LONGEST_WHY]} if self.how != "finished" else {HOW_TAG: self.how}

    @property
    def saved(self) -> tuple[float, float]:
        """What stopping early saved: steps, and seconds at the pace it had; none where the plan is not known."""
        if self.how != "stopped early" or not self.step or not self.planned_steps or self.planned_steps <= self.step:
            return 0.0, 0.0
        left = self.planned_steps - self.step
        return left, self.seconds * left / self.step


@dataclass
class Walked:
    """What a walk has done. why: what ended it. complete: whether it came to its end and was not given up."""

    ended: list[Ended] = field(default_factory=list)
    why: str = ""
    complete: bool = False

    @property
    def saved(self) -> tuple[int, float, float]:
        """Trials stopped early, and the steps and seconds that this saved."""
        stopped = [one.saved for one in self.ended if one.how == "stopped early"]
        return len(stopped), sum(steps for steps, _ in stopped), sum(seconds for _, seconds in stopped)

    @property
    def seconds(self) -> float:
        """How long all trials ran together."""
        return sum(one.seconds for one in self.ended)


def same(proposal: Proposal) -> str:
    """What two trials have in common that cannot but do the same."""
    return json.dumps({**asdict(proposal), "run": "", "why": ""}, sort_keys=True)


def judged(code: int, logged: bool) -> tuple[How, str]:
    """How a trial ended that nobody told to, and why, by its exit code and by whether it logged anything."""
    if code != 0:
        return "failed", f"the command ended with exit code {code}" if code > 0 else f"signal {-code} ended the command"
    if not logged:
        return "logged nothing", "the command ended well and logged nothing"
    return "finished", "the command ended well"
