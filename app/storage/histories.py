"""What MLflow's clients said of a metric, word for word: the value, timestamp and step of every call.

A curve has one value a step, the last that was written. MLflow keeps every value, also those of a job that logs without
steps: to MLflow that is step 0 each time. So such a metric has three more curves, of its values, timestamps and steps,
over the number under which each value arrived. They are curves like any other: written in one transaction with the
metric's own, settled, moved and deleted as all are. Only, nobody sees them who does not ask for them by name.

Where a job logged a metric without steps, its curve over time takes the place of the one point at step 0.
"""

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, func, select

from app.curves.curve import Curve, FloatArray, make_curve
from app.curves.points import Points
from app.storage.blocks import decode
from app.storage.chunks import curve_ids
from app.storage.tables import chunks, curves, runs

_VALUE, _TIMESTAMP, _STEP = _COLUMNS = ("mlflow.value/", "mlflow.timestamp/", "mlflow.step/")

_EPOCH_S = 1_577_836_800  # 2020: numbers then fit into a float64 until 2088
_TICKS_A_SECOND = 1024
_WRITERS = 4096


@dataclass(frozen=True, eq=False)
class History:
    """Every value of one metric in the order that MLflow tells them: by timestamp, then step, then value.

    values: float64 [n]. timestamps: float64 [n], milliseconds since 1970. steps: float64 [n], negative ones as well.
    """

    values: FloatArray
    timestamps: FloatArray
    steps: FloatArray

    def __len__(self) -> int:
        return int(self.values.size)


@dataclass(frozen=True)
class Latest:
    """The value at a metric's last step, the latest of them; timestamp [ms since 1970]."""

    value: float
    timestamp: int
    step: int


class Arrivals:
    """Numbers that no other value of a run has: a clock's tick and a part that is this process's own.

    They grow, so that what arrives is at the end of its curve, where it costs least to settle.
    """

    def __init__(self) -> None:
        self._writer = int.from_bytes(os.urandom(2)) % _WRITERS
        self._tick = 0

    def take(self, count: int) -> FloatArray:
        """The next numbers [count]."""
        first = max(self._tick, int((time.time() - _EPOCH_S) * _TICKS_A_SECOND))
        self._tick = first + count
        return np.arange(first, first + count, dtype=np.float64) * _WRITERS + self._writer


def is_hidden(name: str) -> bool:
    """Whether a curve of this name is part of a history."""
    return name.startswith(_COLUMNS)


def metric_of(name: str) -> str:
    """The metric that a curve of this name is of: its own name, unless it is part of a history."""
    prefix = next((prefix for prefix in _COLUMNS if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def points_of(key: str, said: History, arrivals: FloatArray) -> list[Points]:
    """What is written for these values of one metric: on its curve, and in its history.

    said: in the order they were said. A step below 0 has no place on a curve, so its value is in the history alone.
    """
    history = [
        Points(f"{prefix}{key}", arrivals, column)
        for prefix, column in zip(_COLUMNS, (said.values, said.timestamps, said.steps), strict=True)
    ]
    drawn = said.steps >= 0
    return [Points(key, said.steps[drawn], said.values[drawn]), *history]


def read(connection: Connection, run_id: int, key: str) -> History:
    """Every value of a metric, once however often it was sent; none when there is no such metric.

    Of a run that was rolled up, what its bins say. Raises CorruptBlock.
    """
    ids = curve_ids(connection, run_id, [f"{prefix}{key}" for prefix in _COLUMNS])
    query = (
        select(chunks.c.curve, chunks.c.block)
        .where(chunks.c.run_id == run_id, chunks.c.curve.in_(ids.values()))
        # A later attempt hides an earlier one's points from a curve, but not from the history.
        .order_by(chunks.c.curve, chunks.c.attempt, chunks.c.sequence)
    )
    found = {
        curve: _joined(block for _, block in rows)
        for curve, rows in groupby(connection.execute(query), lambda row: row[0])
    }
    if len(found) < len(_COLUMNS):
        return History(np.empty(0), np.empty(0), np.empty(0))
    value, timestamp, step = (found[ids[f"{prefix}{key}"]] for prefix in _COLUMNS)
    return _told(value.values, _at(timestamp, value.steps), _at(step, value.steps))


def latest(connection: Connection, run_ids: Sequence[int]) -> dict[int, dict[str, Latest]]:
    """Run -> metric -> its latest value, for the metrics that have a history. Reads the ends of the histories only."""
    last = _last_steps(connection, run_ids)
    ends: dict[tuple[int, str], dict[str, Curve]] = {}
    for run_id, name, block in _ends(connection, run_ids):
        column = next(prefix for prefix in _COLUMNS if name.startswith(prefix))
        ends.setdefault((run_id, name.removeprefix(column)), {})[column] = _joined([block])
    found: dict[int, dict[str, Latest]] = {run_id: {} for run_id in run_ids}
    for (run_id, key), end in ends.items():
        value, timestamp, step = (end[column] for column in _COLUMNS)
        if step.values[-1] == last.get((run_id, key)):
            found[run_id][key] = Latest(value.values[-1], int(timestamp.values[-1]), int(step.values[-1]))
        else:  # what arrived last is not of the last step: an evaluator came late
            said = read(connection, run_id, key)
            at = np.lexsort((said.timestamps, said.steps))[-1]
            found[run_id][key] = Latest(said.values[at], int(said.timestamps[at]), int(said.steps[at]))
    return found


def over_time_without_steps(connection: Connection, run_id: int, logged: Mapping[str, Curve]) -> dict[str, Curve]:
    """The curves, those that were logged without steps over time: in seconds since the run began.

    Since its first value, where a job says that this was before the run began.
    """
    found = dict(logged)
    for name, curve in logged.items():
        if len(curve) == 1 and curve.steps[0] == 0:
            said = read(connection, run_id, name)
            if len(said) > 1 and not said.steps.any():
                began = min(_began(connection, run_id), float(said.timestamps[0]))
                found[name] = make_curve(name, (said.timestamps - began) / 1000, said.values)
    return found


def _began(connection: Connection, run_id: int) -> float:
    known = connection.execute(select(runs.c.mlflow).where(runs.c.id == run_id)).scalar_one_or_none()
    began = json.loads(known or "{}").get("started_at")
    return math.inf if began is None else float(began)


def _last_steps(connection: Connection, run_ids: Sequence[int]) -> dict[tuple[int, str], float]:
    query = (
        select(curves.c.run_id, curves.c.name, func.max(chunks.c.last_step))
        .join_from(curves, chunks, (chunks.c.run_id == curves.c.run_id) & (chunks.c.curve == curves.c.curve))
        .where(curves.c.run_id.in_(run_ids))
        .group_by(curves.c.run_id, curves.c.name)
    )
    return {(run_id, name): last for run_id, name, last in connection.execute(query)}


def _ends(connection: Connection, run_ids: Sequence[int]) -> Iterable[tuple[int, str, bytes]]:
    """(run, curve, block) of the chunk that holds the end of each curve of a history."""
    ends = (
        select(curves.c.run_id, curves.c.curve, curves.c.name, func.max(chunks.c.last_step).label("last"))
        .join_from(curves, chunks, (chunks.c.run_id == curves.c.run_id) & (chunks.c.curve == curves.c.curve))
        .where(curves.c.run_id.in_(run_ids), curves.c.name.startswith("mlflow."))
        .group_by(curves.c.run_id, curves.c.curve, curves.c.name)
        .subquery()
    )
    same = and_(chunks.c.run_id == ends.c.run_id, chunks.c.curve == ends.c.curve, chunks.c.last_step == ends.c.last)
    query = select(ends.c.run_id, ends.c.name, chunks.c.block).join_from(ends, chunks, same)
    found = connection.execute(query.where(chunks.c.run_id.in_(run_ids)))
    return ((run_id, name, block) for run_id, name, block in found if is_hidden(name))


def _joined(blocks: Iterable[bytes]) -> Curve:
    parts = [decode(block) for block in blocks]
    return make_curve("", np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))


def _at(column: Curve, arrivals: FloatArray) -> FloatArray:
    """The column's entry for each number of arrival; the nearest where bins have taken the place of values."""
    if np.array_equal(column.steps, arrivals):
        return column.values
    middles = (column.steps[:-1] + column.steps[1:]) / 2
    return np.round(column.values[np.searchsorted(middles, arrivals)])


def _told(values: FloatArray, timestamps: FloatArray, steps: FloatArray) -> History:
    order = np.lexsort((values, steps, timestamps))
    columns = [column[order] for column in (values, timestamps, steps)]
    bits: list[NDArray[np.int64]] = [column.view(np.int64) for column in columns]
    # A client that got no answer sends again, and what it sends is the same to the bit.
    again = np.logical_and.reduce([column[1:] == column[:-1] for column in bits])
    kept = np.append(True, ~again) if len(order) else np.empty(0, dtype=bool)
    return History(*(column[kept] for column in columns))
