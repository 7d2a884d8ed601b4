"""`curvewise-client`: what a person does with a spool."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from curvewise_client.settings import settings_from
from curvewise_client.sync import Outcome, sync
from curvewise_client.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing waits any more, 1 when something does, 2 when the command was wrong."""
    given = _parser().parse_args(arguments)
    settings = settings_from(os.environ, spool=given.directory)
    url = given.url or os.environ.get("CURVEWISE_URL") or None
    found: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        found.append(outcome)
        print(_line(outcome), flush=True)

    try:
        complete = sync(settings.spool, url, settings.token, timeout_s=given.timeout, tell=tell)
    except (OSError, ValueError) as error:
        print(f"curvewise-client: {error}", file=sys.stderr)
        return 2
    if not found:
        print(f"nothing waits in {settings.spool}")
    return 0 if complete else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="curvewise-client", description="Send to Curvewise what training jobs left in their spool."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "sync",
        help="send what dead or disconnected jobs left",
        description="Send what dead or disconnected jobs left, and remove what is stored. Jobs that still run are left "
        "alone: they send their points themselves. CURVEWISE_TOKEN holds the token, where the server asks for one.",
    )
    command.add_argument(
        "directory",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="the spool, or the directory of a run or a session in it (default: CURVEWISE_SPOOL, else the usual spool)",
    )
    command.add_argument("--url", help="the server (default: CURVEWISE_URL, else the one that each job named)")
    command.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="how long to wait for the server (default: 30 seconds)"
    )
    return parser


def _line(outcome: Outcome) -> str:
    about = outcome.session.about
    run = f"{about.project}/{about.run}, attempt {outcome.session.attempt() or 'not known yet'}"
    if outcome.state == "running":
        return f"{run}: still running, left alone"
    if outcome.state == "waiting":
        return f"{run}: {outcome.points} points sent, the rest waits: {outcome.reason}"
    return f"{run}: {outcome.points} points sent"


if __name__ == "__main__":
    sys.exit(main())
