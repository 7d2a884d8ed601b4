"""`curvewise`: the commands, and the one place that turns errors into a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from app.cli.console import make_output_unbreakable, say
from app.errors import CurvewiseError, InvalidInput

_COMMANDS = {
    "serve": "serve.serve",
    "diagnose": "diagnose.diagnose",
    "check": "check.check_targets",
    "demo": "demo.demo",
    "migrate": "migrate.migrate",
    "backup": "backup.backup",
    "rules": "rules.rules",
    "schedule": "schedule.schedule",
    "rediagnose": "rediagnose.rediagnose",
    "export": "move.export_projects",
    "import": "import_logs.import_path",
    "watch": "watch.watch",
    "search": "search.app",
    "token": "token.app",
    "audit": "audit.audit",
}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"curvewise {version('curvewise')}")
        raise typer.Exit


def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Learning-curve diagnosis: named findings, the evidence for each, and what to do about it."""


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line. Only the command that is asked for is loaded: a server need not hold what reads logs."""
    app = typer.Typer(
        help="Learning-curve diagnosis: named findings, the evidence for each, and what to do about it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for name in arguments[:1] if arguments and arguments[0] in _COMMANDS else _COMMANDS:
        module, function = _COMMANDS[name].split(".")
        command = getattr(import_module(f"app.cli.{module}"), function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line. Exit code 0: done; 1: could not be done; 2: what was asked for or read cannot be meant.

    `check` has codes of its own.
    """
    make_output_unbreakable()
    try:
        make_app(sys.argv[1:])()
    except InvalidInput as error:
        say(f"curvewise: {error}")
        sys.exit(2)
    except CurvewiseError as error:
        say(f"curvewise: {error}")
        sys.exit(1)
    except BrokenPipeError:
        _abandon_stdout()  # the reader went away (`| head`): nobody is left to tell
        sys.exit(1)
    except OSError as error:
        _abandon_stdout()
        say(f"curvewise: {error}")
        sys.exit(1)


def _abandon_stdout() -> None:
    """What could not be written must not be tried again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
