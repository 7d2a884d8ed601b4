"""What has changed of runs since somebody looked, found without a look at any point."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, and_, func, or_, select

from app.rules.context import RunState
from app.storage.histories import is_hidden
from app.storage.runs import LIVE
from app.storage.tables import chunks, curves, runs, standings


@dataclass(frozen=True)
class Seen:
    """A run at one moment. turn: how often the monitor has looked at it. stalled_since: None when it is not."""

    revision: int
    attempt: int
    state: RunState
    turn: int
    stalled_since: datetime | None


@dataclass(frozen=True)
class Stretch:
    """The steps between which a curve has new points; None when it is to be read anew as a whole."""

    name: str
    first_step: float | None
    last_step: float | None


def seen(connection: Connection, run_ids: Sequence[int]) -> dict[int, Seen]:
    """Run -> how it is now, for those that are there."""
    query = (
        select(
            runs.c.id,
            runs.c.revision,
            runs.c.attempt,
            runs.c.state,
            func.coalesce(standings.c.turn, 0),
            standings.c.stalled_since,
            standings.c.revision,
        )
        .join_from(runs, standings, standings.c.run_id == runs.c.id, isouter=True)
        .where(runs.c.id.in_(run_ids), LIVE)
    )
    return {
        run_id: Seen(revision, attempt, cast("RunState", state), turn, stalled_since if judged == revision else None)
        for run_id, revision, attempt, state, turn, stalled_since, judged in connection.execute(query)
    }


def stretches(connection: Connection, run_id: int, since: int) -> list[Stretch]:
    """The curves with points that were written after this revision of the run, by name.

    Where those have been settled among older ones meanwhile, it is no longer known which they were.
    """
    newer = and_(chunks.c.run_id == curves.c.run_id, chunks.c.curve == curves.c.curve, chunks.c.sequence > since)
    query = (
        select(curves.c.name, curves.c.settled, func.min(chunks.c.first_step), func.max(chunks.c.last_step))
        .join_from(curves, chunks, newer, isouter=True)
        .where(curves.c.run_id == run_id)
        .group_by(curves.c.name, curves.c.settled)
        .having(or_(func.count(chunks.c.sequence) > 0, curves.c.settled > since))
        .order_by(curves.c.name)
    )
    return [
        Stretch(name, None, None) if settled > since else Stretch(name, first, last)
        for name, settled, first, last in connection.execute(query)
        if not is_hidden(name)
    ]
