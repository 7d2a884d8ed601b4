"""Runs and projects go: out of sight at once, off the disk slice by slice while jobs go on writing.

A deleted run has no project and a deleted project no name: so nobody finds it or writes to it, and its name is free.
"""

from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import Connection, delete, exists, select, tuple_, update

from app.storage import predictions
from app.storage.database import Database
from app.storage.tables import bins, chunks, curves, projects, runs

# Of one transaction, so that a writer that waits for it hardly notices.
_RUNS_AT_ONCE = 100
_CHUNKS_AT_ONCE = 1000
_POINTS_AT_ONCE = 2**21
_PREDICTIONS_AT_ONCE = 4  # each may be as large as a body


def mark_run(connection: Connection, run_id: int) -> None:
    """Nobody finds the run or writes to it once the transaction ends."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(project_id=None))


def mark_project(connection: Connection, project_id: int) -> None:
    """The same for a project and all its runs."""
    connection.execute(update(projects).where(projects.c.id == project_id).values(name=None))


def erase_some(database: Database) -> bool:
    """Erase a slice of what was deleted; False when nothing is left, or other processes are at it.

    Raises StorageUnavailable, StorageFull; then nothing has changed.
    """
    with database.writing() as connection:
        nameless = list(connection.execute(select(projects.c.id).where(projects.c.name.is_(None))).scalars())
        gone = runs.c.project_id.is_(None) | runs.c.project_id.in_(nameless)
        # Not FOR UPDATE, which would wait for a compactor that stores a chunk of the run.
        claim = select(runs.c.id).where(gone).order_by(runs.c.id).limit(_RUNS_AT_ONCE)
        claimed = list(connection.execute(claim.with_for_update(skip_locked=True, key_share=True)).scalars())
        budget = _CHUNKS_AT_ONCE
        for run_id in claimed:
            # A compactor holds the curve whose chunks it replaces: it is waited for here, and none begins any more.
            # Chunks before their curve would be each waiting for the other.
            connection.execute(select(curves.c.curve).where(curves.c.run_id == run_id).with_for_update())
            erased = _erase_chunks(connection, run_id, budget)
            budget -= erased
            some = predictions.some_steps(connection, run_id, _PREDICTIONS_AT_ONCE)
            if some:
                predictions.remove(connection, run_id, some)
            if budget <= 0 or len(some) == _PREDICTIONS_AT_ONCE:
                return True
            connection.execute(delete(curves).where(curves.c.run_id == run_id))
            connection.execute(delete(runs).where(runs.c.id == run_id))
        if not claimed and nameless:
            empty = projects.c.name.is_(None) & ~exists().where(runs.c.project_id == projects.c.id)
            connection.execute(delete(projects).where(empty))
        return bool(claimed)


def _erase_chunks(connection: Connection, run_id: int, most: int) -> int:
    """How many chunks of the run went; at least `most` when there may be more."""
    key = (chunks.c.curve, chunks.c.attempt, chunks.c.sequence)
    query = select(*key, chunks.c.points).where(chunks.c.run_id == run_id).order_by(*key).limit(most)
    found = connection.execute(query).all()
    if not found:
        return 0
    taken = _affordable([row.points for row in found])
    last = tuple_(*list(found[taken - 1])[:3])
    for table in (bins, chunks):
        place = tuple_(table.c.curve, table.c.attempt, table.c.sequence)
        connection.execute(delete(table).where(table.c.run_id == run_id, place <= last))
    return most if taken < len(found) else taken


def _affordable(points: Sequence[int]) -> int:
    """How many of the first chunks have not too many points together; at least one."""
    together = accumulate(points)
    return max(1, sum(1 for so_far in together if so_far <= _POINTS_AT_ONCE))
