"""`curvewise import PATH`: logs of training jobs, or what `export` wrote, into a database or a server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.backup import DatabaseUrl
from app.cli.console import say
from app.cli.destination import Destination, in_database
from app.cli.facts import NumClasses, PlannedSteps, State, context_of
from app.cli.move import import_projects
from app.cli.pushing import push
from app.cli.reading import tell
from app.cli.server import Server
from app.errors import InvalidInput
from app.importers import mlflow_sqlite
from app.importers.imported import ImportedRun
from app.importers.runs import read_path
from app.limits import check_name
from app.rules.context import Context
from app.settings import settings_from

TOKEN = "CURVEWISE_TOKEN"  # noqa: S105 - the name of a variable
PATIENCE_S = 30.0  # with a server that cannot take points now

Url = Annotated[
    str | None,
    typer.Option("--url", help="A running server to send to, instead of the database.", show_default=False),
]


def import_path(
    path: Annotated[
        Path, typer.Argument(help="A log, a folder of logs, or a file of `export` or `backup`.", show_default=False)
    ],
    project: Annotated[
        list[str] | None,
        typer.Option(
            "--project", help="Of logs: the project they go to. Of an exported file: what to take; all when not given."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", help="Another name: of the one run read, or the one project.", show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
    url: Url = None,
    num_classes: NumClasses = None,
    planned_steps: PlannedSteps = None,
    state: State = None,
) -> None:
    """Import logs that training jobs left into a project, or projects that `export` wrote.

    What the path holds decides. Logs (everything that `diagnose` reads) become runs of --project, in the database or,
    with --url, on a running server; imported again, only what is new is stored. A file of `export` or `backup` is
    copied into the database, all of a project or, on any error, none of it. Servers may go on.
    """
    if _is_export(path):
        if url is not None:
            raise InvalidInput("an exported file goes into the database: give --database-url, not --url")
        import_projects(path, project, name, database_url)
        return
    if not path.exists():
        raise InvalidInput(f"there is no file {path}")
    if name is not None:
        check_name("run", name)
    if not project or len(project) != 1:
        raise InvalidInput(f"{path} is not a SQLite database of `export`: to import a log, say into which --project")
    check_name("project", project[0])
    if url is not None and database_url is not None:
        raise InvalidInput("give --url or --database-url, not both")
    logs = read_path(path)
    if name is not None and len(logs.runs) != 1:
        raise InvalidInput(f"--as names one run, and these are {len(logs.runs)}")
    tell(logs)
    with _destination(url, database_url) as destination:
        points = 0
        for named in logs.runs:
            context = context_of(named.run, num_classes, planned_steps, state)
            points += _import(destination, project[0], name or named.name, named.run, context)
    print(f"{len(logs.runs):,} runs are in project {project[0]}, {points:,} points of them new")


def _import(destination: Destination, project: str, name: str, run: ImportedRun, context: Context) -> int:
    pushed = push(destination, project, name, run, context)
    if pushed.anew:
        say(f"note: {name} was begun anew since it was imported: it is attempt {pushed.attempt} now")
    for refused in pushed.refused:
        say(f"refused: {name}: {refused}")
    if context.state != "running":
        destination.finish(project, name, context.state)
    return pushed.points


def _is_export(path: Path) -> bool:
    """Whether a file is a database of Curvewise. Raises UnreadableFile when it is one that cannot be read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(mlflow_sqlite.HEAD)) != mlflow_sqlite.HEAD:
            return False
    return "chunks" in mlflow_sqlite.tables(path)


@contextmanager
def _destination(url: str | None, database_url: str | None) -> Iterator[Destination]:
    if url is None:
        with in_database(settings_from(database_url=database_url)) as database:
            yield database
        return
    server = Server(url, os.environ.get(TOKEN), patience_s=PATIENCE_S)
    try:
        yield server
    finally:
        server.close()
