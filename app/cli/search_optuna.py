"""`curvewise search optuna`: a search and an Optuna study kept in step, for workers on a cluster."""

from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer

from app.cli.backup import DatabaseUrl
from app.cli.console import say
from app.cli.search_service import Project, SearchName, Url, address, names, page, searches
from app.errors import InvalidInput
from app.tuning.searches import search_of

_PATIENCE_S = 30.0


def optuna(
    storage: Annotated[
        str,
        typer.Option(
            help="Optuna's storage: sqlite:///study.db, any database URL, or a journal file.", show_default=False
        ),
    ],
    study: Annotated[str, typer.Option(help="The study; made when there is none.", show_default=False)],
    project: Project = None,
    search: SearchName = "search",
    enqueue: Annotated[
        int,
        typer.Option(min=0, max=100, help="How many of the search's proposals to let wait in the study for workers."),
    ] = 0,
    read: Annotated[bool, typer.Option(help="Bring trials that have ended into the search.")] = True,
    export: Annotated[bool, typer.Option(help="Add runs that have ended to the study.")] = True,
    url: Url = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Keep a search and an Optuna study in step; run again, it shares only what is new.

    A trial's user attribute curvewise.run names the run to log to, curvewise.settings what else the job is to do. A
    worker that does not log with the client reports to Optuna, and what it reported becomes the run's curve.
    """
    bridge = _bridge()
    home, name = names(project, search)
    with (
        address(url, database_url, new=False) as (where, own),
        searches(where, home, name, patience_s=_PATIENCE_S, note=say) as here,
    ):
        about = search_of(here.standing(1).about)
        opened = bridge.open_study(storage, study, about)
        # A server of our own is gone in a moment, and its port with it.
        link = page("" if own else where, home, name).rsplit("/searches/", 1)[0] + "/runs/{run}"
        if read:
            _tell("read into the search", bridge.read(opened, here, about))
        if export:
            _tell("added to the study", bridge.export(opened, here, about, link))
        if enqueue:
            _tell("enqueued in the study", bridge.enqueue(opened, here, about, enqueue, link))


def _bridge() -> ModuleType:
    """Optuna is an extra, and takes a second to import."""
    try:
        found = import_module("app.tuning.study")
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise InvalidInput("this needs Optuna: pip install 'curvewise[search]'") from error
    found.optuna.logging.set_verbosity(found.optuna.logging.WARNING)
    return found


def _tell(what: str, shared: object) -> None:
    runs, left_out = shared.runs, shared.left_out  # type: ignore[attr-defined]
    shown = f": {', '.join(runs[:10])}{' ...' if len(runs) > 10 else ''}" if runs else ""
    print(f"{len(runs)} {what}{shown}")
    for reason in left_out:
        say(f"left out: {reason}")
