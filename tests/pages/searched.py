"""Searches to look at: one with runs of several steps, one that is just begun."""

import math
from typing import Any

from tests.pages.looking import Logged

SPACE: dict[str, Any] = {
    "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0},
    "weight_decay": {"kind": "choice", "options": [0, 1e-5, 1e-4]},
    "net.width": {"kind": "integer", "low": 16, "high": 256, "log": True},
}
STEPS = [float(step) for step in range(0, 300, 10)]


def fill_searches(job: Logged, project: str) -> None:
    """`rates`, with an initial loss and twelve runs of a coarse grid of which one diverged; and `begun`."""
    for name in ("rates", "begun"):
        job.client.put(
            f"/api/v1/projects/{project}/searches/{name}",
            json={"space": SPACE, "num_classes": 10, "steps_per_epoch": 100, "seed": 3},
        ).raise_for_status()
    job.open(project, "start", search="rates", search_step=1, config={"lr": 0.01, "weight_decay": 0})
    job.send(project, "start", {"train/loss": (STEPS, [2.3] * len(STEPS))})
    job.finish(project, "start")
    for number in range(12):
        rate = 10 ** (-4.5 + 0.4 * number)
        config = {"lr": rate, "weight_decay": [0, 1e-5, 1e-4][number % 3], "net": {"width": 16 + 20 * number}}
        job.open(project, f"grid-{number}", search="rates", search_step=4, config=config)
        level = 0.3 + 0.15 * (math.log10(rate) + 2) ** 2
        loss = [level + (2.3 - level) * math.exp(-step / 80) + 0.01 * math.sin(7 * step) for step in STEPS]
        if number == 11:
            loss[8:] = [math.nan] * len(loss[8:])
        job.send(project, f"grid-{number}", {"val/loss": (STEPS, loss), "train/loss": (STEPS, loss)})
        job.finish(project, f"grid-{number}")
