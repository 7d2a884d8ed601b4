"""Files that one process at a time holds: the system lets go of them when the process dies, however it dies."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# A POSIX lock belongs to the process, not to the open file: opening a file twice in one process would lock nothing out,
# and closing either would let go. It is what a fork needs, though: a child does not hold what its parent holds.
_held: set[str] = set()


class Lock:
    """A lock on a file, held from `acquire` to `release` or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take it, without waiting; False when another process, or another part of this one, has it. Raises OSError."""
        if (name := os.fspath(self._path)) in _held:
            return False
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):  # both are how systems say that another process has it
            os.close(file)
            return False
        except OSError:  # the file system has no locks: better two senders, who repeat each other, than none
            pass
        self._file = file
        _held.add(name)
        return True

    def release(self) -> None:
        """Let go of it, if it is held."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
            _held.discard(os.fspath(self._path))


def forget_all() -> None:
    """In a child of a fork: what the parent holds is the parent's."""
    _held.clear()


def _lock(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
