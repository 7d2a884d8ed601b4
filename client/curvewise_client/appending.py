"""Appends to a file without letting go of the interpreter.

os.write() lets Python's other threads run while the system takes the bytes, and has to win the interpreter back
afterwards: up to 5 ms where one of them has work to do, be it the client's own sender or one that loads the job's data.
To take a record costs the system a microsecond or two, so it is asked through ctypes, which can keep the interpreter.

A store into a mapped file would need no system call at all, and survive kill -9 just the same. But where the file was
truncated or its file system has failed, the store is a signal that ends the job, and Python cannot catch it; a write is
an error, and training goes on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

try:
    import ctypes
except ImportError:  # an interpreter may be built without it
    ctypes = None  # type: ignore[assignment]

_SLOW_S = 0.005  # what letting go may cost
_PATIENCE_S = 1.0
# Python opens files so that programs the job starts do not inherit them; O_BINARY is Windows'.
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _found() -> Callable[[int, bytes, int], int] | None:
    """The C library's write(), called with the interpreter kept; None where that cannot be had."""
    try:
        write = ctypes.PyDLL(None).write
        write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
        write.restype = ctypes.c_ssize_t
    except Exception:  # Windows names no library None; a hardened system or an audit hook may forbid it
        return None
    return write


_write = _found()


class Appended:
    """A new file that grows by whole records. Raises OSError when it cannot be made."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, _APPEND, 0o666)
        self._patient_until = 0.0

    def append(self, record: bytes) -> None:
        """All of it or an OSError, then with a part of it written: a disk that fills up takes what fits.

        A disk that was slow is written to by os.write() for a while: then the wait is this thread's alone.
        """
        written = -1
        if _write is not None and (began := monotonic()) >= self._patient_until:
            written = _write(self._file, record, len(record))
            if (now := monotonic()) - began > _SLOW_S:
                self._patient_until = now + _PATIENCE_S
        if written != len(record):
            # An error comes again, and now with its name.
            _check(written if written >= 0 else os.write(self._file, record), record)

    def extend(self, content: bytes | bytearray) -> None:
        """The same for much at once, which no other thread should have to wait for."""
        _check(os.write(self._file, content), content)

    def close(self) -> None:
        """Raises OSError, as some file systems tell only now what went wrong."""
        os.close(self._file)


def _check(written: int, content: bytes | bytearray) -> None:
    if written < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
