"""The audit trail: who deleted or changed what, written in the transaction that does it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import Connection, insert, select

from app.storage.tables import audit

Deed = Literal[
    "create_token",
    "revoke_token",
    "configure_project",
    "delete_project",
    "delete_run",
    "delete_search",
    "create_webhook",
    "delete_webhook",
    "delete_predictions",
]
DEEDS: tuple[Deed, ...] = get_args(Deed)
COMMAND_LINE = "command line"  # whoever reaches the database needs no token
ANYBODY = "anybody"  # on a server that asks for none


@dataclass(frozen=True, kw_only=True)
class Entry:
    """by: a token's id, COMMAND_LINE or ANYBODY."""

    at: datetime
    by: str
    did: Deed
    project: str | None
    run: str | None
    detail: Mapping[str, object]


def note(
    connection: Connection,
    by: str,
    did: Deed,
    *,
    project: str | None = None,
    run: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write an entry down."""
    values = {"at": datetime.now(UTC), "by": by, "did": did, "project": project, "run": run}
    connection.execute(insert(audit).values({**values, "detail": json.dumps(detail or {})}))


def latest(connection: Connection, *, limit: int, project: str | None = None) -> list[Entry]:
    """The latest entries, of everything or of one project, the latest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if project is not None:
        query = query.where(audit.c.project == project)
    return [
        Entry(at=row.at, by=row.by, did=row.did, project=row.project, run=row.run, detail=json.loads(row.detail))
        for row in connection.execute(query)
    ]
