"""`curvewise demo`: really trained runs, streamed into a real server, diagnosed."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from app.cli.console import say
from app.demo.replay import PROJECT, RecordedRun, diagnoses, recorded_runs, stream
from app.demo.server import running_server
from app.reports import table


def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep the server up afterwards, until Ctrl-C.")] = False,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="2 streams twice as fast.")] = 1.0,
) -> None:
    """Stream a dozen recorded training runs into a fresh server, then print what it found in each."""
    signal.signal(signal.SIGTERM, _interrupt)
    runs = recorded_runs()
    try:
        with running_server() as address:
            say(f"a fresh Curvewise is at {address}; {len(runs)} runs are streamed into project {PROJECT!r}")
            with _progress(runs) as report:
                stream(address, runs, speed, report)
            Console().print(table.ManyRuns(diagnoses(address)))
            if serve:
                with suppress(KeyboardInterrupt):
                    say(f"still serving, for example {address}/api/v1/projects/{PROJECT}/diagnoses; Ctrl-C ends it")
                    threading.Event().wait()
    except KeyboardInterrupt:
        say("stopped before the end")
        sys.exit(130)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _progress(runs: Sequence[RecordedRun]) -> Iterator[Callable[[str, int, int], None]]:
    """A bar a run on a terminal; anywhere else a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress(runs)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[how]}"))
    with Progress(*columns, console=console) as progress:
        bars = {run.name: progress.add_task(run.name, how=run.how) for run in runs}
        yield lambda run, sent, posts: progress.update(bars[run], completed=sent, total=posts)


def _plain_progress(runs: Sequence[RecordedRun]) -> Callable[[str, int, int], None]:
    last = runs[-1].name

    def report(run: str, sent: int, posts: int) -> None:
        if run == last and sent * 4 % posts == 0:
            say(f"streamed {sent * 100 // posts} % of {len(runs)} runs")

    return report
