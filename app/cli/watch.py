"""`curvewise watch PATH`: logs that jobs are writing, posted to a server as they grow."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import say
from app.cli.facts import NumClasses, PlannedSteps, context_of
from app.cli.import_logs import TOKEN
from app.cli.pushing import Pushed, push
from app.cli.reading import mapping
from app.cli.server import Refused, Server
from app.errors import InvalidInput, UnknownRun, UnreadableFile
from app.importers import folders
from app.importers.folders import Source
from app.importers.imported import ImportedRun
from app.importers.runs import Namer, source_of
from app.limits import check_name
from app.rules.context import Context

_ONCE_S = 30.0
_GRACE_S = 5.0  # how long what was written last may take once we were told to stop
_SHARE = 0.1  # of the time is spent reading, at most: a log is read anew when it has grown

Signature = tuple[tuple[str, int, int, int], ...]


@dataclass
class _Seen:
    """One run that was found, and what the server has of it."""

    name: str
    pushed: Pushed | None = None
    finished: bool = False


@dataclass
class _Log:
    """One log, as it was when it was last read. whole: whether the server has all of it."""

    signature: Signature = ()
    runs: dict[str, _Seen] = field(default_factory=dict)
    whole: bool = True
    said: str = ""

    def say(self, text: str) -> None:
        """What is wrong with it, once as long as it does not change."""
        if text != self.said:
            say(text)
        self.said = text


class Watcher:
    """Reads what has changed below a path and pushes what is new of it; each poll may be the last."""

    def __init__(
        self, path: Path, project: str, server: Server, num_classes: int | None, planned: float | None
    ) -> None:
        self._path, self._project, self._server = path, project, server
        self._num_classes, self._planned = num_classes, planned
        self._logs: dict[str, _Log] = {}
        self._namer = Namer()

    def poll(self) -> bool:
        """Push what is new; whether the server has everything that could be read. Raises ServerUnreachable."""
        for key, source in self._sources():
            log = self._logs.setdefault(key, _Log())
            signature = _signature(source)
            if signature != log.signature:
                self._read(source, log)
                log.signature = signature
        return all(log.whole for log in self._logs.values())

    def _sources(self) -> Iterator[tuple[str, Source]]:
        found = folders.find(self._path) if self._path.is_dir() else [source_of(self._path)]
        for source in found:
            yield f"{source.files[0].parent}:{source.name}", source

    def _read(self, source: Source, log: _Log) -> None:
        try:
            runs = folders.read_source(source)
        except UnreadableFile as error:
            log.say(f"waiting: {error}")  # perhaps there is a header and no row yet
            return
        log.whole = True
        for place, run in enumerate(runs):
            key = run.name or str(place)
            if key not in log.runs:
                log.runs[key] = _Seen(self._namer.name(run.name or source.name))
                say(f"{log.runs[key].name}: {run.source}: {mapping(run)}")
            self._push(log, log.runs[key], run)

    def _push(self, log: _Log, seen: _Seen, run: ImportedRun) -> None:
        context = context_of(run, self._num_classes, self._planned, None, otherwise="running")
        try:
            try:
                self._tell(seen, push(self._server, self._project, seen.name, run, context, seen.pushed), context)
            except UnknownRun:  # deleted, or the server has another database by now: open it again
                seen.finished = False
                self._tell(seen, push(self._server, self._project, seen.name, run, context), context)
        except (Refused, UnknownRun) as error:
            seen.pushed, log.whole = None, False
            log.say(f"refused: {seen.name}: {error}")

    def _tell(self, seen: _Seen, pushed: Pushed, context: Context) -> None:
        """Say what is out of the ordinary, and close the run when its log says that it has ended."""
        seen.pushed = pushed
        if pushed.anew:
            say(f"{seen.name}: the log was begun anew: attempt {pushed.attempt}")
        for refused in pushed.refused:
            say(f"refused: {seen.name}: {refused}")
        if context.state == "running" or pushed.anew:
            seen.finished = False
        if context.state != "running" and not seen.finished:
            self._server.finish(self._project, seen.name, context.state)
            seen.finished = True
            say(f"{seen.name}: {context.state}")


def watch(
    path: Annotated[Path, typer.Argument(help="A folder in which jobs log, or one log.", show_default=False)],
    project: Annotated[str, typer.Option(help="The project that the runs go to.", show_default=False)],
    url: Annotated[
        str, typer.Option(envvar="CURVEWISE_URL", help="The server.", show_default="http://127.0.0.1:8000")
    ] = "http://127.0.0.1:8000",
    interval: Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between looks at the logs.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Send what is there now, and end.")] = False,
    num_classes: NumClasses = None,
    planned_steps: PlannedSteps = None,
) -> None:
    """Post logs to a running server as jobs write them, until Ctrl-C or SIGTERM.

    Reads what `diagnose` reads. Only what the server does not have is sent, so it may be stopped and started at any
    time, and the server too. A log that is begun anew becomes the run's next attempt. CURVEWISE_TOKEN is sent along.
    """
    check_name("project", project)
    if not path.exists():
        raise InvalidInput(f"there is no file or folder {path}")
    patience_s = _ONCE_S if once else math.inf
    with _stopped_by_signals() as stop:
        server = Server(url, os.environ.get(TOKEN), patience_s=patience_s, stop=stop, grace_s=_GRACE_S)
        try:
            if not once:
                say(f"watching {path}; Ctrl-C ends it")
            whole = _until(stop, Watcher(path, project, server, num_classes, planned_steps), interval, once=once)
        finally:
            server.close()
    if not whole:
        sys.exit(1)


def _until(stop: threading.Event, watcher: Watcher, interval: float, *, once: bool) -> bool:
    """Poll until stopped, and once more; whether everything was sent."""
    while True:
        last = once or stop.is_set()
        begun = time.monotonic()
        whole = watcher.poll()
        if last:
            return whole
        stop.wait(max(interval, (time.monotonic() - begun) * (1 / _SHARE - 1)))


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that what was written last is still sent."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda _number, _frame: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _signature(source: Source) -> Signature:
    """What changes when a log does: grown, cut, or another file in its place."""
    found = []
    for file in source.files:
        try:
            stat = file.stat()
        except OSError:  # moved away since it was found
            continue
        found.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
