"""Tokens: made once and shown once, kept as digests, looked up at every request.

A token is `cw_ID_SECRET`. The id is public: lists and logs name a token by it. Of the secret, 256 bits from the
system's generator, only the SHA-256 is stored; a slow hash would protect nothing where there is nothing to guess.
"""

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.access import ROLES, Access, Role
from app.errors import CurvewiseError, InvalidInput, UnknownToken
from app.limits import check_name, check_text
from app.recent import Recent
from app.storage import audit, tokens
from app.storage.database import Database
from app.storage.tokens import StoredToken

_log = logging.getLogger(__name__)

_PREFIX = "cw"
_SECRET_BYTES = 32
_ID_BYTES = 5
_LONGEST = 200  # [characters]; whatever is longer is no token
_RECENT = 10_000
_TRUSTED_S = 2.0  # a token that was revoked is refused after so long at the latest
_USED_EVERY_S = 60.0  # how often it is written down that a token was used
_NOBODY = hashlib.sha256(secrets.token_bytes(_SECRET_BYTES)).hexdigest()


@dataclass(frozen=True)
class _Known:
    stored: StoredToken | None  # None: there is no such token
    until: float  # [monotonic s]


class Tokens:
    """Made once with the database; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Recent[bytes, _Known] = Recent(_RECENT)

    def create(
        self,
        role: Role,
        projects: Sequence[str] | None,
        *,
        label: str = "",
        lifetime: timedelta | None = None,
        by: str = audit.COMMAND_LINE,
    ) -> tuple[str, StoredToken]:
        """The token, which nobody can be shown again, and what is kept of it.

        projects: by name, whether or not they exist yet; None for all. Raises InvalidInput.
        """
        if role not in ROLES:
            raise InvalidInput(f"the role {role!r} is none of {', '.join(ROLES)}")
        if projects is not None and not projects:
            raise InvalidInput("name a project that the token is for, or give it all")
        for project in projects or ():
            check_name("project", project)
        if label:
            check_text("label", label)
        if lifetime is not None and lifetime <= timedelta(0):
            raise InvalidInput("a token that expires in the past lets nobody in")
        now = datetime.now(UTC)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        made = StoredToken(
            id=secrets.token_hex(_ID_BYTES),
            digest=_digest(secret),
            role=role,
            projects=None if projects is None else tuple(sorted(set(projects))),
            label=label,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            last_used_at=None,
            revoked_at=None,
        )
        with self._database.writing() as connection:
            tokens.keep(connection, made)
            allowed = {"token": made.id, "role": role, "projects": made.projects}
            audit.note(connection, by, "create_token", detail=allowed)
        return f"{_PREFIX}_{made.id}_{secret}", made

    def listed(self) -> list[StoredToken]:
        """All of them, revoked ones too, the oldest first."""
        with self._database.reading() as connection:
            return tokens.all_of_them(connection)

    def any_valid(self) -> bool:
        """Whether anybody can be let in."""
        now = datetime.now(UTC)
        return any(_is_valid(token, now) for token in self.listed())

    def revoke(self, token_id: str, *, by: str = audit.COMMAND_LINE) -> None:
        """From `_TRUSTED_S` on nobody is let in by it. Raises UnknownToken."""
        with self._database.writing() as connection:
            if not tokens.revoke(connection, token_id, datetime.now(UTC)):
                raise UnknownToken(f"there is no token {token_id[:40]!a}; `curvewise token list` lists them")
            audit.note(connection, by, "revoke_token", detail={"token": token_id})

    def access(self, token: str) -> Access | None:
        """What a token allows; None when there is no such token, or no more. Raises StorageUnavailable."""
        parts = token.split("_", 2)
        if len(token) > _LONGEST or len(parts) != 3 or parts[0] != _PREFIX:
            return None
        _, token_id, secret = parts
        stored = self._find(token_id, token)
        # As much work whether or not there is such an id.
        right = hmac.compare_digest(_digest(secret), stored.digest if stored else _NOBODY)
        if stored is None or not right or not _is_valid(stored, datetime.now(UTC)):
            return None
        return access_of(stored)

    def session_key(self, token_id: str) -> bytes | None:
        """What signs the sessions of a token; None when it lets nobody in any more. Raises StorageUnavailable."""
        stored = self._find(token_id, token_id)
        if stored is None or not _is_valid(stored, datetime.now(UTC)):
            return None
        return f"session {stored.digest}".encode()

    def access_by_id(self, token_id: str) -> Access | None:
        """What the token of this id allows, for whoever has proved before that it is theirs."""
        stored = self._find(token_id, token_id)
        return access_of(stored) if stored and _is_valid(stored, datetime.now(UTC)) else None

    def _find(self, token_id: str, key: str) -> StoredToken | None:
        # By the digest of all that was sent: what is guessed must not push out what is used, nor lie in memory.
        remembered = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        known = self._known.get(remembered)
        if known is None or known.until < time.monotonic():
            with self._database.reading() as connection:
                stored = tokens.find(connection, token_id)
            known = _Known(stored, time.monotonic() + _TRUSTED_S)
            self._known.put(remembered, known)
        return known.stored

    def use_is_due(self, access: Access) -> bool:
        """Whether it is to be written down that the token was used: about once a minute. Then it no longer is."""
        key = f"used {access.token}".encode()
        known = self._known.get(key)
        if access.token is None or (known is not None and known.until >= time.monotonic()):
            return False
        self._known.put(key, _Known(None, time.monotonic() + _USED_EVERY_S))
        return True

    def note_use(self, access: Access) -> None:
        """Write down that a token was used now; nothing is lost where that cannot be."""
        try:
            with self._database.writing() as connection:
                tokens.mark_used(connection, access.token or "", datetime.now(UTC))
        except CurvewiseError as error:
            _log.warning("the use of token %s was not written down: %s", access.token, error)


def access_of(token: StoredToken) -> Access:
    """What it allows as long as it is valid."""
    return Access(token.role, None if token.projects is None else frozenset(token.projects), token.id)


def _is_valid(token: StoredToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
