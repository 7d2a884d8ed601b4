"""Searches: what each is about, and which runs are its trials."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, insert, select, update

from app.errors import InvalidInput
from app.storage.tables import runs, searches


@dataclass(frozen=True, kw_only=True)
class StoredSearch:
    """A search; `revision` grows with every change of what it is about. search: JSON, as it was written."""

    id: int
    name: str
    search: Mapping[str, Any]
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class TrialKey:
    """A run of a search, as far as it takes to see whether anything about it has changed."""

    id: int
    name: str
    revision: int


def find(connection: Connection, project_id: int, name: str) -> StoredSearch | None:
    """The project's search of this name."""
    query = select(searches).where(searches.c.project_id == project_id, searches.c.name == name)
    row = connection.execute(query).one_or_none()
    return _search(row) if row else None


def listed(connection: Connection, project_id: int, *, limit: int, after: str | None) -> list[StoredSearch]:
    """Searches in name order after `after`."""
    query = select(searches).where(searches.c.project_id == project_id).order_by(searches.c.name).limit(limit)
    if after is not None:
        query = query.where(searches.c.name > after)
    return [_search(row) for row in connection.execute(query)]


def counts(connection: Connection, project_id: int, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """By search: how many runs it has, and how many of them still run."""
    running = func.sum(case((runs.c.state == "running", 1), else_=0))
    query = select(runs.c.search_id, func.count(), running).where(
        runs.c.project_id == project_id, runs.c.search_id.in_(ids)
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(query.group_by(runs.c.search_id))}


def count(connection: Connection, project_id: int) -> int:
    """How many searches the project has."""
    return connection.execute(select(func.count()).where(searches.c.project_id == project_id)).scalar_one()


def names(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """What these searches are called."""
    query = select(searches.c.id, searches.c.name).where(searches.c.id.in_(set(ids)))
    return {row.id: row.name for row in connection.execute(query)}


def add(connection: Connection, project_id: int, name: str, search: Mapping[str, Any]) -> None:
    """Store a new one; whoever calls this has locked the project."""
    now = datetime.now(UTC)
    values = {"project_id": project_id, "name": name, "search": _dump(search)}
    connection.execute(insert(searches).values(**values, revision=1, created_at=now, updated_at=now))


def save(connection: Connection, search_id: int, search: Mapping[str, Any]) -> None:
    """What it is about from now on."""
    values = {"search": _dump(search), "revision": searches.c.revision + 1, "updated_at": datetime.now(UTC)}
    connection.execute(update(searches).where(searches.c.id == search_id).values(values))


def remove(connection: Connection, project_id: int, search_id: int) -> int:
    """How many runs it had; they stay, and are of no search."""
    ours = (runs.c.project_id == project_id) & (runs.c.search_id == search_id)
    # In the order in which whoever writes points locks them, so that neither waits for the other for ever.
    held = select(runs.c.id).where(ours).order_by(runs.c.id).with_for_update(key_share=True)
    freed = len(connection.execute(held).all())
    none = {"search_id": None, "search_step": None, "revision": runs.c.revision + 1}
    connection.execute(update(runs).where(ours).values(none))
    connection.execute(delete(searches).where(searches.c.id == search_id))
    return freed


def trials(connection: Connection, project_id: int, search_id: int, *, limit: int) -> list[TrialKey]:
    """The runs of a search, in the order in which they were opened."""
    ours = (runs.c.project_id == project_id) & (runs.c.search_id == search_id)
    query = select(runs.c.id, runs.c.name, runs.c.revision).where(ours).order_by(runs.c.id).limit(limit)
    return [TrialKey(id=row.id, name=row.name, revision=row.revision) for row in connection.execute(query)]


def _search(row: Row[Any]) -> StoredSearch:
    return StoredSearch(
        id=row.id,
        name=row.name,
        search=json.loads(row.search),
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _dump(search: Mapping[str, Any]) -> str:
    # ASCII escapes carry NUL and lone surrogates, which Postgres text does not.
    try:
        return json.dumps(search, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidInput(f"this search cannot be stored as JSON: {error}") from error
