"""Which attempt a job was given when it asked for the next one: by a token of its own, once and for all.

Kept in the table of what else is kept of a run, under a kind of its own.
"""

import json

from sqlalchemy import ColumnElement, Connection, exists, insert, select

from app.storage.runs import StoredRun
from app.storage.tables import chunks, mlflow_assets

_KIND = "attempt"


def give(connection: Connection, run: StoredRun, token: str) -> tuple[int, bool]:
    """The attempt of this token, and whether it is given out now. run: locked by the caller, who opens the attempt.

    The first attempt is still free where nobody was given it and it has no points: a run may be opened before its job.
    """
    known = select(mlflow_assets.c.document).where(
        mlflow_assets.c.run_id == run.id, mlflow_assets.c.kind == _KIND, mlflow_assets.c.name == token
    )
    if (document := connection.execute(known).scalar_one_or_none()) is not None:
        return int(json.loads(document)), False
    unused = run.attempt == 1 and run.context.state == "running" and not _begun(connection, run.id)
    attempt = run.attempt if unused else run.attempt + 1
    said = {"run_id": run.id, "kind": _KIND, "name": token, "document": json.dumps(attempt)}
    connection.execute(insert(mlflow_assets).values(said))
    return attempt, True


def _begun(connection: Connection, run_id: int) -> bool:
    given = exists().where(mlflow_assets.c.run_id == run_id, mlflow_assets.c.kind == _KIND)
    logged: ColumnElement[bool] = exists().where(chunks.c.run_id == run_id)
    return bool(connection.execute(select(given | logged)).scalar_one())
