"""Tokens as they are kept: what they allow, and a digest of each one's secret."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.access import Role
from app.storage.tables import tokens


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    """projects: names, None for all. digest: SHA-256 of the secret, in hexadecimal."""

    id: str
    digest: str
    role: Role
    projects: tuple[str, ...] | None
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def keep(connection: Connection, token: StoredToken) -> None:
    """Keep a new token."""
    projects = None if token.projects is None else json.dumps(token.projects)
    connection.execute(insert(tokens).values({**asdict(token), "projects": projects}))


def find(connection: Connection, token_id: str) -> StoredToken | None:
    """The token of this id, whether or not it still lets anybody in."""
    row = connection.execute(select(tokens).where(tokens.c.id == token_id)).one_or_none()
    return _token(row) if row else None


def all_of_them(connection: Connection) -> list[StoredToken]:
    """Every token, the oldest first."""
    return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.created_at, tokens.c.id))]


def revoke(connection: Connection, token_id: str, at: datetime) -> bool:
    """Whether there is such a token; one that was revoked stays as it was."""
    connection.execute(
        update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return find(connection, token_id) is not None


def mark_used(connection: Connection, token_id: str, at: datetime) -> None:
    """Write down when it was last used."""
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=at))


def _token(row: Row[Any]) -> StoredToken:
    projects = None if row.projects is None else tuple(json.loads(row.projects))
    return StoredToken(**{**row._mapping, "projects": projects})
