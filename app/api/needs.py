"""What each path needs of who asks: one table, so that a new path is closed until it is placed here on purpose."""

import re
from dataclasses import dataclass
from typing import Literal

from app.access import Role

Audience = Literal["anybody", "members", "mlflow"]


@dataclass(frozen=True)
class Need:
    """audience: `anybody` needs no token; `mlflow` checks projects itself, since its paths do not name them.

    project: the name of the project that the path is about, None when it is about none in particular.
    everywhere: only who sees all projects.
    """

    audience: Audience
    role: Role = "read"
    project: str | None = None
    everywhere: bool = False


_ANYBODY = Need("anybody")
_READERS = Need("members")
_OPEN = re.compile(r"/healthz|/readyz|/openapi\.json|/docs(/.*)?|/api/v1/rules|/rules|/static/.*|/login|/logout")
_LISTS = re.compile(r"/|/api/v1/projects|/api/v1/diagnose|/metrics")
_OF_PROJECT = re.compile(r"/(?:api/v1/)?projects/([^/]+)(/.*)?", re.DOTALL)
_BADGE = re.compile(r"/badge/([^/]+)\.(?:svg|json)", re.DOTALL)
_WEBHOOKS = re.compile(r"/webhooks(/.*)?", re.DOTALL)
_MLFLOW = re.compile(r"/mlflow(/.*)?", re.DOTALL)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def need_of(method: str, path: str) -> Need:
    """What a request needs. path: decoded, as the router sees it."""
    if named := _OF_PROJECT.fullmatch(path):
        return Need("members", _role(method, named[2] or ""), named[1])
    if _OPEN.fullmatch(path):
        return _ANYBODY
    if _LISTS.fullmatch(path):
        return _READERS
    if named := _BADGE.fullmatch(path):
        return Need("members", "read", named[1])
    if _MLFLOW.fullmatch(path):
        reads = method in _READS or path.endswith("/search")
        return Need("mlflow", "read" if reads else "write")
    return Need("members", "admin", everywhere=True)


def _role(method: str, below: str) -> Role:
    if _WEBHOOKS.fullmatch(below):
        return "admin"  # their addresses are secrets of whoever receives them
    if method in _READS:
        return "read"
    # Settings of the project, and whatever deletes.
    return "admin" if method == "DELETE" or below in {"", "/"} else "write"
