"""The bounds on one input: a second of work, and so much memory."""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST_SECONDS = 1.0
MOST_GROWTH_BYTES = 256 * 2**20
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss [bytes]


class TooSlow(Exception):
    """One input took longer than a second."""


class TooMuchMemory(Exception):
    """One input made the process larger than anything before it did, and by more than is allowed."""


def bounded(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The check, which then raises TooSlow and TooMuchMemory as well.

    Time is what the process computed, all its threads together, so that a busy machine is not taken for slow code.
    """

    def checked(data: bytes) -> None:
        before, began = _peak_bytes(), time.process_time()
        check(data)
        took, grown = time.process_time() - began, _peak_bytes() - before
        # Memory first: much of it is also slow to get, on a machine that has little left.
        if grown > MOST_GROWTH_BYTES:
            raise TooMuchMemory(f"{len(data)} bytes took {grown / 2**20:.0f} MiB")
        if took > MOST_SECONDS:
            raise TooSlow(f"{len(data)} bytes took {took:.1f} s")

    return checked


def _peak_bytes() -> int:
    if _STATUS is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    status = os.pread(_STATUS, 4096, 0)
    return int(status.partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024


def _opened(path: Path) -> int | None:
    # Once: looking the file up again took as long as reading it, and a tenth of what fast targets take in all.
    return os.open(path, os.O_RDONLY) if path.exists() else None


# On Linux ru_maxrss begins with what the process that started this one had.
_STATUS = _opened(Path("/proc/self/status"))
