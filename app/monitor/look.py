"""One look at a run: what was known of it and what is stored now -> what is known from now on, and what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from app.curves.curve import Curve
from app.curves.roles import to_roles
from app.diagnosis import Diagnosis
from app.monitor.cadence import longest_silence, noted
from app.monitor.holding import Outcome, hold
from app.rules.catalogue import CATALOGUE_VERSION
from app.storage.events import Event, Kind
from app.storage.runs import StoredProject, StoredRun
from app.storage.standings import Held, StoredStanding, basis

SPARKLINE = 60  # [values]
LOOKED_EVERY_S = 5.0  # a run that is written to all the time is judged so often
_NEWS = timedelta(hours=1)
_DRAWN = ("val/loss", "train/loss", "val/accuracy", "train/accuracy")  # the first that there is, in a sparkline


@dataclass(frozen=True, kw_only=True)
class Watch:
    """hold_s: how long a finding lasts before it fires. floor_s: no shorter silence is a stall. since: of the watch."""

    hold_s: float
    floor_s: float
    since: datetime


@dataclass(frozen=True)
class Look:
    """after: to be saved, and the events with it."""

    before: StoredStanding | None
    after: StoredStanding
    happened: Sequence[Event]


def look(
    before: StoredStanding | None,
    home: StoredProject,
    run: StoredRun,
    judged: tuple[Diagnosis, Mapping[str, Curve]] | None,
    *,
    written: bool,
    now: datetime,
    watch: Watch,
) -> Look:
    """judged: the run now; None when it cannot be judged, and what was found before stays. written: it has new points.

    Nobody is told of what is no news: a run that ended long before it was first looked at, as in an archive; findings
    that come and go because rules or settings changed.
    """
    state = run.context.state
    base = basis(home.revision, CATALOGUE_VERSION)
    by_rules = before is not None and before.revision == run.revision and before.basis != base
    news = before is not None or now - run.updated_at <= _NEWS
    held = before.held if before else {}
    outcome = Outcome(held, [], [], None)
    if judged:
        outcome = hold(held, judged[0].findings, now, 0.0 if by_rules or state != "running" else watch.hold_s)
    gaps = _gaps(before, run)
    stalled_since, stalls_at = _silence(before, run, gaps, now, watch, written=written)
    kinds = _state_events(before, state, stalled=stalled_since is not None)
    through = judged[0].through_step if judged else before.through_step if before else None
    happened = [Event(kind=kind, created_at=now, payload=_facts(kind, through, stalled_since)) for kind in kinds]
    if not by_rules:
        happened = [*_finding_events(outcome, now), *happened]
    happened = happened if news else []
    curve, drawn = sparkline(to_roles(judged[1], home.roles)) if judged else (None, [])
    after = StoredStanding(
        run_id=run.id,
        turn=before.turn + 1 if before else 1,
        revision=run.revision,
        attempt=run.attempt,
        basis=base,
        judged_at=now,
        due_at=min((at for at in (outcome.due_at, stalls_at) if at), default=None),
        state=state,
        stalled_since=stalled_since,
        through_step=through,
        sequence=(before.sequence if before else 0) + len(happened),
        heard_at=run.updated_at,
        gaps=gaps,
        sparkline_curve=curve,
        sparkline=drawn,
        held=outcome.held,
    )
    return Look(before, after, happened)


def _gaps(before: StoredStanding | None, run: StoredRun) -> Sequence[int]:
    """What is known of the run's cadence. A pause before a new attempt is an outage, and tells nothing of it."""
    if before is None:
        elapsed_s = (run.updated_at - run.created_at).total_seconds()
        return noted([], elapsed_s, run.revision - 1, max(LOOKED_EVERY_S, elapsed_s))
    if before.attempt != run.attempt:
        return before.gaps
    elapsed_s = (run.updated_at - before.heard_at).total_seconds()
    return noted(before.gaps, elapsed_s, run.revision - before.revision, LOOKED_EVERY_S)


def _silence(
    before: StoredStanding | None,
    run: StoredRun,
    gaps: Sequence[int],
    now: datetime,
    watch: Watch,
    *,
    written: bool,
) -> tuple[datetime | None, datetime | None]:
    """Since when the run is stalled; else when it will be, if nothing more is heard of it."""
    if run.context.state != "running":
        return None, None
    if before is not None and before.stalled_since is not None and not written:
        return before.stalled_since, None  # somebody said something about it, but it goes on logging nothing
    # A server that was down heard nothing of anybody: jobs are given time to come back.
    stalls_at = max(
        run.updated_at + timedelta(seconds=longest_silence(gaps, watch.floor_s)),
        watch.since + timedelta(seconds=watch.floor_s),
    )
    return (run.updated_at, None) if stalls_at <= now else (None, stalls_at)


def _state_events(before: StoredStanding | None, state: str, *, stalled: bool) -> list[Kind]:
    was = before.state if before else "running"
    was_stalled = before is not None and before.stalled_since is not None
    if state != was and state != "running":
        return ["run_finished" if state == "finished" else "run_failed"]
    if stalled and not was_stalled:
        return ["run_stalled"]
    if state == "running" and (was != "running" or (was_stalled and not stalled)):
        return ["run_resumed"]
    return []


def _finding_events(outcome: Outcome, now: datetime) -> list[Event]:
    return [
        *(Event(kind="finding_appeared", created_at=now, payload=_finding(one)) for one in outcome.appeared),
        *(Event(kind="finding_resolved", created_at=now, payload=_finding(one)) for one in outcome.resolved),
    ]


def _finding(held: Held) -> dict[str, Any]:
    return {
        "code": held.code,
        "rule": held.rule,
        "severity": held.severity,
        "confidence": held.confidence,
        "onset_step": held.onset_step,
        "summary": held.summary,
        "first_seen_at": held.first_seen_at.isoformat(),
    }


def _facts(kind: Kind, through_step: float | None, stalled_since: datetime | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"through_step": through_step}
    if kind == "run_stalled" and stalled_since is not None:
        facts["stalled_since"] = stalled_since.isoformat()
    return facts


def sparkline(curves: Mapping[str, Curve]) -> tuple[str | None, list[float]]:
    """The role that is drawn and at most 60 values of it, each the mean of what is finite in its stretch of steps."""
    for role in _DRAWN:
        if role in curves and len(curve := curves[role]):
            edges = np.linspace(curve.steps[0], curve.steps[-1], SPARKLINE + 1)[1:-1]
            parts = np.split(curve.values, np.searchsorted(curve.steps, edges, side="right"))
            return role, [_mean(part[np.isfinite(part)]) for part in parts if part.size]
    return None, []


def _mean(finite: np.ndarray) -> float:
    return float(np.mean(finite)) if finite.size else float("nan")
