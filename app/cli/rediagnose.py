"""`curvewise rediagnose`: every stored run of a project judged again, after the rules or their params have changed."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app import archive
from app.archive import Changes
from app.cli.backup import DatabaseUrl
from app.errors import CurvewiseError, InvalidInput
from app.reports.words import plain
from app.settings import settings_from
from app.storage import migrate
from app.storage.database import Database, make_engine

_SHOWN = 20  # runs


def rediagnose(
    project: Annotated[str, typer.Option(help="Whose runs.", show_default=False)],
    scheduler: Annotated[
        str | None,
        typer.Option(help="A Dask scheduler, tcp://HOST:PORT; this process alone when not given.", show_default=False),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make what was found what is told.")] = False,
    all_runs: Annotated[bool, typer.Option("--runs", help=f"List every run that changes, not {_SHOWN}.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Judge every run of a project again and report what would change; change it only with --apply.

    Interrupted and run again, it goes on where it stopped.
    """
    url = settings_from(database_url=database_url).database_url
    database = Database(make_engine(url))
    try:
        migrate.check(database.engine)
        batches = list(archive.batches(database, project))
        _propose(url, project, batches, scheduler)
        changes = Changes()
        for names in batches:
            archive.compare(database, project, names, changes)
        _show(changes, None if all_runs else _SHOWN)
        if not apply:
            print("nothing was changed; --apply makes this what is told")
            return
        for names in batches:
            archive.accept(database, project, names)
        print(f"{changes.judged:,} diagnoses are now what is told")
    finally:
        database.close()


def _propose(url: str, project: str, batches: Sequence[Sequence[str]], scheduler: str | None) -> None:
    if scheduler is None:
        judged: Iterator[int] = (archive.propose(url, project, names) for names in batches)
    else:
        judged = _on_dask(url, project, batches, scheduler)
    console = Console(stderr=True)
    total = sum(map(len, batches))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("judging", total=len(batches))
        fresh = 0
        for count in judged:
            fresh += count
            bar.advance(task)
    print(f"{total:,} runs: {fresh:,} judged now, {total - fresh:,} before")


def _on_dask(url: str, project: str, batches: Sequence[Sequence[str]], scheduler: str) -> Iterator[int]:
    try:
        from distributed import Client, as_completed  # noqa: PLC0415 - an extra, and seconds to import
    except ImportError as error:
        raise InvalidInput("--scheduler needs Dask: pip install 'curvewise[dask]'") from error
    try:
        client = Client(scheduler, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CurvewiseError(f"no Dask scheduler answers at {scheduler}") from error
    with client:
        # Not pure: what a batch gives depends on the database, so Dask must not remember it.
        futures = [client.submit(archive.propose, url, project, list(names), pure=False) for names in batches]
        for _, count in as_completed(futures, with_results=True):  # type: ignore[no-untyped-call]
            yield count


def _show(changes: Changes, most: int | None) -> None:
    table = Table("rule", "appears", "goes", "other severity")
    for rule in sorted(changes.appears | changes.goes | changes.severity):
        table.add_row(rule, *(f"{each[rule]:,}" for each in (changes.appears, changes.goes, changes.severity)))
    if table.rows:
        Console().print(table)
    same = changes.judged - changes.untold - len(changes.runs)
    print(f"{len(changes.runs):,} runs change, {same:,} stay as they are, {changes.untold:,} had no diagnosis kept")
    for run, said in list(changes.runs.items())[:most]:
        sys.stdout.write(plain(f"  {run}: {'; '.join(said)}") + "\n")
    if most is not None and len(changes.runs) > most:
        print(f"  and {len(changes.runs) - most:,} more, see --runs")
