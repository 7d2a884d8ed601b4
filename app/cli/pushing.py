"""A run as a log has it -> the destination: only what is not there yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.cli.destination import Destination, facts_of
from app.cli.growth import new_points, rewritten
from app.curves.curve import Curve, make_curve
from app.importers.imported import ImportedRun
from app.rules.context import Context


@dataclass(frozen=True)
class Pushed:
    """What the destination has of a run by now.

    points: how many were sent just now [points]. anew: whether the log was found begun anew, so that the next attempt
    was opened. refused: what the destination did not take, a sentence each.
    """

    attempt: int
    stored: Mapping[str, Curve]
    points: int = 0
    anew: bool = False
    refused: list[str] = field(default_factory=list)


def push(
    destination: Destination, project: str, name: str, run: ImportedRun, context: Context, before: Pushed | None = None
) -> Pushed:
    """Open the run and send what is new. before: what the last push left, when this is not the first.

    Asking the destination what it has makes a second import, or a watcher that was restarted, send nothing twice.
    Raises what the destination raises; then nothing is known of what was taken, and the same may be pushed again.
    """
    facts = facts_of(run, context)
    if before is None:
        before = Pushed(destination.open(project, name, facts), destination.stored(project, name))
    attempt, stored = before.attempt, before.stored
    anew = rewritten(run.curves, stored)
    if anew:
        attempt, stored = destination.open(project, name, facts, attempt + 1), {}
    fresh = {
        curve_name: Curve(curve_name, c.steps, c.values) for curve_name, c in new_points(run.curves, stored).items()
    }
    refused = destination.send(project, name, fresh, attempt) if fresh else []
    return Pushed(attempt, _joined(stored, fresh), sum(map(len, fresh.values())), anew, refused)


def _joined(stored: Mapping[str, Curve], fresh: Mapping[str, Curve]) -> dict[str, Curve]:
    joined = dict(stored)
    for name, curve in fresh.items():
        known = stored.get(name)
        if known is None:
            joined[name] = curve
        else:
            steps = np.concatenate([known.steps, curve.steps])
            joined[name] = make_curve(name, steps, np.concatenate([known.values, curve.values]))
    return joined
