"""`curvewise search`: walk a search for hyper-parameters on this machine, look at it, and share it with Optuna."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from app.cli.backup import DatabaseUrl
from app.cli.console import say
from app.cli.search_display import Lines, display
from app.cli.search_optuna import optuna
from app.cli.search_service import Project, SearchName, Url, address, names, page, searches
from app.cli.search_words import next_lines, standing_lines, walked_lines
from app.errors import CurvewiseError, InvalidInput
from app.search.search import Goal
from app.search.space import Space
from app.tuning.command import Command, Identity
from app.tuning.folder import Folder
from app.tuning.plan import Plan
from app.tuning.searches import Searches
from app.tuning.space_file import read_search
from app.tuning.trial import Walked
from app.tuning.walk import Walk

app = typer.Typer(help="Search for hyper-parameters in seven steps.", no_args_is_help=True)
app.command("optuna")(optuna)

_PATIENCE_S = 30.0
_DELIVERY_S = 30.0
_INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="As the server's JSON, for programs.")]


@app.command()
def run(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND...",
            help="What trains one configuration. {lr} in it becomes the parameter's value, {seed:0} what the trial "
            "sets or else 0; {run}, {search_step}, {planned_steps:100} and so on. The environment has all of it, too.",
            show_default=False,
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON: the parameters that vary; needed the first time.", show_default=False),
    ] = None,
    project: Project = None,
    search: SearchName = "search",
    url: Url = None,
    database_url: DatabaseUrl = None,
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="Trials at once.")] = 1,
    most_runs: Annotated[
        int | None, typer.Option(min=1, help="How many runs the search may make in all.", show_default=False)
    ] = None,
    until_step: Annotated[int, typer.Option(min=1, max=7, help="The last of the seven steps to walk.")] = 7,
    seed: Annotated[int | None, typer.Option(min=0, help="What proposals are drawn from.", show_default="0")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What configurations are compared by.", show_default="val/loss")
    ] = None,
    goal: Annotated[Goal | None, typer.Option(help="Which way it is better.", show_default="min")] = None,
    steps_per_epoch: Annotated[
        float | None, typer.Option(min=0, help="How many of the job's steps make an epoch.", show_default=False)
    ] = None,
    num_classes: Annotated[int | None, typer.Option(min=2, help="Classes of the task.", show_default=False)] = None,
    early_stopping: Annotated[
        bool, typer.Option(help="Stop a trial whose forecast cannot reach the best any more.")
    ] = True,
    trial_timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds after which a trial is ended.", show_default="none")
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that a trial has to end once it was told to, before it is killed.")
    ] = 10.0,
    folder: Annotated[Path, typer.Option(help="Where what trials print is kept, in PROJECT/SEARCH/RUN.log.")] = Path(
        "curvewise-search"
    ),
) -> None:
    """Walk a search: ask what to run next, run it, and go on until the search says stop.

    The command is run once for each proposal, and is to log with the client: curvewise_client.trial() has the
    configuration, and curvewise_client.start() knows the run. Interrupted and run again, it goes on where it was.
    Exit code 0: the search came to its end. 1: it could not. 130: interrupted.
    """
    home, name = names(project, search)
    said = {} if space is None else read_search(space)
    given = {
        "most_runs": most_runs,
        "seed": seed,
        "metric": metric,
        "goal": goal,
        "steps_per_epoch": steps_per_epoch or None,
        "num_classes": num_classes,
    }
    said |= {key: value for key, value in given.items() if value is not None}
    plan = Plan(jobs, until_step, early_stopping, trial_timeout, grace)
    kept = Folder(folder / home / name)
    asked = Command(tuple(command or ()))
    asked.check_program()
    if "space" in said:
        asked.check(Space.parse(said["space"]).parameters)
    with ExitStack() as stack:
        stack.enter_context(kept.held())
        stop = stack.enter_context(_stopping())
        where, own = stack.enter_context(address(url, database_url, new=True))
        here = stack.enter_context(searches(where, home, name, stop=stop.event, note=say))
        about = _prepared(here, said, asked)
        say(f"look at {page(where, home, name)}{' while this runs' if own else ''}")
        walked = _walk(here, asked, Identity(where, home, name), kept, plan, about["metric"], stop)
        _tell(walked, here)
    if not walked.complete:
        raise typer.Exit(_INTERRUPTED if stop.event.is_set() else 1)


@app.command("next")
def what_next(
    project: Project = None,
    search: SearchName = "search",
    count: Annotated[int, typer.Option(min=1, max=100, help="The most runs to propose.")] = 8,
    as_json: Json = False,
    url: Url = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print which of the seven steps comes next, why, and the configurations to run for it."""
    with _reading(project, search, url, database_url) as here:
        print(json.dumps(here.said_next(count)) if as_json else "\n".join(next_lines(here.next(count))))


@app.command()
def status(
    project: Project = None,
    search: SearchName = "search",
    ranked: Annotated[int, typer.Option(min=1, max=2000, help="The most configurations to list.")] = 10,
    as_json: Json = False,
    url: Url = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print what the runs of a search say: the seven steps, how configurations stand, and what comes next."""
    with _reading(project, search, url, database_url) as here:
        standing = here.standing(ranked)
        print(json.dumps(standing.about) if as_json else "\n".join(standing_lines(standing)))


class _Stop:
    """event: set by the first Ctrl-C, SIGTERM or SIGHUP; `hurry` is called by the second."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.hurry: Callable[[], None] = lambda: None

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self.event.is_set():
            self.hurry()
        self.event.set()


@contextmanager
def _stopping() -> Iterator[_Stop]:
    stop = _Stop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _prepared(here: Searches, said: dict[str, Any], command: Command) -> dict[str, Any]:
    """Make the search or go on with the one that is there, and check the command against its parameters."""
    before = here.get()
    if before is None and "space" not in said:
        raise InvalidInput(
            f"project {here.project!r} has no search {here.search!r} yet: say what may vary (--space FILE)"
        )
    about = here.put(said) if said else before or {}
    command.check(about["space"])
    if before is not None:
        changed = sorted(key for key in said if key != "space" and before.get(key) != about.get(key))
        changed += ["space"] if before["space"] != about["space"] else []
        told = f"; changed: {', '.join(changed)}" if changed else ""
        say(f"going on with {before['runs']} runs{told}")
    return about


def _walk(
    here: Searches, command: Command, identity: Identity, folder: Folder, plan: Plan, metric: str, stop: _Stop
) -> Walked:
    with display(metric) as shown:
        walk = Walk(here, command, identity, folder, plan, shown, stop.event, lambda spool: _deliver(spool, shown))
        stop.hurry = walk.hurry
        return walk.run()


def _deliver(spool: Path, shown: Lines) -> None:
    """Send what a trial that died left unsent, with the client's own command where the client is installed."""
    if importlib.util.find_spec("curvewise_client") is None:
        shown.note(f"points wait in {spool}; send them with: curvewise-client sync {spool}")
        return
    sync = [sys.executable, "-m", "curvewise_client.cli", "sync", str(spool), "--timeout", "5"]
    try:
        subprocess.run(sync, env=os.environ, capture_output=True, timeout=_DELIVERY_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        shown.note(f"what a trial left in {spool} waits there: {error}")


def _tell(walked: Walked, here: Searches) -> None:
    try:
        print("\n".join(walked_lines(walked, here.standing())))
    except CurvewiseError as error:
        say(f"how the search stands could not be read: {error}")


@contextmanager
def _reading(project: str | None, search: str, url: str | None, database_url: str | None) -> Iterator[Searches]:
    home, name = names(project, search)
    with (
        address(url, database_url, new=False) as (where, _),
        searches(where, home, name, patience_s=_PATIENCE_S, note=say) as here,
    ):
        yield here
