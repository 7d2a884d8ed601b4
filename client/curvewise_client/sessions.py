"""A session is what one process says about one run; on disk it is a directory of its own in the spool.

    SPOOL / mnist-r1-1a2b3c4d /                    one run
        attempt.lock                               held while an attempt's number is decided
        20260131T090000.000000000-host-4711-5e6f / one session; names sort by when they began
            session.json                           project, run, server, and the facts that open the run
            00000001.points ...                    segments: what was logged and is not known to be stored
            sent                                   how far the server has acknowledged: segment and byte
            attempt                                the attempt's number, once it is decided
            lock                                   held by the process that writes it, or by the one that sends it

A session directory is removed when everything in it is stored.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from curvewise_client.locks import Lock

DAMAGED = ".damaged"
_SUFFIX = ".points"
_SENT = "%08d %016d\n"  # of one length, so that it is overwritten in one piece


class About(NamedTuple):
    """Whose points these are.

    facts: the body that opens the run. attempt: a number, `next` or `latest`. joins: the token of the session whose
    attempt this one shares, as a forked child shares its parent's.
    """

    project: str
    run: str
    url: str
    facts: dict[str, Any]
    attempt: int | str = "next"
    joins: str | None = None


class Position(NamedTuple):
    """Up to where in the spool: the number of a segment, and a byte in it."""

    segment: int = 0
    offset: int = 0


class Session:
    """One session. `folder` is None when the disk would not have it: then nothing outlives the process."""

    def __init__(self, about: About, folder: Path | None) -> None:
        self.about = about
        self.folder = folder
        self.home = None if folder is None else folder.parent
        self._lock = None if folder is None else Lock(folder / "lock")
        self._attempt: int | None = None
        self._token = self.name or os.urandom(16).hex()

    @property
    def token(self) -> str:
        """What the server knows the session by: no other has it, and it is the same however often it is sent."""
        return self._token

    @property
    def name(self) -> str:
        """Sorts by when the session began."""
        return "" if self.folder is None else self.folder.name

    def acquire(self) -> bool:
        """Hold the session; False when a living process holds it, or has removed it. Raises OSError."""
        if self._lock is None:
            return True
        try:
            return self._lock.acquire()
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            self._lock.release()

    def segments(self) -> list[int]:
        """The numbers of the segments that are there, in order."""
        if self.folder is None:
            return []
        try:
            return sorted(int(path.stem) for path in self.folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())
        except OSError:
            return []

    def stored_bytes(self) -> int:
        """How much the segments that are there hold."""
        stored = 0
        for number in self.segments():
            with suppress(OSError):  # removed in this moment
                stored += self.path(number).stat().st_size
        return stored

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        assert self.folder is not None  # noqa: S101 - only a session on disk has segments
        return self.folder / f"{segment:08d}{_SUFFIX}"

    def remove_before(self, segment: int) -> None:
        """Remove the segments before this one: they are stored."""
        for number in self.segments():
            if number < segment:
                with suppress(OSError):
                    self.path(number).unlink()

    def sent(self) -> Position:
        """How far the server has acknowledged."""
        try:
            segment, offset = self._file("sent").read_text().split()
            return Position(int(segment), int(offset))
        except (OSError, ValueError):
            return Position()

    def save_sent(self, position: Position) -> None:
        """Keep it, best as can be: without it the same points are sent again, which changes nothing."""
        with suppress(OSError):
            file = os.open(self._file("sent"), os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.write(file, (_SENT % position).encode())
            finally:
                os.close(file)

    def attempt(self) -> int | None:
        """The attempt's number, None when it is not decided."""
        if self._attempt is None:
            if isinstance(self.about.attempt, int):
                self._attempt = self.about.attempt
            else:
                with suppress(OSError, ValueError):
                    self._attempt = int(self._file("attempt").read_text())
        return self._attempt

    def save_attempt(self, number: int) -> None:
        """Decide the attempt's number; what the disk does not take, this process remembers."""
        self._attempt = number
        with suppress(OSError):
            _replace(self._file("attempt"), f"{number}\n")

    def save_about(self, about: About) -> None:
        """The facts changed. Raises OSError."""
        self.about = about
        if self.folder is not None:
            _replace(self._file("session.json"), json.dumps(about._asdict()))

    def remove(self) -> None:
        """Remove the directory, and the run's when it was the last; a damaged segment stays, to be looked at."""
        if self.folder is None or self.home is None:
            return
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.suffix != DAMAGED:
                    path.unlink()
            self.folder.rmdir()
            if [path.name for path in self.home.iterdir()] == ["attempt.lock"]:
                (self.home / "attempt.lock").unlink()
            self.home.rmdir()

    def _file(self, name: str) -> Path:
        if self.folder is None:
            raise FileNotFoundError(name)
        return self.folder / name


def create(spool: Path, about: About) -> Session:
    """A session of this process, held by it. Raises OSError when the disk will not have it."""
    began = time.time_ns()
    when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(began // 10**9))
    host = _plain(os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""))
    name = f"{when}.{began % 10**9:09d}-{host}-{os.getpid()}-{os.urandom(2).hex()}"
    folder = home_of(spool, about.project, about.run) / name
    folder.mkdir(parents=True)
    session = Session(about, folder)
    session.acquire()
    session.save_about(about)
    return session


def home_of(spool: Path, project: str, run: str) -> Path:
    """The directory of a run's sessions. Names may hold what file names may not, so a checksum tells runs apart."""
    checksum = crc32(json.dumps([project, run]).encode())
    return spool / f"{_plain(project)}-{_plain(run)}-{checksum:08x}"


def load(folder: Path) -> Session | None:
    """The session in a directory; None when there is none, or when it was cut off before it said whose it is."""
    try:
        said = json.loads((folder / "session.json").read_text())
        return Session(About(**{name: said[name] for name in About._fields}), folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def of_run(home: Path | None) -> list[Session]:
    """The sessions of a run in the order in which they began."""
    try:
        folders = sorted(home.iterdir()) if home is not None else []
    except OSError:
        return []
    return [session for folder in folders if (session := load(folder)) is not None]


def in_spool(spool: Path) -> list[Session]:
    """All sessions below a directory, run by run: the spool, the directory of a run, or of one session."""
    if (session := load(spool)) is not None:
        return [session]
    if found := of_run(spool):
        return found
    return [session for home in sorted(spool.iterdir()) if home.is_dir() for session in of_run(home)]


def check_attempt(attempt: object) -> int | str:
    """A number counted from 1, `next` or `latest`; None is `next`. Raises ValueError."""
    if attempt is None:
        return "next"
    if attempt in ("next", "latest") or (isinstance(attempt, int) and not isinstance(attempt, bool) and attempt >= 1):
        return attempt
    raise ValueError(f'an attempt is a number from 1 on, "next" or "latest", not {attempt!r}')


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:40].lstrip(".") or "_"


def _replace(path: Path, text: str) -> None:
    """All or nothing: a reader sees the file before or after."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.new")
    scratch.write_text(text)
    scratch.replace(path)
