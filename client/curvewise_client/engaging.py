"""How a run gets its autopilot: one that does nothing, and says why, where it cannot be made as it was asked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from curvewise_client.autopilot import Autopilot
from curvewise_client.orders import ALLOWABLE, OF_RATE
from curvewise_client.ranks import processes
from curvewise_client.rates import rate_of
from curvewise_client.values import Unusable

if TYPE_CHECKING:
    from curvewise_client.run import Run


def engage(run: Run, optimizer: Any, allow: Collection[str], options: dict[str, Any]) -> Autopilot:
    """What `Run.autopilot` makes: one that does nothing where it cannot be made as it was asked for."""
    scheduler = options.pop("scheduler", None)
    context = {} if run._about is None else run._about.facts.get("context", {})
    options = {"planned_steps": context.get("planned_steps", run._planned_steps), **options}
    try:
        if unknown := sorted(frozenset(allow) - ALLOWABLE):
            raise Unusable(f"{unknown[0]!r} is not among {', '.join(sorted(ALLOWABLE))}")  # noqa: TRY301
        if processes() > 1:
            raise Unusable("several processes train one model, and only one of them is told")  # noqa: TRY301
        rate = rate_of(optimizer, scheduler)
        made = Autopilot(run, rate, allow, **options)
    except Exception as error:
        run._failed("autopilot", error)
        return _grounded(run, options["planned_steps"])
    if rate is not None and scheduler is None and "schedule" not in context and frozenset(allow) & OF_RATE:
        run.update(schedule="constant")
    return made


def _grounded(run: Run, planned_steps: Any) -> Autopilot:
    """One that does nothing, and ends where the training was to end, if that can be known."""
    try:
        return Autopilot(run, None, (), planned_steps=planned_steps)
    except Unusable:
        return Autopilot(run, None, ())
