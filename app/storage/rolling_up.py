"""Old runs keep the bins of their long stretches and lose the points behind them, where their project says so.

The points of a stretch that has bins become one point a bin, at its mean step and mean value, with the ends of the
stretch and what is not finite. That is what the rules saw before, so the diagnosis stays as it was. Shorter stretches
stay whole.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection, and_, select, tuple_, update

from app.curves.bins import thinned_for_rules
from app.curves.curve import Curve
from app.storage import bins as bin_format
from app.storage.blocks import encode
from app.storage.database import Database
from app.storage.runs import WHOLE
from app.storage.tables import bins, chunks, curves, projects, runs

_RUNS_AT_ONCE = 100
_ALL_POINTS = 2**31
_NOTHING = Curve("", np.empty(0), np.empty(0))


def due(connection: Connection, now: datetime | None = None) -> list[int]:
    """Ids of some runs that are old enough and have not been rolled up since they last changed."""
    now = now or datetime.now(UTC)
    wanting = select(projects.c.id, projects.c.roll_up_after_days).where(projects.c.roll_up_after_days > 0, WHOLE)
    found: list[int] = []
    for project_id, days in connection.execute(wanting).all():
        old = runs.c.updated_at < now - timedelta(days=days)
        fresh = runs.c.rolled_up_at.is_(None) | (runs.c.rolled_up_at < runs.c.updated_at)
        query = select(runs.c.id).where(runs.c.project_id == project_id, old, fresh).limit(_RUNS_AT_ONCE)
        found += connection.execute(query).scalars()
    return found


def roll_up(database: Database, run_id: int) -> None:
    """Roll up a run that is settled, a stretch a transaction; one that changes meanwhile is due again later.

    Raises CorruptBlock, StorageUnavailable, StorageFull.
    """
    key = (bins.c.curve, bins.c.attempt, bins.c.sequence)
    with database.reading() as connection:
        updated_at = connection.execute(select(runs.c.updated_at).where(runs.c.id == run_id)).scalar_one_or_none()
        stretches = connection.execute(select(*key).where(bins.c.run_id == run_id).order_by(*key)).all()
    for curve, attempt, sequence in stretches:
        with database.writing() as connection:
            _roll_up_stretch(connection, run_id, (curve, attempt, sequence))
    with database.writing() as connection:
        unchanged = and_(runs.c.id == run_id, runs.c.updated_at == updated_at)
        values = {"rolled_up_at": datetime.now(UTC), "revision": runs.c.revision + 1}
        connection.execute(update(runs).where(unchanged).values(values))


def _roll_up_stretch(connection: Connection, run_id: int, key: tuple[int, int, int]) -> None:
    # A compactor replaces chunks only while it holds the curve.
    held = select(curves.c.curve).where(curves.c.run_id == run_id, curves.c.curve == key[0])
    connection.execute(held.with_for_update())
    place = (bins.c.run_id == run_id) & (tuple_(bins.c.curve, bins.c.attempt, bins.c.sequence) == tuple_(*key))
    written = connection.execute(select(bins.c.bins).where(place)).scalar_one_or_none()
    if written is None:
        return
    summed = thinned_for_rules([bin_format.decode("", written)], _NOTHING, _ALL_POINTS)
    # `points` stays what the job logged.
    place = (chunks.c.run_id == run_id) & (tuple_(chunks.c.curve, chunks.c.attempt, chunks.c.sequence) == tuple_(*key))
    connection.execute(update(chunks).where(place).values(block=encode(summed.steps, summed.values)))
