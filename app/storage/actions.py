"""What jobs did about the findings on their runs.

Kept in the table of what else is kept of a run, under a kind of its own.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from app.storage import mlflow

_KIND = "action"


def keep(connection: Connection, run_id: int, name: str, action: Mapping[str, Any]) -> None:
    """Write it down, in place of what this name had. action: what JSON can hold."""
    mlflow.keep_asset(connection, run_id, _KIND, name, action)


def of_run(connection: Connection, run_id: int) -> dict[str, dict[str, Any]]:
    """Name -> action, in name order."""
    return mlflow.assets(connection, [run_id], _KIND)[run_id]
