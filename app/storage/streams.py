"""Curves read piece by piece, so that a reader of any length of run holds no more than one piece in memory.

Each piece is read in a transaction of its own: a client that reads slowly must not hold one open, which would keep
SQLite's log from being reset and be cut off by Postgres. What was written before the stream began is in it, once and in
step order; what is written meanwhile may be or may not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from app.curves.attempts import AttemptPoints, joined, resolve
from app.curves.curve import Curve
from app.errors import UnknownRun
from app.storage.blocks import decode
from app.storage.chunks import curve_ids, first_steps
from app.storage.database import Database
from app.storage.runs import LIVE
from app.storage.tables import chunks, runs
from app.storage.thinned import read_blocks

PIECE = 65_536  # a piece ends where it has so many points and no chunk reaches over its end [points]


@dataclass(frozen=True)
class _Chunk:
    attempt: int
    sequence: int
    points: int
    first_step: float
    last_step: float


def pieces(
    database: Database, run_id: int, names: Sequence[str], within: tuple[float, float] = (0.0, math.inf)
) -> Iterator[Curve]:
    """Each of these curves in name order, as one or more stretches in step order; none is empty.

    within: only the points from this step through that one. Raises UnknownRun when the run is deleted meanwhile,
    CorruptBlock, StorageUnavailable.
    """
    with database.reading() as connection:
        ids = curve_ids(connection, run_id, names)
    for name, curve in ids.items():
        first, last = within
        after = math.nextafter(first, -math.inf)
        while after < last:
            with database.reading() as connection:
                piece, after = _piece(connection, (run_id, curve), name, after)
            if len(piece := piece.between(first, last)):
                yield piece


def _piece(connection: Connection, key: tuple[int, int], name: str, after: float) -> tuple[Curve, float]:
    """The next points after a step, and the step through which that is all of them: infinity at the end."""
    run_id, curve = key
    if connection.execute(select(runs.c.id).where(runs.c.id == run_id, LIVE)).first() is None:
        raise UnknownRun("the run was deleted while it was read")
    trained = first_steps(connection, run_id)
    columns = (chunks.c.attempt, chunks.c.sequence, chunks.c.points, chunks.c.first_step, chunks.c.last_step)
    query = (
        select(*columns)
        .where(chunks.c.run_id == run_id, chunks.c.curve == curve, chunks.c.last_step > after)
        .order_by(chunks.c.first_step)
    )
    found = [_Chunk(*row) for row in connection.execute(query)]
    taken, through = _together([chunk for chunk in found if not _hidden(chunk, trained)])
    blocks = read_blocks(connection, run_id, curve, [(chunk.attempt, chunk.sequence) for chunk in taken])
    parts = []
    for attempt, same in groupby(sorted(blocks), lambda one: one[0]):
        points = [decode(blocks[one]) for one in same]
        parts.append(AttemptPoints(attempt, joined([s for s, _ in points]), joined([v for _, v in points])))
    return resolve(name, parts, trained).after(after), through


def _hidden(chunk: _Chunk, trained: dict[int, float]) -> bool:
    return any(first <= chunk.first_step for attempt, first in trained.items() if attempt > chunk.attempt)


def _together(found: Sequence[_Chunk]) -> tuple[Sequence[_Chunk], float]:
    """The first chunks that make a piece, and its last step: no other chunk begins before that."""
    points, reached = 0, -math.inf
    for at, chunk in enumerate(found):
        if points >= PIECE and chunk.first_step > reached:
            return found[:at], reached
        points += chunk.points
        reached = max(reached, chunk.last_step)
    return found, math.inf
