"""Curves read for the rules or for a drawing at a cost that does not grow with their length.

A settled chunk that nothing hides or overlaps is read by its bins; whatever else there is, by its points.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any

from sqlalchemy import Connection, Select, and_, case, null, select, tuple_

from app.curves.attempts import AttemptPoints, joined, resolve
from app.curves.bins import Bins, thinned_for_display, thinned_for_rules
from app.curves.curve import Curve
from app.storage import bins as bin_format
from app.storage.blocks import decode
from app.storage.chunks import curve_ids, first_steps
from app.storage.tables import bins, chunks

_KEYS_AT_ONCE = 400


@dataclass(frozen=True, eq=False)
class _Chunk:
    attempt: int
    sequence: int
    points: int
    first_step: float
    last_step: float
    bins: bytes | None
    block: bytes | None  # absent where there are bins


def read_for_rules(connection: Connection, run_id: int, names: Sequence[str]) -> dict[str, Curve]:
    """What rules need of these curves: short ones whole, of a long one at most 4,096 points or means.

    Raises CorruptBlock.
    """
    return {
        name: thinned_for_rules(found.stretches(0), found.rest())
        for name, found in _chunks(connection, run_id, names).items()
    }


def read_for_display(
    connection: Connection,
    run_id: int,
    names: Sequence[str],
    max_points: int,
    within: tuple[float, float] = (0.0, math.inf),
) -> dict[str, Curve]:
    """At most so many of each curve's own points: ends, extremes and what is not finite.

    within: of the points from this step through that one; all of them when they are no more. Raises CorruptBlock.
    """
    read = {}
    for name, found in _chunks(connection, run_id, names, within).items():
        # All of a curve that is short enough, whether or not parts of it have bins.
        stretches = found.stretches(max_points) if found.points > max_points else []
        read[name] = thinned_for_display(stretches, found.rest(), max_points)
    return read


class _Found:
    """The chunks of one curve, shared out between bins and points: first `stretches`, then the `rest`."""

    def __init__(
        self,
        connection: Connection,
        key: tuple[int, int],
        name: str,
        trained: Mapping[int, float],
        within: tuple[float, float],
    ) -> None:
        self._within = within
        self._connection = connection
        self._key = key
        self._name = name
        self._trained = trained
        self._hidden: dict[int, float] = {}  # attempt -> from which step a later one hides it
        self._chunks: list[_Chunk] = []
        self.points = 0

    def add(self, chunk: _Chunk) -> None:
        """One more, unless a later attempt hides all of it or no step of it is wanted."""
        first, last = self._within
        if (
            chunk.first_step < self._hidden_from(chunk.attempt)
            and first <= chunk.last_step
            and chunk.first_step <= last
        ):
            self._chunks.append(chunk)
            # Of one that is wanted in part it is not known how many are, so it is read by its points.
            self.points += chunk.points if self._wanted_whole(chunk) else 0

    def stretches(self, most_non_finite: int) -> list[Bins]:
        """The bins of chunks that are seen whole and alone in their stretch of steps; the chunks are done with.

        Not those that leave out non-finite points which may be wanted: when there are at most so many.
        """
        found, left = [], []
        for chunk, alone in self._by_step():
            whole = chunk.last_step < self._hidden_from(chunk.attempt) and self._wanted_whole(chunk)
            bins = bin_format.decode(self._name, chunk.bins) if alone and whole and chunk.bins else None
            if bins is None or (not bins.complete and bins.points - bins.counts.sum() <= most_non_finite):
                left.append(chunk)
            else:
                found.append(bins)
        self._chunks = left
        return found

    def rest(self) -> Curve:
        """The points of the chunks that are left."""
        chunks = sorted(self._chunks, key=lambda chunk: (chunk.attempt, chunk.sequence))
        missing = [(chunk.attempt, chunk.sequence) for chunk in chunks if chunk.block is None]
        fetched = read_blocks(self._connection, *self._key, missing)
        parts = []
        for attempt, same in groupby(chunks, lambda chunk: chunk.attempt):
            points = [decode(chunk.block or fetched[attempt, chunk.sequence]) for chunk in same]
            parts.append(AttemptPoints(attempt, joined([s for s, _ in points]), joined([v for _, v in points])))
        return resolve(self._name, parts, self._trained).between(*self._within)

    def _wanted_whole(self, chunk: _Chunk) -> bool:
        return self._within[0] <= chunk.first_step and chunk.last_step <= self._within[1]

    def _hidden_from(self, attempt: int) -> float:
        if attempt not in self._hidden:  # asked for every chunk, and there are hundreds in a tail
            later = (first for other, first in self._trained.items() if other > attempt)
            self._hidden[attempt] = min(later, default=math.inf)
        return self._hidden[attempt]

    def _by_step(self) -> Iterator[tuple[_Chunk, bool]]:
        """Chunks in step order, and whether no other one has a step in theirs."""
        ordered = sorted(self._chunks, key=lambda chunk: chunk.first_step)
        reached = -math.inf
        for chunk, following in zip_longest(ordered, ordered[1:]):
            yield chunk, reached < chunk.first_step and (following is None or chunk.last_step < following.first_step)
            reached = max(reached, chunk.last_step)


def _chunks(
    connection: Connection, run_id: int, names: Sequence[str], within: tuple[float, float] = (0.0, math.inf)
) -> dict[str, _Found]:
    """By name; all of them with one statement."""
    ids = curve_ids(connection, run_id, names)
    trained = first_steps(connection, run_id)
    found = {curve: _Found(connection, (run_id, curve), name, trained, within) for name, curve in ids.items()}
    for curve, *row in connection.execute(_chunks_of(run_id, list(found))):
        found[curve].add(_Chunk(*row))
    return {name: found[curve] for name, curve in ids.items()}


def _chunks_of(run_id: int, ids: Sequence[int]) -> Select[Any]:
    with_bins = and_(
        bins.c.run_id == chunks.c.run_id,
        bins.c.curve == chunks.c.curve,
        bins.c.attempt == chunks.c.attempt,
        bins.c.sequence == chunks.c.sequence,
    )
    return (
        select(
            chunks.c.curve,
            chunks.c.attempt,
            chunks.c.sequence,
            chunks.c.points,
            chunks.c.first_step,
            chunks.c.last_step,
            bins.c.bins,
            case((bins.c.bins.is_(None), chunks.c.block), else_=null()),
        )
        .join_from(chunks, bins, with_bins, isouter=True)
        .where(chunks.c.run_id == run_id, chunks.c.curve.in_(ids))
        .order_by(chunks.c.curve, chunks.c.attempt, chunks.c.sequence)
    )


def read_blocks(
    connection: Connection, run_id: int, curve: int, keys: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """(attempt, sequence) -> block."""
    wanted = list(keys)
    found = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        some = wanted[start : start + _KEYS_AT_ONCE]
        query = select(chunks.c.attempt, chunks.c.sequence, chunks.c.block).where(
            chunks.c.run_id == run_id,
            chunks.c.curve == curve,
            tuple_(chunks.c.attempt, chunks.c.sequence).in_(some),
        )
        found.update({(row.attempt, row.sequence): row.block for row in connection.execute(query)})
    return found
