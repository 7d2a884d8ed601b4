"""The bytes of a spool segment: framed records, names written once. Pure.

    record   length u32 | crc32 of the body u32 | body           (all little-endian)
    names    1 u8 | number u32 | JSON array of names            what a number stands for from here on in this segment
    points   2 u8 | number u32 | step f64 | a f64 for each name  one call of log()
    update   3 u8                                                the facts of the run changed: send them again
    finish   4 u8 | state                                        the run ended as `finished` or `failed`

A segment needs no other segment to be read. Packing ten numbers this way costs half a microsecond, where writing them
as text costs five: shortest decimal digits are slow to find.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from struct import Struct, error
from typing import NamedTuple, Union
from zlib import crc32

MOST_BODY_BYTES = 32 * 1024 * 1024  # more is no record: the length was torn or overwritten

_HEAD = Struct("<II")
_NAMES = Struct("<BI")
_POINTS = Struct("<BId")
_IS_NAMES, _IS_POINTS, _IS_UPDATE, _IS_FINISH = 1, 2, 3, 4


class Layout(NamedTuple):
    """The names that a number stands for, and what packs their record: `pack(kind, number, step, *values)`."""

    number: int
    pack: Callable[..., bytes]
    names_record: bytes


class Points(NamedTuple):
    """One call of log()."""

    names: Sequence[str]
    step: float
    values: Sequence[float]


class Update(NamedTuple):
    """The facts of the run changed."""


class Finish(NamedTuple):
    """The run ended."""

    state: str


Record = Union[Points, Update, Finish]  # noqa: UP007 - evaluated, and Python 3.10 is served


class Damaged(Exception):
    """From `offset` on the bytes are no records [bytes]."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no record at byte {offset}")
        self.offset = offset


def layout(number: int, names: Sequence[str]) -> Layout:
    """How calls with these names are written under this number."""
    body = _NAMES.pack(_IS_NAMES, number) + json.dumps(list(names)).encode()
    return Layout(number, Struct(f"<BId{len(names)}d").pack, framed(body))


def points_record(layout: Layout, step: float, values: Sequence[float]) -> bytes:
    """One call of log(). Raises struct.error when a value is no number."""
    body = layout.pack(_IS_POINTS, layout.number, step, *values)
    return _HEAD.pack(len(body), crc32(body)) + body


def update_record() -> bytes:
    """The facts changed."""
    return framed(bytes([_IS_UPDATE]))


def finish_record(state: str) -> bytes:
    """The run ended in this state."""
    return framed(bytes([_IS_FINISH]) + state.encode())


def framed(body: bytes) -> bytes:
    """A body as a record."""
    return _HEAD.pack(len(body), crc32(body)) + body


class Reader:
    """Reads one segment in order, in pieces of any size: a record that is not all there yet is left for later."""

    def __init__(self) -> None:
        self._layouts: dict[int, tuple[Sequence[str], Struct]] = {}

    @staticmethod
    def size(piece: bytes) -> int:
        """How many bytes the first record of a piece has, 0 when the piece is too short to tell."""
        if len(piece) < _HEAD.size:
            return 0
        length, _ = _HEAD.unpack_from(piece)
        return _HEAD.size + int(length) if length <= MOST_BODY_BYTES else 0

    def read(self, piece: bytes, offset: int = 0) -> Iterator[tuple[int, Record | None]]:
        """Each record with the offset of its end in `piece`; None for names. Raises Damaged at what is no record."""
        while offset + _HEAD.size <= len(piece):
            length, checksum = _HEAD.unpack_from(piece, offset)
            if not 1 <= length <= MOST_BODY_BYTES:
                raise Damaged(offset)
            end = offset + _HEAD.size + length
            if end > len(piece):
                return
            body = piece[offset + _HEAD.size : end]
            if crc32(body) != checksum:
                raise Damaged(offset)
            try:
                record = self._record(body)
            except (KeyError, ValueError, error) as reason:
                raise Damaged(offset) from reason
            yield end, record
            offset = end

    def _record(self, body: bytes) -> Record | None:
        kind = body[0]
        if kind == _IS_POINTS:
            _, number, step = _POINTS.unpack_from(body)
            names, values = self._layouts[number]
            return Points(names, step, values.unpack_from(body, _POINTS.size))
        if kind == _IS_NAMES:
            _, number = _NAMES.unpack_from(body)
            names = json.loads(body[_NAMES.size :])
            self._layouts[number] = (names, Struct(f"<{len(names)}d"))
            return None
        if kind == _IS_UPDATE:
            return Update()
        if kind == _IS_FINISH:
            return Finish(body[1:].decode())
        raise ValueError(f"there is no kind {kind}")
