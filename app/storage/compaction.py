"""Small chunks become large ones: sorted, each step once, with bins, while jobs write and people read.

A curve's chunks up to its `settled` sequence are settled: within an attempt no two share a stretch of steps, so what is
newer wins over all of them and their order does not matter. Compaction settles the newer ones, the tail: points beyond
the last settled chunk become a chunk, late ones go into the chunk they belong to. Then small chunks at the end are
joined, and each point is written again about five times however long the run gets.

One transaction replaces chunks, so a reader or a kill sees either state whole, and only one compactor wins: on Postgres
the curve's row is claimed with SKIP LOCKED, and everywhere `settled` must still be what the work began from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, select, update

from app.curves.bins import summed_up
from app.curves.curve import Curve, make_curve
from app.storage import bins as bin_format
from app.storage.blocks import decode, encode
from app.storage.database import Database
from app.storage.tables import bins, chunks, curves

BINNED = 65_536  # a chunk of so many points has bins; fewer are read as fast [points]
# Not 256: a page of SQLite's holds one row of a little more than half its size, and four more bytes a point are lost.
_JOINED = (16, 512, 4096, BINNED, 2**20)  # small chunks at the end are joined when they hold so many together [points]
_MOST_BINS = 2048
_LEAST_A_BIN = 64  # [points]
_LARGEST = 2**21  # a chunk that late points made larger is split [points]
_KEYS_AT_ONCE = 400


@dataclass(frozen=True, eq=False)
class _Chunk:
    """A chunk, or one to be: then with its points."""

    attempt: int
    sequence: int
    points: int
    first_step: float
    last_step: float
    curve: Curve | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What takes the place of what in one curve of a run."""

    run_id: int
    curve: int
    settled: int  # when the work began
    through: int  # the last sequence that is settled afterwards
    removed: Sequence[tuple[int, int]]  # (attempt, sequence) of settled chunks; the tail goes as a whole
    added: Sequence[_Chunk]


def tails(connection: Connection, run_id: int) -> dict[int, int]:
    """Curve -> how many of its chunks are not settled, for those that have any."""
    query = (
        select(curves.c.curve, func.count())
        .join_from(curves, chunks, and_(chunks.c.run_id == curves.c.run_id, chunks.c.curve == curves.c.curve))
        .where(curves.c.run_id == run_id, chunks.c.sequence > curves.c.settled)
        .group_by(curves.c.curve)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def with_tails(connection: Connection, run_ids: Sequence[int]) -> list[int]:
    """Those of the runs that have a curve with a tail."""
    newer = exists().where(
        chunks.c.run_id == curves.c.run_id, chunks.c.curve == curves.c.curve, chunks.c.sequence > curves.c.settled
    )
    query = select(curves.c.run_id).where(curves.c.run_id.in_(run_ids), newer).distinct().order_by(curves.c.run_id)
    return list(connection.execute(query).scalars())


def compact(database: Database, run_id: int, curve: int) -> bool:
    """Settle the curve's tail; False when there was none, or another compactor was at it.

    Raises CorruptBlock, StorageUnavailable, StorageFull; then nothing has changed.
    """
    if database.on_sqlite:
        # Merged outside of the write lock, of which there is one for everybody.
        with database.reading() as connection:
            plan = _plan(connection, run_id, curve)
        if plan is None:
            return False
        with database.writing() as connection:
            return _carry_out(connection, plan)
    with database.writing() as connection:
        plan = _plan(connection, run_id, curve)
        return plan is not None and _carry_out(connection, plan)


def _plan(connection: Connection, run_id: int, curve: int) -> Plan | None:
    here = (curves.c.run_id == run_id) & (curves.c.curve == curve)
    query = select(curves.c.settled).where(here).with_for_update(skip_locked=True)
    settled = connection.execute(query).scalar_one_or_none()
    if settled is None:  # claimed by another, or deleted
        return None
    columns = (chunks.c.attempt, chunks.c.sequence, chunks.c.points, chunks.c.first_step, chunks.c.last_step)
    place = (chunks.c.run_id == run_id) & (chunks.c.curve == curve)
    found = [_Chunk(*row) for row in connection.execute(select(*columns).where(place).order_by(*columns[:2]))]
    tail = [chunk for chunk in found if chunk.sequence > settled]
    if not tail:
        return None
    added: list[_Chunk] = []
    removed: list[tuple[int, int]] = []
    reading = _Blocks(connection, run_id, curve)
    for attempt in sorted({chunk.attempt for chunk in tail}):
        before = [chunk for chunk in found if chunk.attempt == attempt and chunk.sequence <= settled]
        newer = [chunk for chunk in tail if chunk.attempt == attempt]
        after = _joined(reading, _absorbed(reading, sorted(before, key=lambda c: c.first_step), newer))
        left = {chunk.sequence for chunk in after if chunk.curve is None}
        removed += [(attempt, chunk.sequence) for chunk in before if chunk.sequence not in left]
        added += [chunk for chunk in after if chunk.curve is not None]
    return Plan(run_id, curve, settled, max(chunk.sequence for chunk in tail), removed, added)


@dataclass(frozen=True)
class _Blocks:
    connection: Connection
    run_id: int
    curve: int

    def read(self, parts: Sequence[_Chunk]) -> Curve:
        """The points of these chunks of one attempt, the last write of a step taken."""
        blocks = dict(self._blocks([part for part in parts if part.curve is None]))
        points = [
            (part.curve.steps, part.curve.values) if part.curve else decode(blocks[part.sequence]) for part in parts
        ]
        return make_curve("", np.concatenate([s for s, _ in points]), np.concatenate([v for _, v in points]))

    def _blocks(self, parts: Sequence[_Chunk]) -> Iterator[tuple[int, bytes]]:
        for start in range(0, len(parts), _KEYS_AT_ONCE):
            some = parts[start : start + _KEYS_AT_ONCE]
            query = select(chunks.c.sequence, chunks.c.block).where(
                chunks.c.run_id == self.run_id,
                chunks.c.curve == self.curve,
                chunks.c.attempt == some[0].attempt,
                chunks.c.sequence.in_([part.sequence for part in some]),
            )
            yield from ((row.sequence, row.block) for row in self.connection.execute(query))


def _absorbed(reading: _Blocks, settled: Sequence[_Chunk], tail: Sequence[_Chunk]) -> list[_Chunk]:
    """The settled chunks of an attempt in step order, the tail's points among them and after them."""
    fresh = reading.read(tail)
    after = list(settled)
    beyond = fresh
    spare = [chunk.sequence for chunk in tail]
    if settled:
        end = int(np.searchsorted(fresh.steps, settled[-1].last_step, side="right"))
        beyond = Curve("", fresh.steps[end:], fresh.values[end:])
        firsts = np.array([chunk.first_step for chunk in settled])
        owner = np.clip(np.searchsorted(firsts, fresh.steps[:end], side="right") - 1, 0, None)
        for at in np.unique(owner).tolist():
            late = Curve("", fresh.steps[:end][owner == at], fresh.values[:end][owner == at])
            newer = replace(settled[at], curve=late)
            after[at] = _chunk(settled[at].attempt, settled[at].sequence, reading.read([settled[at], newer]))
    if len(beyond):
        after.append(_chunk(tail[0].attempt, spare.pop(), beyond))
    return [part for chunk in after for part in _split(chunk, spare)]


def _split(chunk: _Chunk, spare: list[int]) -> list[_Chunk]:
    """Halves of a chunk that has become too large, while there are sequences to number them with."""
    if chunk.curve is None or chunk.points <= _LARGEST or not spare:
        return [chunk]
    middle = chunk.points // 2
    lower = Curve("", chunk.curve.steps[:middle], chunk.curve.values[:middle])
    upper = Curve("", chunk.curve.steps[middle:], chunk.curve.values[middle:])
    return [
        *_split(_chunk(chunk.attempt, chunk.sequence, lower), spare),
        *_split(_chunk(chunk.attempt, spare.pop(), upper), spare),
    ]


def _joined(reading: _Blocks, after: list[_Chunk]) -> list[_Chunk]:
    """The small chunks at the end as one, where together they have the size of the next larger kind."""
    for size in _JOINED:
        begin = len(after)
        while begin and after[begin - 1].points < size:
            begin -= 1
        small = after[begin:]
        if len(small) > 1 and sum(chunk.points for chunk in small) >= size:
            after = [*after[:begin], _chunk(small[-1].attempt, small[-1].sequence, reading.read(small))]
    return after


def _chunk(attempt: int, sequence: int, curve: Curve) -> _Chunk:
    return _Chunk(attempt, sequence, len(curve), float(curve.steps[0]), float(curve.steps[-1]), curve)


def _carry_out(connection: Connection, plan: Plan) -> bool:
    here = (curves.c.run_id == plan.run_id) & (curves.c.curve == plan.curve)
    begun = update(curves).where(here, curves.c.settled == plan.settled).values(settled=plan.through)
    if not connection.execute(begun).rowcount:
        return False
    place = (chunks.c.run_id == plan.run_id) & (chunks.c.curve == plan.curve)
    tail = and_(chunks.c.sequence > plan.settled, chunks.c.sequence <= plan.through)
    connection.execute(delete(chunks).where(place, tail))
    keys = [{"a": attempt, "s": sequence} for attempt, sequence in plan.removed]
    for table in (chunks, bins) if keys else ():
        same = (table.c.run_id == plan.run_id) & (table.c.curve == plan.curve)
        gone = and_(table.c.attempt == bindparam("a"), table.c.sequence == bindparam("s"))
        connection.execute(delete(table).where(same, gone), keys)
    for chunk in plan.added:
        _insert(connection, plan, chunk)
    return True


def _insert(connection: Connection, plan: Plan, chunk: _Chunk) -> None:
    assert chunk.curve is not None  # noqa: S101 - only chunks to be are added
    key = {"run_id": plan.run_id, "curve": plan.curve, "attempt": chunk.attempt, "sequence": chunk.sequence}
    written = {
        "points": chunk.points,
        "first_step": chunk.first_step,
        "last_step": chunk.last_step,
        "block": encode(chunk.curve.steps, chunk.curve.values),
    }
    connection.execute(insert(chunks), {**key, **written})
    if chunk.points >= BINNED:
        made = summed_up(chunk.curve, min(_MOST_BINS, chunk.points // _LEAST_A_BIN))
        connection.execute(insert(bins), {**key, "bins": bin_format.encode(made)})
