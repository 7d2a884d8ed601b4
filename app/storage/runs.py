"""Projects and runs: what is known about them beside their points."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, Table, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.errors import InvalidInput
from app.rules.context import Context, RunState
from app.storage.tables import projects, runs

_CONTEXT = TypeAdapter(Context)

# Neither the run nor its project was deleted. For whoever comes by the run's id: by name nobody finds them.
LIVE = exists().where(projects.c.id == runs.c.project_id, projects.c.name.is_not(None))

UNFINISHED = "\x1f"  # in the name of a project that is being copied, see moving.py: no client can give such a name
# Neither deleted nor unfinished. For whoever goes through all projects: by name nobody finds the others.
WHOLE = projects.c.name.is_not(None) & ~projects.c.name.contains(UNFINISHED)


@dataclass(frozen=True, kw_only=True)
class StoredProject:
    """A project; `revision` grows with every change."""

    id: int
    name: str
    roles: Mapping[str, str]
    params: Mapping[str, Mapping[str, object]]
    roll_up_after_days: int  # 0: never
    public_status: bool  # its badge and metrics need no token
    revision: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run without its curves; `revision` grows with every change, points included."""

    id: int
    name: str
    context: Context
    config: Mapping[str, object]
    tags: Mapping[str, str]
    commit: str | None
    attempt: int
    revision: int
    created_at: datetime
    updated_at: datetime
    rolled_up_at: datetime | None
    search_id: int | None = None  # of which search it is a trial
    search_step: int | None = None  # of the seven, as the job said


def find_project(connection: Connection, name: str) -> StoredProject | None:
    """The project of this name."""
    row = connection.execute(select(projects).where(projects.c.name == name)).one_or_none()
    return _project(row) if row else None


def lock_project(connection: Connection, name: str) -> tuple[StoredProject, bool]:
    """The project of this name, made when there is none (then True), locked until the transaction ends."""
    values = {"name": name, "roles": "{}", "params": "{}", "revision": 1, "created_at": datetime.now(UTC)}
    row, created = _find_or_insert(connection, projects, values, select(projects).where(projects.c.name == name))
    return _project(row), created


def save_project(connection: Connection, project: StoredProject) -> None:
    """Write its settings and count the revision up."""
    connection.execute(
        update(projects)
        .where(projects.c.id == project.id)
        .values(
            roles=_dump(project.roles),
            params=_dump(project.params),
            roll_up_after_days=project.roll_up_after_days,
            public_status=project.public_status,
            revision=projects.c.revision + 1,
        )
    )


def list_projects(
    connection: Connection, *, limit: int, after: str | None, names: Collection[str] | None = None
) -> list[tuple[StoredProject, int]]:
    """Projects in name order after `after`, all or those of these names, each with how many runs it has."""
    count = select(func.count()).where(runs.c.project_id == projects.c.id).scalar_subquery()
    query = select(projects, count.label("runs")).where(WHOLE).order_by(projects.c.name).limit(limit)
    if after is not None:
        query = query.where(projects.c.name > after)
    if names is not None:
        query = query.where(projects.c.name.in_(names))
    return [(_project(row), row.runs) for row in connection.execute(query)]


def public_names(connection: Connection) -> list[str]:
    """Projects that show everybody how they are."""
    return list(connection.execute(select(projects.c.name).where(WHOLE, projects.c.public_status)).scalars())


def count_runs(connection: Connection, project_id: int) -> int:
    """How many runs the project has."""
    return connection.execute(select(func.count()).where(runs.c.project_id == project_id)).scalar_one()


def find_run(connection: Connection, project_id: int, name: str, *, lock: bool = False) -> StoredRun | None:
    """The run of this name; on request locked until the transaction ends."""
    query = _run_query(project_id).where(runs.c.name == name)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()
    return _run(row) if row else None


def lock_run(connection: Connection, project_id: int, name: str) -> tuple[StoredRun, bool]:
    """The run of this name, made when there is none (then True), locked until the transaction ends."""
    now = datetime.now(UTC)
    fresh = StoredRun(
        id=0,
        name=name,
        context=Context(),
        config={},
        tags={},
        commit=None,
        attempt=1,
        revision=1,
        created_at=now,
        updated_at=now,
        rolled_up_at=None,
    )
    values = {"project_id": project_id, "name": name, "revision": 1, "created_at": now, **_facts(fresh)}
    row, created = _find_or_insert(connection, runs, values, _run_query(project_id).where(runs.c.name == name))
    return _run(row), created


def save_run(connection: Connection, run: StoredRun) -> None:
    """Write everything that is known about the run and count the revision up."""
    connection.execute(update(runs).where(runs.c.id == run.id).values(revision=runs.c.revision + 1, **_facts(run)))


def list_runs(
    connection: Connection, project_id: int, *, limit: int, after: str | None, state: RunState | None = None
) -> list[StoredRun]:
    """Runs in name order after `after`, all or those in one state."""
    query = _run_query(project_id).order_by(runs.c.name).limit(limit)
    if after is not None:
        query = query.where(runs.c.name > after)
    if state is not None:
        query = query.where(runs.c.state == state)
    return [_run(row) for row in connection.execute(query)]


def find_runs(connection: Connection, project_id: int, names: Sequence[str]) -> list[StoredRun]:
    """The runs of these names that are there, in any order."""
    return [_run(row) for row in connection.execute(_run_query(project_id).where(runs.c.name.in_(names)))]


def with_ids(connection: Connection, project_id: int, ids: Sequence[int]) -> list[StoredRun]:
    """Those of the runs with these ids that the project has, in no order."""
    return [_run(row) for row in connection.execute(_run_query(project_id).where(runs.c.id.in_(ids)))]


def ids_after(connection: Connection, after: int, limit: int) -> list[int]:
    """Ids of runs of any project, in order, after this one."""
    query = select(runs.c.id).where(runs.c.id > after, LIVE).order_by(runs.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def find_by_id(connection: Connection, run_id: int) -> tuple[StoredProject, StoredRun] | None:
    """The run with its project, unless one of them was deleted or is being copied."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None or row.project_id is None:
        return None
    home = connection.execute(select(projects).where(projects.c.id == row.project_id, WHOLE)).one_or_none()
    return (_project(home), _run(row)) if home else None


def _run_query(project_id: int) -> Select[Any]:
    return select(runs).where(runs.c.project_id == project_id)


def _find_or_insert(
    connection: Connection, table: Table, values: Mapping[str, object], query: Select[Any]
) -> tuple[Row[Any], bool]:
    """The row of this unique name, locked; True when it had to be inserted."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    # Not FOR UPDATE, which whoever writes a row that refers to this one would wait for: a writer that opens an attempt
    # of a run that is waited for here would do so for ever.
    query = query.with_for_update(key_share=True)
    while True:
        created = connection.execute(insert).first() is not None
        # None: what had the name was deleted while its lock was waited for, so the name is free again.
        if (row := connection.execute(query).one_or_none()) is not None:
            return row, created


def _facts(run: StoredRun) -> dict[str, object]:
    context = _CONTEXT.dump_python(run.context)
    return {
        "state": context.pop("state"),
        "context": _dump(context),
        "config": _dump(run.config),
        "tags": _dump(run.tags),
        "commit": run.commit,
        "attempt": run.attempt,
        "search_id": run.search_id,
        "search_step": run.search_step,
        "updated_at": datetime.now(UTC),
    }


def _project(row: Row[Any]) -> StoredProject:
    return StoredProject(
        id=row.id,
        name=row.name,
        roles=json.loads(row.roles),
        params=json.loads(row.params),
        roll_up_after_days=row.roll_up_after_days,
        public_status=row.public_status,
        revision=row.revision,
        created_at=row.created_at,
    )


def _run(row: Row[Any]) -> StoredRun:
    return StoredRun(
        id=row.id,
        name=row.name,
        context=_CONTEXT.validate_python({**json.loads(row.context), "state": row.state}),
        config=json.loads(row.config),
        tags=json.loads(row.tags),
        commit=row.commit,
        attempt=row.attempt,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        rolled_up_at=row.rolled_up_at,
        search_id=row.search_id,
        search_step=row.search_step,
    )


def _dump(value: object) -> str:
    # ASCII escapes carry NUL and lone surrogates, which Postgres text does not; NaN is part of what Python reads back.
    try:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"this cannot be stored as JSON: {error}") from error
