"""What happened to runs: kept for whoever looks at the run, and handed on once to whoever is to be told."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, delete, insert, select, update

from app.storage.tables import events, projects, runs

Kind = Literal["finding_appeared", "finding_resolved", "run_finished", "run_failed", "run_stalled", "run_resumed"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """payload: of a finding its code, rule, severity, confidence, onset_step, summary; else what the kind needs."""

    kind: Kind
    created_at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredEvent(Event):
    """sequence: counts from 1 within the run. With run_id it names the event for ever."""

    run_id: int
    sequence: int
    project_id: int
    project: str
    run: str


def append(connection: Connection, run_id: int, after: int, happened: Sequence[Event]) -> int:
    """Store these events of a run, numbered from `after` on; the last number."""
    rows = [
        {
            "run_id": run_id,
            "sequence": sequence,
            "kind": event.kind,
            "created_at": event.created_at,
            "payload": json.dumps(event.payload),  # ASCII: what no text column holds is escaped
        }
        for sequence, event in enumerate(happened, after + 1)
    ]
    if rows:
        connection.execute(insert(events), rows)
    return after + len(rows)


def of_run(connection: Connection, run_id: int, *, after: int = 0, limit: int = 100) -> list[StoredEvent]:
    """What happened to one run after this sequence, in order."""
    later = _found([run_id]).where(events.c.run_id == run_id, events.c.sequence > after)
    query = later.order_by(events.c.sequence).limit(limit)
    return [_event(row) for row in connection.execute(query)]


def any_waiting(connection: Connection) -> bool:
    """Whether `take` could find something: asked first, since that one keeps SQLite's writers waiting."""
    return connection.execute(select(events.c.id).where(~events.c.handed_on).limit(1)).first() is not None


def take(connection: Connection, limit: int) -> list[StoredEvent]:
    """Events of any project that nobody took yet, oldest first; they are taken when the transaction is committed.

    So what the caller writes in the same transaction is written once for each event, whoever dies and however many
    processes take. Those of deleted runs are left out.
    """
    waiting = select(events.c.id, events.c.run_id).where(~events.c.handed_on).order_by(events.c.id).limit(limit)
    taken = connection.execute(waiting.with_for_update(skip_locked=True)).all()
    if not taken:
        return []
    ids = [row.id for row in taken]
    connection.execute(update(events).where(events.c.id.in_(ids)).values(handed_on=True))
    found = _found({row.run_id for row in taken}).where(events.c.id.in_(ids), projects.c.name.is_not(None))
    query = found.order_by(events.c.id)
    return [_event(row) for row in connection.execute(query)]


def forget(connection: Connection, before: datetime) -> int:
    """Erase what happened before this moment; how many events."""
    return connection.execute(delete(events).where(events.c.created_at < before)).rowcount


def _found(run_ids: Collection[int]) -> Any:
    named = (runs.c.name.label("run"), projects.c.name.label("project"), projects.c.id.label("project_id"))
    query = select(events, *named).join(runs, runs.c.id == events.c.run_id).join(projects)
    return query.where(runs.c.id.in_(run_ids))


def _event(row: Any) -> StoredEvent:
    return StoredEvent(
        kind=cast("Kind", row.kind),
        created_at=row.created_at,
        payload=json.loads(row.payload),
        run_id=row.run_id,
        sequence=row.sequence,
        project_id=row.project_id,
        project=row.project,
        run=row.run,
    )
