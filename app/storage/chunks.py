"""The log of chunks: batches of points in, curves out."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from types import ModuleType

import numpy as np
from sqlalchemy import BindParameter, Connection, Insert, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.curves.attempts import AttemptPoints, resolve
from app.curves.curve import Curve, FloatArray
from app.curves.points import Points
from app.curves.roles import role_of
from app.errors import UnknownRun
from app.storage.blocks import decode, encode
from app.storage.runs import LIVE
from app.storage.tables import attempts, chunks, curves, runs


@dataclass(frozen=True, eq=False)
class Batch:
    """Points of one run that were sent together; attempt None means the run's latest."""

    run_id: int
    attempt: int | None
    points: Sequence[Points]


@dataclass(frozen=True)
class Stored:
    """How much of a curve is stored, before repeated steps are resolved."""

    name: str
    points: int
    first_step: float
    last_step: float


@dataclass(frozen=True)
class _Key:
    run_id: int
    attempt: int
    name: str


def _note_first_step(dialect: ModuleType) -> Insert:
    query = dialect.insert(attempts)
    earlier = attempts.c.first_step.is_(None) | (query.excluded.first_step < attempts.c.first_step)
    least = case((earlier, query.excluded.first_step), else_=attempts.c.first_step)
    noted: Insert = query.on_conflict_do_update(index_elements=["run_id", "attempt"], set_={"first_step": least})
    return noted


# The statements of the write path are built once: building them took longer than running them.
_RUN_IDS: BindParameter[Sequence[int]] = bindparam("run_ids", expanding=True)
# In id order, so that two servers that write the same runs wait for each other and never both. Not FOR UPDATE, which
# would wait for whoever stores a chunk of the run, as a compactor does.
_IN_ORDER = (
    select(runs.c.id)
    .where(runs.c.id.in_(_RUN_IDS), LIVE)
    .order_by(runs.c.id)
    .with_for_update(key_share=True)
    .cte("in_order")
)
_COUNTED = {"revision": runs.c.revision + 1, "updated_at": bindparam("now")}
_COUNT_UP_AND_TELL = (
    update(runs)
    .where(runs.c.id == _IN_ORDER.c.id)
    .values(_COUNTED)
    .returning(runs.c.id, runs.c.attempt, runs.c.revision)
)
# SQLite's driver lets go of the interpreter for every row that comes or goes, and gets it back when the event loop has
# nothing to do: a group is written in as few steps as can be, so these rows come as one.
_COUNT_UP_ON_SQLITE = update(runs).where(runs.c.id.in_(_RUN_IDS) & LIVE).values(_COUNTED)
_TELL_ON_SQLITE = select(func.json_group_array(func.json_array(runs.c.id, runs.c.attempt, runs.c.revision))).where(
    runs.c.id.in_(_RUN_IDS)
)
_OPEN_ATTEMPT = update(runs).where(runs.c.id == bindparam("run")).values(attempt=bindparam("latest"), state="running")
_CURVES = select(curves.c.run_id, curves.c.curve, curves.c.name).where(curves.c.run_id.in_(_RUN_IDS))
_INSERT_CURVE = insert(curves)
_CHUNKS_AT_ONCE = 500  # eight parameters each; SQLite takes 32,766 of them and Postgres 65,535
_NOTE_FIRST_STEP = {"sqlite": _note_first_step(sqlite), "postgresql": _note_first_step(postgresql)}


@dataclass
class Known:
    """What a writer need not ask for again; to be forgotten when a transaction fails."""

    curves: dict[tuple[int, str], int] = field(default_factory=dict)  # (run, name) -> number
    first_steps: dict[tuple[int, int], float] = field(default_factory=dict)  # (run, attempt) -> no later than this

    def forget(self) -> None:
        """Everything."""
        self.curves.clear()
        self.first_steps.clear()


def write(
    connection: Connection, batches: Sequence[Batch], known: Known | None = None, most_curves: int | None = None
) -> frozenset[tuple[int, str]]:
    """Store batches in the order given: one chunk for each curve and attempt of each run. Raises UnknownRun.

    known: of the writer whose transaction this is. It is added to here, so it must be forgotten if that fails.
    most_curves: that a run may have. The (run, name) of those that are too many is returned, and none of their points
    is stored.
    """
    known = known or Known()
    run_ids = sorted({batch.run_id for batch in batches})
    locked = _count_up(connection, run_ids)
    latest = {run_id: attempt for run_id, attempt, _ in locked}
    sequences = {run_id: revision for run_id, _, revision in locked}
    parts: dict[_Key, list[Points]] = defaultdict(list)
    for batch in batches:
        attempt = latest[batch.run_id] if batch.attempt is None else batch.attempt
        latest[batch.run_id] = max(attempt, latest[batch.run_id])
        for points in batch.points:
            parts[_Key(batch.run_id, attempt, points.name)].append(points)
    if opened := [
        {"run": run_id, "latest": latest[run_id]} for run_id, attempt, _ in locked if latest[run_id] > attempt
    ]:
        connection.execute(_OPEN_ATTEMPT, opened)
    refused = _number_curves(connection, parts, known, most_curves or math.inf)
    if refused:
        parts = {key: part for key, part in parts.items() if (key.run_id, key.name) not in refused}
    rows = [_chunk(key, known.curves, sequences[key.run_id], part) for key, part in parts.items()]
    _insert(connection, rows)
    _note_first_steps(connection, zip(parts, rows, strict=True), known)
    return refused


def _count_up(connection: Connection, run_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Lock these runs and give each its next revision: (id, latest attempt, revision). Raises UnknownRun."""
    values = {"run_ids": run_ids, "now": datetime.now(UTC)}
    if connection.dialect.name == "postgresql":
        counted = [tuple(row) for row in connection.execute(_COUNT_UP_AND_TELL, values)]
        missing = len(counted) < len(run_ids)
    else:
        missing = connection.execute(_COUNT_UP_ON_SQLITE, values).rowcount < len(run_ids)
        counted = [tuple(row) for row in json.loads(connection.execute(_TELL_ON_SQLITE, values).scalar_one())]
    if missing:
        raise UnknownRun("the run was deleted while its points waited")
    return counted


def _insert(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """All chunks in one statement, or in a few."""
    for start in range(0, len(rows), _CHUNKS_AT_ONCE):
        some = rows[start : start + _CHUNKS_AT_ONCE]
        values = tuple(value for row in some for value in row.values())
        connection.exec_driver_sql(_insert_chunks(connection.dialect.name, len(some)), values)


@lru_cache(maxsize=2 * _CHUNKS_AT_ONCE)
def _insert_chunks(dialect: str, count: int) -> str:
    """The statement for so many rows; parameters row by row, in the order of the table's columns."""
    mark = "%s" if dialect == "postgresql" else "?"
    names = [column.name for column in chunks.columns]
    row = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO chunks ({', '.join(names)}) VALUES {', '.join([row] * count)}"  # noqa: S608 - no input in it


def _number_curves(
    connection: Connection, keys: Iterable[_Key], known: Known, most: float
) -> frozenset[tuple[int, str]]:
    """Give every curve its number; new names get the run's next ones, which its lock makes safe, as far as they go."""
    missing = {(key.run_id, key.name) for key in keys} - known.curves.keys()
    if not missing:
        return frozenset()
    following: dict[int, int] = defaultdict(lambda: 1)
    for run_id, curve, name in connection.execute(_CURVES, {"run_ids": sorted({run_id for run_id, _ in missing})}):
        known.curves[run_id, name] = curve
        following[run_id] = max(following[run_id], curve + 1)
    added, refused = [], set()
    for run_id, name in dict.fromkeys((key.run_id, key.name) for key in keys):
        if (run_id, name) not in known.curves:
            if following[run_id] > most:
                refused.add((run_id, name))
                continue
            known.curves[run_id, name] = curve = following[run_id]
            following[run_id] += 1
            added.append({"run_id": run_id, "curve": curve, "name": name})
    if added:
        connection.execute(_INSERT_CURVE, added)
    return frozenset(refused)


def _chunk(key: _Key, ids: Mapping[tuple[int, str], int], sequence: int, part: Sequence[Points]) -> dict[str, object]:
    steps, values = _joined([points.steps for points in part]), _joined([points.values for points in part])
    return {
        "run_id": key.run_id,
        "curve": ids[key.run_id, key.name],
        "attempt": key.attempt,
        "sequence": sequence,
        "points": len(steps),
        "first_step": float(steps.min()),
        "last_step": float(steps.max()),
        "block": encode(steps, values),
    }


def _note_first_steps(
    connection: Connection, written: Iterable[tuple[_Key, Mapping[str, object]]], known: Known
) -> None:
    """Keep the least step that each attempt trained; a validation curve says nothing about that."""
    earlier: dict[tuple[int, int], float] = {}
    for key, chunk in written:
        first, attempt = chunk["first_step"], (key.run_id, key.attempt)
        if role_of(key.name).split != "val" and isinstance(first, float):
            least = min(earlier.get(attempt, math.inf), first)
            if least < known.first_steps.get(attempt, math.inf):
                earlier[attempt] = least
    if earlier:
        connection.execute(
            _NOTE_FIRST_STEP[connection.dialect.name],
            [{"run_id": run, "attempt": attempt, "first_step": first} for (run, attempt), first in earlier.items()],
        )
        known.first_steps.update(earlier)


def stored_curves(connection: Connection, run_ids: Sequence[int]) -> dict[int, list[Stored]]:
    """Run -> what is stored of each of its curves, in name order. Reads no points."""
    query = (
        select(
            curves.c.run_id,
            curves.c.name,
            func.sum(chunks.c.points),
            func.min(chunks.c.first_step),
            func.max(chunks.c.last_step),
        )
        .join_from(curves, chunks, (chunks.c.run_id == curves.c.run_id) & (chunks.c.curve == curves.c.curve))
        .where(curves.c.run_id.in_(run_ids))
        .group_by(curves.c.run_id, curves.c.name)
        .order_by(curves.c.name)
    )
    found: dict[int, list[Stored]] = {run_id: [] for run_id in run_ids}
    for run_id, name, points, first, last in connection.execute(query):
        found[run_id].append(Stored(name, int(points), first, last))
    return found


def curve_names(connection: Connection, run_id: int) -> list[str]:
    """The raw names of a run's curves, in name order."""
    query = select(curves.c.name).where(curves.c.run_id == run_id).order_by(curves.c.name)
    return list(connection.execute(query).scalars())


def newer_than(connection: Connection, run_id: int, revision: int) -> bool:
    """Whether the run has points that were written after this revision of it, as far as chunks tell."""
    query = select(chunks.c.curve).where(chunks.c.run_id == run_id, chunks.c.sequence > revision).limit(1)
    return connection.execute(query).first() is not None


def curve_ids(connection: Connection, run_id: int, names: Sequence[str]) -> dict[str, int]:
    """Raw name -> number of the curve, in name order, for those of the names that the run has."""
    wanted = set(names)
    query = select(curves.c.name, curves.c.curve).where(curves.c.run_id == run_id).order_by(curves.c.name)
    return {name: curve for name, curve in connection.execute(query) if name in wanted}


def first_steps(connection: Connection, run_id: int) -> dict[int, float]:
    """Attempt -> the first step it trained, for those that trained."""
    query = select(attempts.c.attempt, attempts.c.first_step).where(attempts.c.run_id == run_id)
    return {attempt: first for attempt, first in connection.execute(query) if first is not None}


def read(
    connection: Connection, run_id: int, names: Sequence[str], within: tuple[float, float] = (0.0, math.inf)
) -> dict[str, Curve]:
    """The curves of these raw names, in name order, as a reader sees them: attempts and repeated steps resolved.

    within: only the points from this step through that one. Raises CorruptBlock.
    """
    ids = curve_ids(connection, run_id, names)
    trained = first_steps(connection, run_id)
    first, last = within
    query = (
        select(chunks.c.curve, chunks.c.attempt, chunks.c.block)
        .where(chunks.c.run_id == run_id, chunks.c.curve.in_(ids.values()))
        .order_by(chunks.c.curve, chunks.c.attempt, chunks.c.sequence)
    )
    if first > 0:
        query = query.where(chunks.c.last_step >= first)
    if last < math.inf:
        query = query.where(chunks.c.first_step <= last)
    parts: dict[int, list[AttemptPoints]] = {curve: [] for curve in ids.values()}
    for (curve, attempt), rows in groupby(connection.execute(query), lambda row: (row[0], row[1])):
        parts[curve].append(_attempt(attempt, [row[2] for row in rows]))
    return {name: resolve(name, parts[curve], trained).between(first, last) for name, curve in ids.items()}


def _attempt(attempt: int, blocks: Sequence[bytes]) -> AttemptPoints:
    decoded = [decode(block) for block in blocks]
    return AttemptPoints(attempt, _joined([steps for steps, _ in decoded]), _joined([values for _, values in decoded]))


def _joined(arrays: Sequence[FloatArray]) -> FloatArray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
