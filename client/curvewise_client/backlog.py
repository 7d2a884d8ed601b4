"""What is not known to be stored yet, read back from the spool in batches, in the order in which it was logged."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from curvewise_client.notices import Notices
from curvewise_client.records import Action, Damaged, Finish, Points, Reader, Update
from curvewise_client.sessions import DAMAGED, Position, Session
from curvewise_client.spool import Spool

_PIECE_BYTES = 128 * 1024

Curves = dict[str, tuple[list[float], list[float]]]  # name -> steps, values


class Batch(NamedTuple):
    """Some calls of log() as columns, each curve's points in the order in which they were logged.

    calls: how many. points: how many points they hold. then: what was said after them. end: where the next one begins.
    last: whether everything that was logged before it was read is in it, or in batches before it.
    """

    curves: Curves
    calls: int
    points: int
    then: Update | Finish | Action | None
    end: Position
    last: bool = False


class Backlog:
    """The reading end of a session: of a living one with its spool, or of a dead one."""

    def __init__(self, session: Session, notices: Notices, spool: Spool | None = None) -> None:
        self._session = session
        self._notices = notices
        self._spool = spool
        self._at = session.sent()
        self._reader = Reader()
        self._reads = 0  # the segment whose names the reader knows
        self._memory = b""
        self._memory_at = 0

    def next(self, most_points: int) -> Batch | None:
        """The next batch of about so many points, the same again until it is done; None when there is nothing."""
        if not self._memory:
            if (batch := self._next_on_disk(most_points)) is not None:
                return batch
            if self._spool is not None and (taken := self._spool.take_memory(self._at.segment)):
                self._memory, self._memory_at, self._reader, self._reads = taken, 0, Reader(), 0
        return _batch(self._reader, self._memory, Position(0, self._memory_at), self._memory_at, most_points)

    def done(self, batch: Batch) -> None:
        """The batch is stored, or is not to be sent again."""
        if batch.end.segment == 0:
            self._memory_at = batch.end.offset
            if self._memory_at == len(self._memory):
                self._memory = b""
            return
        self._go_to(batch.end)

    def memory_bytes(self) -> int:
        """How much waits in memory, to be lost with the process."""
        return len(self._memory) - self._memory_at if self._memory else 0

    def waiting_bytes(self) -> int:
        """How much waits on disk."""
        waiting = 0
        for number in self._session.segments():
            with suppress(OSError):
                passed = self._at.offset if number == self._at.segment else 0
                waiting += max(0, self._session.path(number).stat().st_size - passed)
        return waiting

    def _next_on_disk(self, most_points: int) -> Batch | None:
        in_memory = self._spool is not None and self._spool.memory_bytes() > 0  # asked first: it may go to disk now
        segments = self._session.segments()
        for number in segments:
            if number > self._at.segment:
                # Its writer has gone on: what is left in the segment before was cut off by a full disk.
                self._go_to(Position(number, 0))
            try:
                piece = self._piece()
                batch = _batch(self._reader, piece, self._at, 0, most_points)
            except FileNotFoundError:
                continue
            except Damaged as damage:
                self._put_aside(self._at.offset + damage.offset)
                continue
            if batch is not None:
                read = batch.end.offset - self._at.offset
                ended = read == len(piece) < _PIECE_BYTES and number == segments[-1]
                return batch._replace(last=ended and not in_memory)
        return None

    def _piece(self) -> bytes:
        """Bytes from the present place on, at least one record if it is there whole. Raises OSError."""
        file = os.open(self._session.path(self._at.segment), os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            if self._reads != self._at.segment:
                self._reader, self._reads = Reader(), self._at.segment
                for _ in self._reader.read(os.read(file, self._at.offset)):
                    pass  # after a restart, the names in what was acknowledged before
            os.lseek(file, self._at.offset, os.SEEK_SET)
            piece = os.read(file, _PIECE_BYTES)
            if (size := Reader.size(piece)) > len(piece):
                piece += os.read(file, size - len(piece))
            return piece
        finally:
            os.close(file)

    def _go_to(self, position: Position) -> None:
        self._at = position
        self._session.save_sent(position)
        self._session.remove_before(position.segment)

    def _put_aside(self, offset: int) -> None:
        path = self._session.path(self._at.segment)
        kept = path.with_suffix(DAMAGED)
        with suppress(OSError):
            path.rename(kept)
        self._notices.say(f"{kept} cannot be read from byte {offset} on: something wrote over it, or the power was cut")


def _batch(reader: Reader, piece: bytes, start: Position, offset: int, most_points: int) -> Batch | None:
    """What stands in `piece` from `offset` on, which is the byte `start` of the session. Raises Damaged."""
    curves: Curves = {}
    calls = points = 0
    then, read = None, offset
    try:
        while then is None and points < most_points:
            if (found := reader.calls(piece, read, most_points - points)) is not None:
                end, (names, steps, columns) = found
                if points and points + len(names) * len(steps) > most_points:
                    break
                for name, values in zip(names, columns, strict=True):
                    curve = curves.setdefault(name, ([], []))
                    curve[0].extend(steps)
                    curve[1].extend(values)
                calls, points = calls + len(steps), points + len(names) * len(steps)
            elif (other := next(reader.read(piece, read), None)) is not None:
                end, record = other
                assert not isinstance(record, Points)  # noqa: S101 - or it would have been found before
                then = record
            else:
                break
            read = end
    except Damaged:
        if read == offset:
            raise
    if read == offset:
        return None  # a batch of no calls is one of names too long to be read together with the call after them
    return Batch(curves, calls, points, then, Position(start.segment, start.offset + read - offset))
