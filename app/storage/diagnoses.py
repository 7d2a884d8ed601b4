"""Diagnoses that are kept: of each run the one that was last told, and one that is proposed in its place."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.diagnosis import Diagnosis
from app.storage.runs import LIVE
from app.storage.tables import diagnoses, runs

_DIAGNOSIS = TypeAdapter(Diagnosis)


@dataclass(frozen=True)
class Kept:
    """version: changes whenever the diagnosis of the run can change."""

    version: str
    diagnosis: Diagnosis


def find(connection: Connection, run_ids: Sequence[int], *, proposed: bool = False) -> dict[int, Kept]:
    """Run -> what is kept of it, for those of which something is."""
    query = select(diagnoses.c.run_id, diagnoses.c.version, diagnoses.c.diagnosis).where(
        diagnoses.c.run_id.in_(run_ids), diagnoses.c.proposed == proposed
    )
    return {
        run_id: Kept(version, _DIAGNOSIS.validate_python(json.loads(written)))
        for run_id, version, written in connection.execute(query)
    }


def versions(connection: Connection, run_ids: Sequence[int], *, proposed: bool) -> dict[int, str]:
    """Run -> the version that is kept."""
    query = select(diagnoses.c.run_id, diagnoses.c.version).where(
        diagnoses.c.run_id.in_(run_ids), diagnoses.c.proposed == proposed
    )
    return {row.run_id: row.version for row in connection.execute(query)}


def keep(connection: Connection, found: Mapping[int, Kept], *, proposed: bool = False) -> None:
    """In place of what was kept before; of runs that are still there."""
    there = select(runs.c.id).where(runs.c.id.in_(found), LIVE).order_by(runs.c.id).with_for_update(key_share=True)
    rows = [
        {
            "run_id": run_id,
            "proposed": proposed,
            "version": found[run_id].version,
            # NaN and infinities are part of what Python reads back.
            "diagnosis": json.dumps(_DIAGNOSIS.dump_python(found[run_id].diagnosis, mode="python")),
        }
        for run_id in connection.execute(there).scalars()
    ]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        query = dialect.insert(diagnoses)
        written = {name: query.excluded[name] for name in ("version", "diagnosis")}
        connection.execute(query.on_conflict_do_update(index_elements=["run_id", "proposed"], set_=written), rows)


def accept(connection: Connection, run_ids: Iterable[int]) -> None:
    """What is proposed of these runs is from now on what was told."""
    ids = sorted(run_ids)
    other = diagnoses.alias()
    replaced = exists().where(other.c.run_id == diagnoses.c.run_id, other.c.proposed)
    here = diagnoses.c.run_id.in_(ids)
    connection.execute(delete(diagnoses).where(here, ~diagnoses.c.proposed, replaced))
    connection.execute(update(diagnoses).where(here, diagnoses.c.proposed).values(proposed=False))
