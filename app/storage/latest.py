"""A project's latest runs: those that say how it stands today."""

import json
from collections.abc import Collection

from sqlalchemy import Connection, select

from app.storage.tables import runs

BRANCH = "branch"  # the tag that names the branch a run was trained from
MAIN = ("main", "master")
_LOOKED_AT = 200  # newest runs, among which those of a branch are looked for


def latest_runs(connection: Connection, project_id: int, branches: Collection[str] | None = None) -> list[int]:
    """Ids of the runs of the newest run's commit, or of that run alone where it names none.

    branches: only runs tagged with one of these. None: those of the main branch, or all where none is tagged so.
    """
    query = (
        select(runs.c.id, runs.c.tags, runs.c.commit)
        .where(runs.c.project_id == project_id)
        .order_by(runs.c.created_at.desc(), runs.c.name.desc())
        .limit(_LOOKED_AT)
    )
    found = [(row.id, json.loads(row.tags).get(BRANCH), row.commit) for row in connection.execute(query)]
    chosen = [one for one in found if one[1] in (MAIN if branches is None else branches)]
    if branches is None:
        chosen = chosen or found
    if not chosen:
        return []
    newest, _, commit = chosen[0]
    return [newest] if commit is None else [run_id for run_id, _, other in chosen if other == commit]
