"""What the server has of a run, and what a spool still holds."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest


def described(server: httpx.Client, project: str, run: str = "r") -> dict[str, Any]:
    reply = server.get(f"/api/v1/projects/{project}/runs/{run}")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def known(context: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are known of a run."""
    return {name: fact for name, fact in context.items() if fact not in (None, [])}


def curves(server: httpx.Client, project: str, run: str = "r") -> dict[str, dict[float, Any]]:
    """Name -> step -> value."""
    reply = server.get(f"/api/v1/projects/{project}/runs/{run}/curves")
    assert reply.status_code == 200, reply.text
    return {
        name: dict(zip(curve["steps"], curve["values"], strict=True)) for name, curve in reply.json()["curves"].items()
    }


def left_in(spool: Path) -> list[Path]:
    """What a spool holds, in files."""
    return sorted(path for path in spool.rglob("*") if path.is_file())


def wait_until(holds: Callable[[], object], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            pytest.fail(f"not so within {within_s} s")
        time.sleep(0.05)
