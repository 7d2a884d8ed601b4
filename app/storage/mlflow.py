"""What MLflow's clients know of runs and projects and nothing else here does: ids, facts, inputs, models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.storage.runs import WHOLE
from app.storage.tables import mlflow_assets, projects, runs


@dataclass(frozen=True)
class ExperimentFacts:
    """Of a project that is an experiment to MLflow. updated_at: ms since 1970. name: None when it is the project's."""

    name: str | None = None
    artifact_location: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    updated_at: int | None = None
    deleted: bool = False  # to MLflow's clients; here it is there until it is deleted here


@dataclass(frozen=True)
class RunFacts:
    """Of a run that MLflow's clients know by `id`; times in ms since 1970. status: in MLflow's words."""

    id: str
    user: str = ""
    status: str = "RUNNING"
    started_at: int | None = None
    ended_at: int | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Found:
    """Where a run is that was named by MLflow's id."""

    run_id: int
    project: str
    run: str
    facts: RunFacts


def find_run(connection: Connection, mlflow_id: str) -> Found | None:
    """The run that MLflow's clients know by this id. Where a project was copied, the one that was there first."""
    query = (
        select(runs.c.id, projects.c.name.label("project"), runs.c.name, runs.c.mlflow)
        .join_from(runs, projects, projects.c.id == runs.c.project_id)
        .where(runs.c.mlflow_id == mlflow_id, WHOLE)
        .order_by(runs.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Found(row.id, row.project, row.name, _run_facts(mlflow_id, row.mlflow)) if row else None


def run_facts(connection: Connection, project_id: int) -> dict[int, RunFacts]:
    """Run -> its facts, for the runs of a project that MLflow's clients know."""
    query = select(runs.c.id, runs.c.mlflow_id, runs.c.mlflow).where(
        runs.c.project_id == project_id, runs.c.mlflow_id.is_not(None)
    )
    return {row.id: _run_facts(row.mlflow_id, row.mlflow) for row in connection.execute(query)}


def save_run(connection: Connection, run_id: int, facts: RunFacts) -> None:
    """Write what is known of a run."""
    written = asdict(facts)
    named = {"mlflow_id": written.pop("id"), "mlflow": json.dumps(written)}
    connection.execute(update(runs).where(runs.c.id == run_id).values(named))


def experiment_facts(connection: Connection, project_ids: Sequence[int]) -> dict[int, ExperimentFacts]:
    """Project -> its facts, for each of these projects."""
    query = select(projects.c.id, projects.c.mlflow).where(projects.c.id.in_(project_ids))
    return {row.id: ExperimentFacts(**json.loads(row.mlflow or "{}")) for row in connection.execute(query)}


def save_experiment(connection: Connection, project_id: int, facts: ExperimentFacts) -> None:
    """Write what is known of an experiment."""
    written = json.dumps(asdict(facts))
    connection.execute(update(projects).where(projects.c.id == project_id).values(mlflow=written))


def project_name(connection: Connection, project_id: int) -> str | None:
    """The name of the project with this id."""
    query = select(projects.c.name).where(projects.c.id == project_id, WHOLE)
    return connection.execute(query).scalar_one_or_none()


def keep_asset(connection: Connection, run_id: int, kind: str, name: str, document: Mapping[str, Any]) -> None:
    """Write an input, an output or a model of a run, in place of the one of this name."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"run_id": run_id, "kind": kind, "name": name, "document": json.dumps(document)}
    query = dialect.insert(mlflow_assets).values(values)
    same = {"document": query.excluded["document"]}
    connection.execute(query.on_conflict_do_update(index_elements=["run_id", "kind", "name"], set_=same))


def assets(connection: Connection, run_ids: Sequence[int], kind: str) -> dict[int, dict[str, dict[str, Any]]]:
    """Run -> name -> document, for everything of this kind that these runs have."""
    query = (
        select(mlflow_assets.c.run_id, mlflow_assets.c.name, mlflow_assets.c.document)
        .where(mlflow_assets.c.run_id.in_(run_ids), mlflow_assets.c.kind == kind)
        .order_by(mlflow_assets.c.run_id, mlflow_assets.c.name)
    )
    found: dict[int, dict[str, dict[str, Any]]] = {run_id: {} for run_id in run_ids}
    for run_id, name, document in connection.execute(query):
        found[run_id][name] = json.loads(document)
    return found


def _run_facts(mlflow_id: str, written: str | None) -> RunFacts:
    return RunFacts(id=mlflow_id, **json.loads(written or "{}"))
