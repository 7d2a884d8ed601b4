"""Stored runs, read back: from a server over its REST API, or straight from the database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Protocol

from pydantic import TypeAdapter

from app.cli.server import Server
from app.curves.curve import Curve, make_curve
from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.listing import RunFilter, find_runs
from app.nouns import Run
from app.rules.context import RunState
from app.service import Service, make_service
from app.settings import Settings
from app.storage.backup import file_of

_FIRST_PAGE, _PAGE = 20, 1000  # runs: a baseline is among the last, the runs of a commit may be anywhere
_DIAGNOSIS = TypeAdapter(Diagnosis)
_WHEN = TypeAdapter(datetime)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a stored run beside its points. curves: raw name -> role, None when it has none."""

    project: str
    run: str
    state: RunState
    commit: str | None
    tags: Mapping[str, str]
    created_at: datetime
    curves: Mapping[str, str | None]


class Store(Protocol):
    """What both can be asked. Every verb raises UnknownProject or UnknownRun, and where it cannot be read why."""

    def run(self, project: str, run: str) -> Facts:
        """One run."""

    def runs(self, project: str, tag: str | None) -> Iterator[Facts]:
        """A project's runs, the last opened first; all, or those with a tag `KEY=VALUE`."""

    def roles(self, project: str) -> Mapping[str, str]:
        """Raw curve name -> role, where the project says other than the names do."""

    def diagnosis(self, project: str, run: str) -> Diagnosis:
        """What the project's params make of it."""

    def curves(self, project: str, run: str, names: Sequence[str], max_points: int | None) -> Mapping[str, Curve]:
        """These curves by raw name, thinned for a drawing to `max_points` unless that is None."""


class OnServer:
    """Over HTTP, asked again while the server says that it cannot now."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def run(self, project: str, run: str) -> Facts:
        """Raises UnknownRun, ServerUnreachable, Refused; so do the others."""
        return _facts(self._server.read("projects", project, "runs", run))

    def runs(self, project: str, tag: str | None) -> Iterator[Facts]:
        """A page at a time, as far as they are looked at."""
        asked = {"sort": "created", "descending": "true"} | ({} if tag is None else {"tag": tag})
        for limit in _pages():
            page = self._server.read("projects", project, "runs", limit=limit, **asked)
            yield from map(_facts, page["items"])
            if page["next"] is None:
                return
            asked["after"] = page["next"]

    def roles(self, project: str) -> Mapping[str, str]:
        """As the project has them."""
        roles: Mapping[str, str] = self._server.read("projects", project)["roles"]
        return roles

    def diagnosis(self, project: str, run: str) -> Diagnosis:
        """As the server judged it, by its version's rules."""
        return _DIAGNOSIS.validate_python(self._server.read("projects", project, "runs", run, "diagnosis"))

    def curves(self, project: str, run: str, names: Sequence[str], max_points: int | None) -> Mapping[str, Curve]:
        """Nothing is asked where no name is given."""
        if not names:
            return {}
        few = {} if max_points is None else {"max_points": max_points}
        found = self._server.read("projects", project, "runs", run, "curves", name=names, **few)["curves"]
        return {
            name: make_curve(name, column["steps"], [float(value) for value in column["values"]])
            for name, column in found.items()
        }


class InDatabase:
    """In this process, as a server would; servers of the same database may go on."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def run(self, project: str, run: str) -> Facts:
        """Raises UnknownProject, UnknownRun, StorageUnavailable; so do the others."""
        return _told(self._service.get_run(project, run))

    def runs(self, project: str, tag: str | None) -> Iterator[Facts]:
        """A page at a time, as far as they are looked at."""
        key, _, value = (tag or "").partition("=")
        asked = RunFilter(tags=() if tag is None else [(key, value)], sort="created", descending=True)
        for limit in _pages():
            page = find_runs(self._service.database, project, replace(asked, limit=limit))
            yield from map(_told, self._service.get_runs(project, [row.run for row in page.rows]))
            if page.next is None:
                return
            asked = replace(asked, after=page.next)

    def roles(self, project: str) -> Mapping[str, str]:
        """As the project has them."""
        return self._service.get_project(project).roles

    def diagnosis(self, project: str, run: str) -> Diagnosis:
        """By this version's rules."""
        return self._service.diagnose(project, run)

    def curves(self, project: str, run: str, names: Sequence[str], max_points: int | None) -> Mapping[str, Curve]:
        """By raw name."""
        return self._service.read_curves(project, run, names=names, max_points=max_points)


@contextmanager
def on_server(url: str, token: str | None, patience_s: float) -> Iterator[Store]:
    """A store on a running server. Raises Refused when it is no http URL."""
    server = Server(url, token, patience_s=patience_s)
    try:
        yield OnServer(server)
    finally:
        server.close()


@contextmanager
def in_database(settings: Settings) -> Iterator[Store]:
    """The database of these settings, which is read and never changed. Raises InvalidInput, SchemaMismatch."""
    file = file_of(settings.database_url)
    if file is not None and not file.is_file():  # which connecting would make, empty
        raise InvalidInput(f"there is no database {file}: give --url or --database-url, or the path of a log")
    service = make_service(settings)
    try:
        service.check()
        yield InDatabase(service)
    finally:
        service.database.close()


def _pages() -> Iterator[int]:
    return chain([_FIRST_PAGE], repeat(_PAGE))


def _facts(run: Mapping[str, Any]) -> Facts:
    return Facts(
        project=run["project"],
        run=run["run"],
        state=run["context"]["state"],
        commit=run["commit"],
        tags=run["tags"],
        created_at=_WHEN.validate_python(run["created_at"]),
        curves={curve["name"]: curve["role"] for curve in run["curves"]},
    )


def _told(run: Run) -> Facts:
    return Facts(
        project=run.project,
        run=run.run,
        state=run.context.state,
        commit=run.commit,
        tags=run.tags,
        created_at=run.created_at,
        curves={curve.name: curve.role for curve in run.curves},
    )
