"""Whom projects tell what happened to their runs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.storage.events import Kind
from app.storage.tables import deliveries, projects, webhooks

Template = Literal["standard", "slack", "discord"]


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """events: the kinds that it wants. disabled_at: when its receiver said that it wants no more."""

    id: int
    project_id: int
    url: str
    secret: str
    template: Template
    events: tuple[Kind, ...]
    created_at: datetime
    disabled_at: datetime | None


def add(
    connection: Connection, project_id: int, *, url: str, secret: str, template: Template, events: Sequence[Kind]
) -> Webhook:
    """Store a new one."""
    values = {
        "project_id": project_id,
        "url": url,
        "secret": secret,
        "template": template,
        "events": json.dumps(list(events)),
        "created_at": datetime.now(UTC),
    }
    return _webhook(connection.execute(insert(webhooks).values(values).returning(webhooks)).one())


def count(connection: Connection, project_id: int) -> int:
    """How many the project has."""
    return connection.execute(select(func.count()).where(webhooks.c.project_id == project_id)).scalar_one()


def of_projects(connection: Connection, project_ids: Iterable[int]) -> list[Webhook]:
    """All of these projects, in the order in which they were made."""
    query = select(webhooks).where(webhooks.c.project_id.in_(set(project_ids))).order_by(webhooks.c.id)
    return [_webhook(row) for row in connection.execute(query)]


def find(connection: Connection, project_id: int, webhook_id: int) -> Webhook | None:
    """The project's webhook of this id."""
    query = select(webhooks).where(webhooks.c.project_id == project_id, webhooks.c.id == webhook_id)
    row = connection.execute(query).one_or_none()
    return _webhook(row) if row else None


def find_addressed(connection: Connection, webhook_ids: Iterable[int]) -> dict[int, Webhook]:
    """Those of the webhooks that are still there, of projects that were not deleted."""
    query = select(webhooks).join(projects, projects.c.id == webhooks.c.project_id)
    query = query.where(webhooks.c.id.in_(set(webhook_ids)), projects.c.name.is_not(None))
    return {row.id: _webhook(row) for row in connection.execute(query)}


def remove(connection: Connection, webhook_id: int) -> None:
    """With all its deliveries."""
    connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


def disable(connection: Connection, webhook_id: int, now: datetime) -> None:
    """Its receiver wants no more: what waits for it is given up."""
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(disabled_at=now))
    waiting = (deliveries.c.webhook_id == webhook_id) & (deliveries.c.state == "waiting")
    given_up = {"state": "dead", "due_at": None, "error": "the receiver has answered 410: it wants no more"}
    connection.execute(update(deliveries).where(waiting).values(given_up))


def enable(connection: Connection, webhook_id: int) -> None:
    """Its receiver takes messages again."""
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(disabled_at=None))


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        project_id=row.project_id,
        url=row.url,
        secret=row.secret,
        template=cast("Template", row.template),
        events=tuple(cast("Sequence[Kind]", json.loads(row.events))),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
