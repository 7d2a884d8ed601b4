"""The service that `curvewise search` asks: a running server, or one of its own over a database meanwhile."""

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.cli.import_logs import TOKEN
from app.cli.server import Server, ServerUnreachable
from app.demo.server import running_server
from app.errors import InvalidInput
from app.limits import check_name
from app.settings import settings_from
from app.storage.backup import file_of
from app.tuning.searches import Away, Searches

URL = "CURVEWISE_URL"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        "--server",
        help=f"A running server; {URL} when not given. Without either, one runs over the database meanwhile.",
        show_default=False,
    ),
]
Project = Annotated[str | None, typer.Option(help="The project.", show_default="the name of the working directory")]
SearchName = Annotated[str, typer.Option("--search", help="The search, by name.")]


class OnServer:
    """Asks a server once and at once."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def ask(self, method: str, path: Sequence[str], body: object = None, **query: Any) -> dict[str, Any]:
        """Raises Away, UnknownRun for anything that is not there, Refused."""
        try:
            return self._server.ask(method, path, body, **query)
        except ServerUnreachable as error:
            raise Away(str(error)) from error


@contextmanager
def address(url: str | None, database_url: str | None, *, new: bool) -> Iterator[tuple[str, bool]]:
    """Where the service is, and whether it is one of our own. new: the database may be made.

    Raises InvalidInput, ServerDied.
    """
    if url is not None and database_url is not None:
        raise InvalidInput("give --url or --database-url, not both")
    if url is None and database_url is None:
        url = os.environ.get(URL)
    if url is not None:
        yield url.rstrip("/"), False
        return
    database = settings_from(database_url=database_url).database_url
    file = file_of(database)
    if not new and file is not None and not file.is_file():
        raise InvalidInput(f"there is no database {file}: give --url or --database-url, or begin with `search run`")
    with running_server(database) as started:
        yield started, True


@contextmanager
def searches(
    url: str,
    project: str,
    search: str,
    *,
    patience_s: float = math.inf,
    stop: threading.Event | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[Searches]:
    """The search at a server. Raises Refused when it is no http URL."""
    server = Server(url, os.environ.get(TOKEN), patience_s=0.0)
    try:
        yield Searches(OnServer(server), project, search, patience_s=patience_s, stop=stop, note=note)
    finally:
        server.close()


def names(project: str | None, search: str) -> tuple[str, str]:
    """The project's name and the search's. Raises InvalidInput."""
    found = project or Path.cwd().name or "search"
    check_name("project", found)
    check_name("search", search)
    return found, search


def page(url: str, project: str, search: str) -> str:
    """Where a person looks at a search."""
    return f"{url}/projects/{quote(project, safe='')}/searches/{quote(search, safe='')}"
