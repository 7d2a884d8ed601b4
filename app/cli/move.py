"""`curvewise export` and `import`: projects from one database to another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.cli.backup import DatabaseUrl, Replace
from app.cli.console import refuse_existing
from app.errors import InvalidInput
from app.limits import check_name
from app.settings import settings_from
from app.storage import migrate, moving
from app.storage.backup import back_up, file_of, keep
from app.storage.database import Database, make_engine
from app.storage.moving import Copied

Projects = Annotated[list[str] | None, typer.Option("--project", help="May be given more than once; all when not.")]


def export_projects(
    file: Annotated[Path, typer.Argument(help="Where they go: a SQLite file.", show_default=False)],
    project: Projects = None,
    database_url: DatabaseUrl = None,
    replace: Replace = False,
) -> None:
    """Write projects with all their runs and points to a file, which `import` and `serve` read. Servers may go on."""
    url = settings_from(database_url=database_url).database_url
    refuse_existing(file, file_of(url), replace=replace)
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        with _opened(url) as source:
            migrate.check(source.engine)
            with _opened(f"sqlite:///{part}") as target:
                migrate.upgrade(target.engine)
                copied = _copy(source, target, project, None)
        keep(part, file)
    finally:
        for left in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)
    print(f"{_told(copied)} are in {file}")


def import_projects(
    file: Annotated[Path, typer.Argument(help="What `export` or `backup` wrote.", show_default=False)],
    project: Projects = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Another name for the one project.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Read projects from a file into the database, all of a project or, on any error, none of it. Servers may go on."""
    if not file.is_file():
        raise InvalidInput(f"there is no file {file}")
    if name is not None:
        check_name("project", name)
    with _opened(settings_from(database_url=database_url).database_url) as target:
        migrate.prepare(target.engine)
        with _current(file) as source:
            copied = _copy(source, target, project, name)
    print(f"{_told(copied)} were imported")


def _copy(source: Database, target: Database, wanted: Sequence[str] | None, new_name: str | None) -> Copied:
    copied = Copied()
    with source.reading() as connection:
        names = wanted or moving.project_names(connection)
        if new_name is not None and len(names) != 1:
            raise InvalidInput(f"--as names one project, and these are {len(names)}: choose one with --project")
        for name in names:
            with _progress(name) as noted:
                one = moving.copy_project(connection, target, name, new_name or name, noted)
            copied = Copied(copied.projects + 1, copied.runs + one.runs, copied.points + one.points)
    return copied


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(make_engine(url))
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _current(file: Path) -> Iterator[Database]:
    """The file's database with this version's schema; an older file is left as it is, and a copy of it migrated."""
    with _opened(f"sqlite:///{file.absolute()}") as found:
        if migrate.current(found.engine) == migrate.head():
            yield found
            return
    copy = file.with_name(f"{file.name}.migrated")
    try:
        back_up(file, copy)
        with _opened(f"sqlite:///{copy.absolute()}") as migrated:
            migrate.upgrade(migrated.engine)
            yield migrated
    finally:
        for left in (copy, *(copy.with_name(copy.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)


def _told(copied: Copied) -> str:
    return f"{copied.projects:,} projects with {copied.runs:,} runs and {copied.points:,} points"
