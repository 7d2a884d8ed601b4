"""`curvewise check TARGET...`: may these runs pass? For pipelines, which read its exit code and its reports."""

import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from os import environ
from pathlib import Path
from typing import Annotated

import typer

from app.checks.check import Check, Outcome, check, worst
from app.checks.condition import DEFAULT, Condition, parse
from app.cli import baselines, outputs
from app.cli.backup import DatabaseUrl
from app.cli.console import say
from app.cli.facts import NumClasses, PlannedSteps, State, context_of
from app.cli.import_logs import PATIENCE_S, TOKEN
from app.cli.stored import Store, in_database, on_server
from app.cli.targets import Reading, Stored, Subject, relative, subjects
from app.errors import CurvewiseError, InvalidInput
from app.settings import settings_from

EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "investigate": 3}
ERROR = 2
URL = "CURVEWISE_URL"


def check_targets(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="PROJECT/RUN, PROJECT@COMMIT for all runs of a commit, or the path of a log or a folder of logs.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="Fail where val is worse than this beyond noise: main, release, KEY=VALUE (a tag), PROJECT/RUN, "
            "PROJECT@main and so on, a log, or what --format json wrote. May be repeated."
        ),
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="Findings that fail: RULE[:SEVERITY],... by name or code, or any; none for none.")
    ] = DEFAULT,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT[=FILE]",
            help=f"A report to write, to stdout without a file: {', '.join(outputs.FORMATS)}. May be repeated.",
        ),
    ] = None,
    location: Annotated[
        Path | None,
        typer.Option(help="The file that reports point at, such as the training script.", show_default=False),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What reports call this check, where a pipeline has several.")
    ] = "curvewise",
    url: Annotated[
        str | None, typer.Option(help=f"A running server; {URL} when not given.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
    num_classes: NumClasses = None,
    planned_steps: PlannedSteps = None,
    state: State = None,
) -> None:
    """Check runs or logs, and write reports of it for dashboards.

    Exit code 0: all pass. 1: one fails (a finding of --fail-on, a failed job, worse than a baseline beyond noise). 3:
    none fails, but a person should look (still running, nothing could be judged or compared, worse but within noise).
    2: the check itself could not be done.
    """
    try:
        wanted = [outputs.parse(each) for each in report or ()]
        conditions, title = parse(fail_on), outputs.check_title(name)
        with ExitStack() as stack:
            stored = Stored(lambda: stack.enter_context(_opened(url, database_url)))
            reading = Reading(
                stored,
                lambda run: context_of(run, num_classes, planned_steps, state),
                None if location is None else relative(location),
            )
            found = [
                (_checked(subject, baseline or (), stored, conditions), subject)
                for text in targets
                for subject in subjects(text, reading)
            ]
            outputs.write(found, wanted, title)
    except (CurvewiseError, OSError) as error:
        say(f"curvewise: {error}")
        raise typer.Exit(ERROR) from error
    except Exception as error:
        # Python would end with 1, which says that a run fails.
        traceback.print_exc()
        raise typer.Exit(ERROR) from error
    raise typer.Exit(EXIT_CODES[worst(checked for checked, _ in found)])


def _checked(subject: Subject, refs: Sequence[str], stored: Stored, conditions: Sequence[Condition]) -> Check:
    against = [baselines.find(ref, subject, stored) for ref in refs]
    return check(subject.target, subject.diagnosis, levels=subject.levels, baselines=against, conditions=conditions)


def _opened(url: str | None, database_url: str | None) -> AbstractContextManager[Store]:
    """What is said goes before the environment, and a server before a database."""
    if url is not None and database_url is not None:
        raise InvalidInput("give --url or --database-url, not both")
    if url is None and database_url is None:
        url = environ.get(URL)
    if url is not None:
        return on_server(url, environ.get(TOKEN), PATIENCE_S)
    return in_database(settings_from(database_url=database_url))
