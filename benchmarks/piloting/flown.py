"""A replica of a training that is flown by the client's autopilot, on what a server says of its run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import curvewise_client
from curvewise_client.autopilot import Autopilot
from curvewise_client.controls import Act
from prescribing.configurations import Configuration
from prescribing.tasks import TASKS

ALLOW = ("decay_lr", "lower_lr", "stop", "continue")
PROJECT = "autopilot"
_WAIT_S = 60.0


class Flown:
    """A policy that asks. lr: what the autopilot changes. restore: brings the weights of a step back."""

    def __init__(
        self, c: Configuration, name: str, url: str, spool: Path, restore: Callable[[float], None] | None
    ) -> None:
        self.lr = c.lr
        self.run = open_run(c, name, url, spool)
        # All have the same number of updates at most: there is nothing to go on to beyond the plan.
        self.pilot: Autopilot = self.run.autopilot(self, allow=ALLOW, most_steps=c.updates, restore=restore)

    @property
    def over(self) -> bool:
        """Whether it was advised to stop."""
        return self.pilot.should_stop

    def rate(self, step: int) -> float:  # noqa: ARG002 - as every policy
        """Of the next update."""
        return self.lr

    def evaluated(self, step: int, val: float) -> None:  # noqa: ARG002 - the server knows it
        """Ask what to do; raises where there was no answer at the end, which is a training that was left alone."""
        self.pilot.step(step, timeout_s=_WAIT_S)
        if step == self.pilot.planned_steps and self.run.diagnosis(_WAIT_S) is None:
            raise RuntimeError(f"{self.run.name}: no diagnosis at step {step}")


def open_run(c: Configuration, name: str, url: str, spool: Path) -> curvewise_client.Run:
    """The run as its job would say it."""
    said = {k: v for k, v in c.as_json().items() if k not in ("name", "spoiled", "data_seed", "schedule")}
    return curvewise_client.start(
        PROJECT,
        name,
        num_classes=TASKS[c.task].classes,
        planned_steps=c.updates,
        config=said,
        url=url,
        spool=spool,
        rank=0,
        interval_s=0.5,
        exit_timeout_s=120,
    )


def as_record(act: Act) -> Mapping[str, Any]:
    """What was done, to be kept."""
    return {"step": act.step, "code": act.advice.code, "action": act.advice.action, "text": act.text}
