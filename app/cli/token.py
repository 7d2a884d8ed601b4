"""`curvewise token`: who is let in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.access import ROLES, Role
from app.cli.console import say
from app.errors import InvalidInput
from app.reports.words import plain
from app.settings import settings_from
from app.storage.database import Database, make_engine
from app.storage.migrate import prepare
from app.tokens import Tokens

app = typer.Typer(help="Make, list and revoke the tokens that let jobs and people in.", no_args_is_help=True)

_DatabaseUrl = Annotated[
    str | None, typer.Option(help="The database; CURVEWISE_DATABASE_URL when not given.", show_default=False)
]
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LIFETIME = re.compile(r"(\d{1,6})([mhdw])")


@app.command()
def create(
    project: Annotated[
        list[str] | None,
        typer.Option(help="A project that it is for, which need not exist yet; may be repeated.", show_default=False),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            help="read: diagnoses, curves, pages; write: what a job does as well; admin: delete and configure."
        ),
    ] = "write",
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="For every project there is and will be.")
    ] = False,
    expires: Annotated[
        str | None, typer.Option(help="When nobody is let in by it any more: 90d, 12h, 30m, 4w.", show_default="never")
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for, shown in the list.", show_default=False)] = "",
    database_url: _DatabaseUrl = None,
) -> None:
    """Make a token and print it, this once: only a digest of it is kept."""
    if bool(project) == all_projects:
        raise InvalidInput("name the projects that the token is for (--project P), or give it --all-projects")
    with _tokens(database_url) as tokens:
        token, made = tokens.create(
            _role(role), None if all_projects else project, label=label, lifetime=_lifetime(expires)
        )
    print(token)
    say(f"token {made.id} has the role {role} in {_projects(made.projects)}; send it as: Authorization: Bearer TOKEN")


@app.command("list")
def list_tokens(database_url: _DatabaseUrl = None) -> None:
    """Every token by its id, never the token itself."""
    with _tokens(database_url) as tokens:
        found = tokens.listed()
    table = Table(box=HORIZONTALS, pad_edge=False, header_style="bold")
    for title in ("id", "role", "projects", "label", "made", "last used", "state"):
        table.add_column(title, overflow="fold")
    for one in found:
        used = f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never"
        if one.revoked_at:
            state = f"revoked {one.revoked_at:%Y-%m-%d}"
        else:
            state = f"until {one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else "valid"
        cells = (one.id, one.role, _projects(one.projects), one.label, f"{one.created_at:%Y-%m-%d}", used, state)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    Console().print(table)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, as the list shows it.", metavar="ID")],
    database_url: _DatabaseUrl = None,
) -> None:
    """Let nobody in by this token any more; servers know within two seconds."""
    with _tokens(database_url) as tokens:
        tokens.revoke(token_id)
    print(f"token {plain(token_id)} lets nobody in any more")


@contextmanager
def _tokens(database_url: str | None) -> Iterator[Tokens]:
    database = Database(make_engine(settings_from(database_url=database_url).database_url))
    try:
        prepare(database.engine)
        yield Tokens(database)
    finally:
        database.close()


def _role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise InvalidInput(f"--role is one of {', '.join(ROLES)}, not {role[:40]!a}")


def _lifetime(expires: str | None) -> timedelta | None:
    if expires is None:
        return None
    if (said := _LIFETIME.fullmatch(expires)) is None:
        raise InvalidInput(f"--expires is a number with m, h, d or w behind it, such as 90d, not {expires[:40]!a}")
    return timedelta(**{_UNITS[said[2]]: int(said[1])})


def _projects(projects: tuple[str, ...] | None) -> str:
    return "all projects" if projects is None else ", ".join(projects)
