"""The bytes of a spool segment: framed records, names written once. Pure.

    record   length u32 | crc32 of the body u32 | body           (all little-endian)
    names    1 u8 | number u32 | JSON array of names            what a number stands for from here on in this segment
    points   2 u8 | number u32 | step f64 | a f64 for each name  one call of log()
    update   3 u8                                                the facts of the run changed: send them again
    finish   4 u8 | state                                        the run ended as `finished` or `failed`
    action   5 u8 | JSON array of name and what was done         what the job did, or that it took it back

A segment needs no other segment to be read. Packing ten numbers this way costs half a microsecond, where writing them
as text costs five: shortest decimal digits are slow to find.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct, error
from typing import Any, NamedTuple, Union
from zlib import crc32

MOST_BODY_BYTES = 32 * 1024 * 1024  # more is no record: the length was torn or overwritten

_HEAD = Struct("<II")
_NAMES = Struct("<BI")
_POINTS = Struct("<BId")
_START = Struct("<IIBI")  # of a call's record, up to the number
_IS_NAMES, _IS_POINTS, _IS_UPDATE, _IS_FINISH, _IS_ACTION = 1, 2, 3, 4, 5


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


class Calls(NamedTuple):
    """Calls of log() with the same names, one after the other. values: a column for each name, as long as steps."""

    names: Sequence[str]
    steps: Sequence[float]
    values: Sequence[Sequence[float]]


class Update(NamedTuple):
    """The facts of the run changed."""


class Finish(NamedTuple):
    """The run ended."""

    state: str


class Action(NamedTuple):
    """What the job did, by its own name for it, as the server takes it."""

    name: str
    said: dict[str, Any]


Record = Union[Points, Update, Finish, Action]  # noqa: UP007 - evaluated, and Python 3.10 is served


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


def action_record(name: str, said: Mapping[str, Any]) -> bytes:
    """The job did this. Raises ValueError or TypeError where it is no JSON."""
    return framed(bytes([_IS_ACTION]) + json.dumps([name, said], allow_nan=False).encode())


def framed(body: bytes) -> bytes:
    """A body as a record."""
    return _HEAD.pack(len(body), crc32(body)) + body


class Reader:
    """Reads one segment in order, in pieces of any size: a record that is not all there yet is left for later."""

    def __init__(self) -> None:
        self._layouts: dict[int, tuple[Sequence[str], Struct]] = {}  # number -> names, a call's whole record

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
            whole = piece[offset:end]
            if crc32(whole[_HEAD.size :]) != checksum:
                raise Damaged(offset)
            try:
                record = self._record(whole)
            except (KeyError, TypeError, ValueError, error) as reason:
                raise Damaged(offset) from reason
            yield end, record
            offset = end

    def calls(self, piece: bytes, offset: int, most_points: int) -> tuple[int, Calls] | None:
        """The calls at `offset` that have the names of the first, and the offset of their end; None when there is none.

        A tenth of the work of `read`, which the job waits for: they are taken apart and turned into columns together.
        At least one, and no more than hold so many points.
        """
        if len(piece) < offset + _START.size:
            return None
        length, _, kind, number = _START.unpack_from(piece, offset)
        names, call = self._layouts.get(number, ((), _START))
        if kind != _IS_POINTS or not names or call.size != _HEAD.size + length:
            return None
        most = min((len(piece) - offset) // call.size, max(1, most_points // len(names)))
        view = memoryview(piece)[offset : offset + most * call.size]
        rows, body = [], _HEAD.size
        for row in call.iter_unpack(view):
            # The same length, number and kind, and nothing written over: else it is not one of them.
            if row[0] != length or row[3] != number or row[2] != kind or row[1] != crc32(view[body : body + length]):
                break
            rows.append(row)
            body += call.size
        if not rows:
            return None
        _, _, _, _, steps, *values = zip(*rows, strict=True)
        return offset + len(rows) * call.size, Calls(names, steps, values)

    def _record(self, whole: bytes) -> Record | None:
        kind, body = whole[_HEAD.size], whole[_HEAD.size :]
        if kind == _IS_POINTS:
            _, number, _ = _POINTS.unpack_from(body)
            names, call = self._layouts[number]
            _, _, _, _, step, *values = call.unpack(whole)
            return Points(names, step, values)
        if kind == _IS_NAMES:
            _, number = _NAMES.unpack_from(body)
            names = json.loads(body[_NAMES.size :])
            self._layouts[number] = (names, Struct(f"<IIBId{len(names)}d"))
            return None
        if kind == _IS_UPDATE:
            return Update()
        if kind == _IS_FINISH:
            return Finish(body[1:].decode())
        if kind == _IS_ACTION:
            return Action(*json.loads(body[1:]))
        raise ValueError(f"there is no kind {kind}")
