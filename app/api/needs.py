"""What each path needs of who asks: one table, so that a new path is closed until it is placed here on purpose."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.access import Role

Audience = Literal["anybody", "members", "mlflow"]


@dataclass(frozen=True)
class Need:
    """audience: `anybody` needs no token; `mlflow` checks projects itself, since its paths do not name them.

    project: the name of the project that the path is about, None when it is about none in particular.
    everywhere: only who sees all projects. opened_by_project: a project can show this to everybody.
    """

    audience: Audience
    role: Role = "read"
    project: str | None = None
    everywhere: bool = False
    opened_by_project: bool = False


_OPEN = re.compile(
    r"/healthz|/readyz|/openapi\.json|/docs(/.*)?|/api/v1/rules|/api/v1/schedules(/[^/]*)?|/rules(/CW\d+/shape)?"
    r"|/api/v1/advice/transfer|/static/.*|/login|/logout"
)
_LISTS = re.compile(r"/|/api/v1/projects|/api/v1/diagnose")
_METRICS = re.compile("/metrics")
_OF_PROJECT = re.compile(r"/(?:api/v1/)?projects/([^/]+)(/.*)?", re.DOTALL)
_BADGE = re.compile(r"/badge/([^/]+)\.(?:svg|json)", re.DOTALL)
_WEBHOOKS = re.compile(r"/webhooks(/.*)?", re.DOTALL)
_MLFLOW = re.compile(r"/mlflow(/.*)?", re.DOTALL)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def need_of(method: str, path: str) -> Need:
    """What a request needs. path: decoded, as the router sees it."""
    for pattern, need in _PLACES:
        if named := pattern.fullmatch(path):
            return need(method, path, named)
    return Need("members", "admin", everywhere=True)


def _of_project(method: str, _path: str, named: re.Match[str]) -> Need:
    return Need("members", _role(method, named[2] or ""), named[1])


def _of_badge(_method: str, _path: str, named: re.Match[str]) -> Need:
    return Need("members", "read", named[1], opened_by_project=True)


def _of_mlflow(method: str, path: str, _named: re.Match[str]) -> Need:
    return Need("mlflow", "read" if method in _READS or path.endswith("/search") else "write")


_PLACES: tuple[tuple[re.Pattern[str], Callable[[str, str, re.Match[str]], Need]], ...] = (
    (_OF_PROJECT, _of_project),
    (_OPEN, lambda *_: Need("anybody")),
    (_LISTS, lambda *_: Need("members")),
    (_BADGE, _of_badge),
    (_METRICS, lambda *_: Need("members", opened_by_project=True)),
    (_MLFLOW, _of_mlflow),
)


def _role(method: str, below: str) -> Role:
    if _WEBHOOKS.fullmatch(below):
        return "admin"  # their addresses are secrets of whoever receives them
    if method in _READS:
        return "read"
    # Settings of the project, and whatever deletes.
    return "admin" if method == "DELETE" or below in {"", "/"} else "write"
