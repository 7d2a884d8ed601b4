"""One trial as a process: started in a group of its own, so that all of it can be ended, whatever it has started."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_TAIL_BYTES = 2000


class Child:
    """A command that runs, what it prints going to a file. For one thread."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        """Raises OSError where it cannot be started."""
        self._log = log
        self._kill_at: float | None = None
        with log.open("ab") as output:
            # In a session of its own: Ctrl-C goes to us alone, and we end it in order, with everything it started.
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            )
        self.began = time.monotonic()

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.began

    def poll(self) -> int | None:
        """Its exit code, negative for a signal, once it has ended; what it left running in its group ends as well."""
        if self._process.returncode is not None:
            return self._process.returncode
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._signal(signal.SIGKILL)
            return None
        # Not reaped yet, so its number is still its group's and nobody else's.
        self._signal(signal.SIGKILL)
        return self._process.wait()

    def stop(self, grace_s: float) -> None:
        """Ask it to end; a later `poll` kills it when it has not within `grace_s` [seconds]."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            kill_at = time.monotonic() + grace_s
            self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)

    def tail(self, lines: int = 5) -> list[str]:
        """The last lines that it printed."""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
            return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()][-lines:]
        return []

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: a group of which only a zombie is left
            os.killpg(self.pid, number)
