"""Runs of a project found by what is known of them, without a look at any point.

A page is found in two steps: which runs, by narrow rows and indexes alone, then what is shown of those few.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, or_, select

from app.rules.context import RunState
from app.rules.verdict import Severity
from app.storage.standings import SEVERITY_RANK
from app.storage.tables import findings, runs, standings


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What app/listing.py made of a RunFilter. after: value of the sort column and name, of the last row before."""

    codes: Sequence[str] | None
    severity: Severity | None
    tags: Sequence[tuple[str, str]]
    text: str
    state: str | None
    since: datetime | None
    until: datetime | None
    sort: str
    descending: bool
    limit: int
    after: tuple[Any, str] | None


# A silence ends with the next word: not all that has been said since then has been looked at.
_STALLED = and_(standings.c.stalled_since.is_not(None), standings.c.revision == runs.c.revision)
_HERE = standings.c.run_id == runs.c.id
_SORTS: dict[str, ColumnElement[Any]] = {
    "name": runs.c.name,
    "created": runs.c.created_at,
    "updated": runs.c.updated_at,
    "severity": func.coalesce(standings.c.severity, 0),
    "through_step": func.coalesce(standings.c.through_step, literal(-1.0)),  # below every step: it has none
}


def find_ids(connection: Connection, project_id: int, wanted: Wanted) -> list[tuple[int, str, Any]]:
    """(id, name, value of the sort column) of a page of runs; one of equal value before the other by name."""
    key = _SORTS[wanted.sort]
    query = select(runs.c.id, runs.c.name, key.label("key")).where(runs.c.project_id == project_id)
    # Outer, because a run that is new has no standing yet.
    if wanted.sort in {"severity", "through_step"} or wanted.state in {"running", "stalled"} or wanted.severity:
        query = query.select_from(runs.join(standings, _HERE, isouter=True))
    query = query.where(*_conditions(wanted), *_tagged(connection, wanted.tags))
    if wanted.after is not None:
        value, name = wanted.after
        beyond = key < value if wanted.descending else key > value
        further = runs.c.name < name if wanted.descending else runs.c.name > name
        query = query.where(further if wanted.sort == "name" else or_(beyond, and_(key == value, further)))
    order = [runs.c.name] if wanted.sort == "name" else [key, runs.c.name]
    query = query.order_by(*(one.desc() if wanted.descending else one for one in order)).limit(wanted.limit)
    return [(row.id, row.name, row.key) for row in connection.execute(query)]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state == "stalled":
        conditions += [runs.c.state == "running", _STALLED]
    elif wanted.state == "running":
        conditions += [runs.c.state == "running", ~_STALLED]  # true also of a run without a standing
    elif wanted.state is not None:
        conditions.append(runs.c.state == wanted.state)
    if wanted.text:
        conditions.append(runs.c.name.icontains(wanted.text, autoescape=True))
    if wanted.since is not None:
        conditions.append(runs.c.updated_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.updated_at < wanted.until)
    if wanted.codes is not None:
        found = [findings.c.run_id == runs.c.id, findings.c.fired_at.is_not(None), findings.c.code.in_(wanted.codes)]
        least = SEVERITY_RANK[wanted.severity]
        found.append(findings.c.severity.in_([word for word, rank in SEVERITY_RANK.items() if word and rank >= least]))
        conditions.append(exists().where(*found))
    elif wanted.severity is not None:  # the worst one is in the standing
        conditions.append(standings.c.severity >= SEVERITY_RANK[wanted.severity])
    return conditions


def _tagged(connection: Connection, tags: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
    # In the text, since neither database reads all JSON that Python writes (Postgres refuses an escaped NUL). It is
    # written without spaces and in ASCII, so a pair stands there letter by letter after a brace or a comma, and quotes
    # within names and values are escaped. Only a name that begins with a colon, comma or brace may be taken for the end
    # of another. Not by LIKE, for which SQLite takes an A for an a.
    place = func.strpos if connection.dialect.name == "postgresql" else func.instr
    pairs = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in tags]
    return [or_(*(place(runs.c.tags, before + pair) > 0 for before in "{,")) for pair in pairs]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run without what its job said at length."""

    id: int
    name: str
    state: RunState
    revision: int
    attempt: int
    tags: Mapping[str, str]
    commit: str | None
    created_at: datetime
    updated_at: datetime


def load(connection: Connection, run_ids: Sequence[int]) -> list[Listed]:
    """These runs in this order, but for those that are gone."""
    columns = [runs.c[name] for name in Listed.__dataclass_fields__]
    there = {
        row.id: Listed(**{**row._mapping, "tags": json.loads(row.tags)})
        for row in connection.execute(select(*columns).where(runs.c.id.in_(run_ids)))
    }
    return [there[run_id] for run_id in run_ids if run_id in there]
