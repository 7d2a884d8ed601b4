"""Who may do what: roles, and the projects that somebody may see. Knows no HTTP and no database."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may


@dataclass(frozen=True)
class Access:
    """What one token allows. projects: their names, None for all; one that is not named does not exist for it.

    token: the token's public id; None for whoever comes without one where none is needed.
    """

    role: Role
    projects: frozenset[str] | None = None
    token: str | None = None

    def may(self, role: Role) -> bool:
        """Whether it allows what this role allows."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, project: str) -> bool:
        """Whether the project of this name exists for it, if it exists at all."""
        return self.projects is None or project in self.projects


UNLIMITED = Access("admin")
NOTHING = Access("read", frozenset())

_PLACE = "curvewise.access"


def let_in(request: MutableMapping[str, Any], access: Access | None) -> None:
    """Put what is allowed where the request's handlers find it. request: an ASGI scope; None where all may come."""
    request[_PLACE] = access


def access_in(request: Mapping[str, Any]) -> Access:
    """What whoever asks may see and do; nothing of any project where a path is open to everybody."""
    access: Access | None = request[_PLACE]
    return access or NOTHING


def who_asked(request: Mapping[str, Any]) -> str | None:
    """The public id of the token that let the request in; None when none did."""
    access: Access | None = request.get(_PLACE)
    return access.token if access else None
