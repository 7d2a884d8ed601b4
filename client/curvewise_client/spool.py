"""Where log() leaves what it is told: in a file before it returns, so that the death of the process loses nothing.

A record goes to the end of a file in one write, and from there on it is the operating system's: it survives kill
-9, though not a power cut. While the disk refuses (full, read-only, gone), records wait in memory, up to a limit; they
go to the disk as soon as it takes them, or to the server.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from curvewise_client import records
from curvewise_client.appending import Appended
from curvewise_client.notices import Notices
from curvewise_client.sessions import Session
from curvewise_client.values import MAX_STEP, MOST_METRICS, Unusable, check_name, number, step_number

SEGMENT_BYTES = 1024 * 1024
MOST_BYTES = 1024**3  # on disk, not yet sent: a job must not fill the disk that its checkpoints need
MOST_MEMORY_BYTES = 16 * 1024 * 1024
_RETRY_S = 1.0
_MOST_NAMES = 10_000  # a job whose names change with every call must not fill the memory with them
_FLOAT = frozenset({float})
_Names = tuple[Any, ...]


class Spool:
    """The writing end of a session. Any thread may call it, and waits for no more than the other threads' writes."""

    def __init__(self, session: Session, notices: Notices, *, most_bytes: int = MOST_BYTES) -> None:
        self._session = session
        self._notices = notices
        self._most_bytes = most_bytes
        self._lock = threading.RLock()  # a signal handler may log while this very thread does
        self._layouts: dict[_Names, records.Layout] = {}  # whose names stand in the segment that is written now
        self._numbered = 0  # layouts in this segment; a number is never given out twice in it
        self._checked: set[str] = set()
        self._file: Appended | None = None
        self._segment = 0
        self._room = 0  # bytes left in the segment
        self._memory = bytearray()  # a segment as well; in use while there is no file
        self._retry_at = 0.0
        self.lost = 0  # records

    def points(self, step: Any, metrics: Mapping[str, Any]) -> None:
        """Keep one call of log(). A bad value costs only itself, with a warning; a bad step costs the call.

        Raises Unusable when the step is bad.
        """
        with self._lock:
            names: _Names = tuple(metrics)
            values: Any = metrics.values()
            # Plain floats under names seen before, as nearly every call has: no closer look is needed.
            if type(step) is int and 0 <= step <= MAX_STEP and _FLOAT.issuperset(map(type, values)):
                layout = self._layouts.get(names)
            else:
                layout = None
            if layout is None:
                step = step_number(step)
                names, values = self._usable(metrics)
                if not names:
                    return
            elif self._room > 0 and self._put(records.points_record(layout, step, values)):
                return
            self._make_room()
            if not self._put(self._points_record(names, step, values)):
                self._put(self._points_record(names, step, values))  # in memory now, where the names are not known

    def update(self) -> None:
        """The facts of the run changed."""
        self._control(records.update_record())

    def action(self, name: str, said: Mapping[str, Any]) -> None:
        """The job did this. Raises ValueError or TypeError where it is no JSON."""
        self._control(records.action_record(name, said))

    def finish(self, state: str) -> None:
        """The run ended; nothing comes after this."""
        self._control(records.finish_record(state))
        with self._lock:
            self._retry_at = 0.0
            if self._memory:
                self._make_room()

    def memory_bytes(self) -> int:
        """How much waits in memory, to be lost with the process."""
        return len(self._memory)

    def take_memory(self, segment: int) -> bytes:
        """What waits in memory, which is not kept any longer; nothing when there is a segment after this one."""
        with self._lock:
            if self._file is not None or self._segment > segment:
                return b""
            taken = bytes(self._memory)
            self._memory = bytearray()
            self._begin_segment()
            return taken

    def abandon(self) -> None:
        """In a forked child: let go of the parent's file, whatever the parent's threads were doing to this object."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _control(self, record: bytes) -> None:
        with self._lock:
            self._make_room()
            if not self._put(record):
                self._put(record)

    def _usable(self, metrics: Mapping[Any, Any]) -> tuple[_Names, Sequence[float]]:
        """The names and values that can be kept; what cannot be is said once a name."""
        if len(metrics) > MOST_METRICS:
            raise Unusable(f"a call logs at most {MOST_METRICS} metrics, not {len(metrics)}")
        kept: dict[str, float] = {}
        for name, value in metrics.items():
            try:
                if name not in self._checked:
                    check_name(name)
                    self._checked.add(name)
                kept[name] = number(value)
            except Unusable as error:
                self._notices.once(f"value of {name!a:.300}", f"{name!a:.60} is left out where this is so: {error}")
        if len(self._checked) > _MOST_NAMES:
            self._checked.clear()
        return tuple(kept), list(kept.values())

    def _points_record(self, names: _Names, step: float, values: Sequence[float]) -> bytes:
        if (layout := self._layouts.get(names)) is not None:
            return records.points_record(layout, step, values)
        if len(self._layouts) >= _MOST_NAMES:
            self._layouts.clear()
        layout = self._layouts[names] = records.layout(self._numbered, names)
        self._numbered += 1
        return layout.names_record + records.points_record(layout, step, values)

    def _put(self, record: bytes) -> bool:
        """Write it to the open segment, else to memory. False when the disk just refused: memory is next."""
        if self._file is None:
            self._put_in_memory(record)
            return True
        try:
            self._file.append(record)
        except OSError as error:  # what part of it was written ends the segment: readers stop there
            self._close()
            self._refused(error)
            return False
        self._room -= len(record)
        return True

    def _put_in_memory(self, record: bytes) -> None:
        if len(self._memory) + len(record) <= MOST_MEMORY_BYTES:
            self._memory += record
            return
        self.lost += 1
        self._layouts.clear()  # the names may have been in it
        self._notices.once("memory", f"{MOST_MEMORY_BYTES} bytes wait in memory, and what is logged now is lost")

    def _make_room(self) -> None:
        """See to an open segment, and bring to it what waits in memory; or stay with memory while the disk refuses."""
        if self._room > 0 or (self._file is None and time.monotonic() < self._retry_at):
            return
        self._close()
        try:
            self._open()
        except OSError as error:
            self._refused(error)

    def _open(self) -> None:
        if self._session.folder is None:
            raise OSError(errno.EROFS, "the spool could not be made")
        stored = self._session.stored_bytes()
        if stored + len(self._memory) > self._most_bytes:
            raise OSError(errno.EDQUOT, f"{stored} bytes wait to be sent, of at most {self._most_bytes}")
        path = self._session.path(self._segment + 1)
        file = Appended(path)
        try:
            file.extend(self._memory)
        except OSError:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                path.unlink()
            raise
        self._file, self._segment, self._room = file, self._segment + 1, SEGMENT_BYTES - len(self._memory)
        if not self._memory:
            self._begin_segment()
        self._memory = bytearray()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._begin_segment()
        self._file, self._room = None, 0

    def _begin_segment(self) -> None:
        """The next record goes to where no names stand yet."""
        self._layouts.clear()
        self._numbered = 0

    def _refused(self, error: OSError) -> None:
        self._retry_at = time.monotonic() + _RETRY_S
        warn_of_disk(self._notices, self._session.folder, error)


def warn_of_disk(notices: Notices, place: Path | None, error: OSError) -> None:
    """Say once that nothing would outlive the process now."""
    notices.once(
        "disk",
        f"the spool {place or ''} cannot be written ({error}). Training goes on, and what is logged waits in memory "
        "until it is sent; it is lost if the process dies before that. CURVEWISE_SPOOL names another place",
    )
