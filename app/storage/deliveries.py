"""Messages to webhooks: made once, claimed by whichever process sends them, and what became of each.

A claim is a promise to be done soon: it moves the time at which the message is due into the future. Whoever dies with
it leaves it to be due again, so a message is sent at least once, and its id tells receivers that they have it already.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.storage.tables import deliveries, projects, webhooks

State = Literal["waiting", "delivered", "dead"]

_LOOKED_AT = 100  # messages that are due, of which each webhook's first is claimed
_ERASED_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is to be sent to a webhook. kind: of an event, or `ping`."""

    webhook_id: int
    run_id: int | None
    message_id: str
    kind: str
    body: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Delivery(Message):
    """A message and what became of it so far. attempts: begun since it was made or replayed."""

    id: int
    state: State
    attempts: int
    due_at: datetime | None
    tried_at: datetime | None
    status: int | None
    error: str | None


def add(connection: Connection, messages: Sequence[Message]) -> list[int]:
    """To be sent at once; their ids."""
    rows = [{**vars(message), "state": "waiting", "attempts": 0, "due_at": message.created_at} for message in messages]
    made = insert(deliveries).returning(deliveries.c.id, sort_by_parameter_order=True)
    return list(connection.execute(made, rows).scalars()) if rows else []


def any_due(connection: Connection, now: datetime) -> bool:
    """Whether a claim could find something: asked first, since a claim keeps SQLite's writers waiting."""
    return connection.execute(select(deliveries.c.id).where(deliveries.c.due_at <= now).limit(1)).first() is not None


def claim(
    connection: Connection, now: datetime, lease: timedelta, *, most: int, without: Collection[int] = ()
) -> list[Delivery]:
    """Messages that are due, at most one a webhook, so that a slow receiver delays nobody else's.

    Nobody else gets them before `lease` is over. without: webhooks of which none is wanted.
    """
    due = select(deliveries).join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
    due = due.join(projects, projects.c.id == webhooks.c.project_id)
    due = due.where(deliveries.c.due_at <= now, projects.c.name.is_not(None))
    if without:
        due = due.where(deliveries.c.webhook_id.not_in(without))
    due = due.order_by(deliveries.c.due_at, deliveries.c.id).limit(_LOOKED_AT)
    first: dict[int, Row[Any]] = {}
    for row in connection.execute(due.with_for_update(of=deliveries, skip_locked=True)):
        if len(first) < most:
            first.setdefault(row.webhook_id, row)
    if not first:
        return []
    taken = deliveries.c.id.in_([row.id for row in first.values()])
    begun = {"due_at": now + lease, "attempts": deliveries.c.attempts + 1, "tried_at": now}
    claimed = connection.execute(update(deliveries).where(taken).values(begun).returning(deliveries))
    return [_delivery(row) for row in claimed]


def settle(
    connection: Connection,
    claimed: Delivery,
    *,
    state: State,
    due_at: datetime | None,
    status: int | None,
    error: str | None,
) -> bool:
    """What became of an attempt; False when somebody has begun another meanwhile, whose word counts."""
    same = (deliveries.c.id == claimed.id) & (deliveries.c.attempts == claimed.attempts)
    same &= (deliveries.c.state == "waiting") & (deliveries.c.tried_at == claimed.tried_at)
    values = {"state": state, "due_at": due_at, "status": status, "error": error}
    return connection.execute(update(deliveries).where(same).values(values)).rowcount > 0


def replay(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Send it again, under the same id, as often as a new one is tried."""
    again = {"state": "waiting", "due_at": now, "attempts": 0}
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(again))


def find(connection: Connection, webhook_id: int, delivery_id: int) -> Delivery | None:
    """The webhook's delivery of this id."""
    query = select(deliveries).where(deliveries.c.webhook_id == webhook_id, deliveries.c.id == delivery_id)
    row = connection.execute(query).one_or_none()
    return _delivery(row) if row else None


def newest(
    connection: Connection, webhook_id: int, *, limit: int, before: int | None = None, state: State | None = None
) -> list[Delivery]:
    """A webhook's deliveries made before the one of this id, newest first."""
    query = select(deliveries).where(deliveries.c.webhook_id == webhook_id)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    return [_delivery(row) for row in connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit))]


def counts(connection: Connection) -> Mapping[str, int]:
    """State -> how many deliveries are in it."""
    query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def forget(connection: Connection, before: datetime) -> int:
    """Erase some of what was made before this moment and is not to be sent any more; how many."""
    old = select(deliveries.c.id).where(deliveries.c.created_at < before, deliveries.c.due_at.is_(None))
    ids = list(connection.execute(old.limit(_ERASED_AT_ONCE)).scalars())
    if ids:
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        run_id=row.run_id,
        message_id=row.message_id,
        kind=row.kind,
        body=row.body,
        state=cast("State", row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        tried_at=row.tried_at,
        status=row.status,
        error=row.error,
    )
