"""Experiments of MLflow: each is a project, and each project is one."""

import re
import time
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from app.access import UNLIMITED, Access
from app.errors import InvalidInput, NotAllowed, UnknownProject
from app.storage import mlflow, runs
from app.storage.database import Database
from app.storage.mlflow import ExperimentFacts
from app.tracking.names import DEFAULT, project_names

LONGEST_NAME = 500  # [characters], MLflow's own limit
_DEFAULT_ID = "0"
_LARGEST_TAGS = 1024 * 1024  # they are listed with it [characters]
_ID = re.compile(r"\d{1,18}")
_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A project as MLflow's clients see it; times in ms since 1970, None for the default one before its first run."""

    id: str
    name: str
    project: str
    artifact_location: str | None
    tags: Mapping[str, str]
    created_at: int | None
    updated_at: int | None
    deleted: bool


class Experiments:
    """Made once with the service's database; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._access = UNLIMITED

    def seen_by(self, access: Access) -> "Experiments":
        """The same for somebody to whom other projects do not exist."""
        view = copy(self)
        view._access = access
        return view

    def create(self, name: str, artifact_location: str | None, tags: Mapping[str, str]) -> tuple[Experiment, bool]:
        """The experiment, and whether it was created; one of this name may be there. Raises InvalidInput."""
        if not 1 <= len(name) <= LONGEST_NAME:
            raise InvalidInput(f"the experiment name has {len(name)} characters, and may have 1 to {LONGEST_NAME}")
        with self._database.writing() as connection:
            for project in project_names(name):
                if not self._access.sees(project):
                    raise NotAllowed(f"this token is not for a project {project!r}; it is for: {self._seen()}")
                home, created = runs.lock_project(connection, project)
                if created:
                    original = None if project == name else name
                    facts = ExperimentFacts(original, artifact_location, dict(tags), _now())
                    mlflow.save_experiment(connection, home.id, facts)
                    return _experiment(home, facts), True
                if (found := _known(connection, home)).name == name:
                    return found, False
        raise InvalidInput(f"there are projects named like the experiment {name!r} already; choose another name")

    def get(self, experiment_id: str) -> Experiment:
        """Raises UnknownProject, InvalidInput."""
        with self._database.reading() as connection:
            return find_experiment(connection, experiment_id, self._access)[0]

    def get_by_name(self, name: str) -> Experiment:
        """Raises UnknownProject."""
        with self._database.reading() as connection:
            for project in project_names(name):
                home = runs.find_project(connection, project) if self._access.sees(project) else None
                if home and (found := _known(connection, home)).name == name:
                    return found
        if name == DEFAULT and self._access.sees(DEFAULT):
            return _UNUSED
        raise UnknownProject(f"there is no experiment {name!r}")

    def listed(self) -> list[Experiment]:
        """All of them, the latest first."""
        found: list[Experiment] = []
        after, names = None, self._access.projects
        with self._database.reading() as connection:
            while page := runs.list_projects(connection, limit=_PAGE, after=after, names=names):
                facts = mlflow.experiment_facts(connection, [home.id for home, _ in page])
                found += [_experiment(home, facts[home.id]) for home, _ in page]
                after = page[-1][0].name
        if self._access.sees(DEFAULT) and not any(one.id == _DEFAULT_ID for one in found):
            found.append(_UNUSED)
        return sorted(found, key=lambda one: -(one.created_at or 0))

    def tag(self, experiment_id: str, key: str, value: str | None) -> None:
        """Set a tag, or take it away with None. Raises UnknownProject, InvalidInput."""
        with self._database.writing() as connection:
            home, facts = _lock(connection, experiment_id, self._access)
            kept = {k: v for k, v in {**facts.tags, key: value}.items() if v is not None}
            if sum(len(k) + len(v) for k, v in kept.items()) > _LARGEST_TAGS:
                raise InvalidInput(f"the tags of an experiment may have {_LARGEST_TAGS} characters together")
            mlflow.save_experiment(connection, home.id, replace(facts, tags=kept, updated_at=_now()))

    def _seen(self) -> str:
        return ", ".join(sorted(self._access.projects or ()))

    def mark(self, experiment_id: str, *, deleted: bool) -> None:
        """Out of MLflow's clients' sight, or back; the project stays. Raises UnknownProject, InvalidInput."""
        if experiment_id == _DEFAULT_ID and deleted:
            raise InvalidInput("the default experiment cannot be deleted")
        with self._database.writing() as connection:
            home, facts = _lock(connection, experiment_id, self._access)
            mlflow.save_experiment(connection, home.id, replace(facts, deleted=deleted, updated_at=_now()))


def find_experiment(
    connection: Connection, experiment_id: str, access: Access
) -> tuple[Experiment, runs.StoredProject | None]:
    """By id, with its project, None for the default one before its first run. Raises UnknownProject, InvalidInput."""
    if not _ID.fullmatch(experiment_id):
        raise InvalidInput(f"experiment_id: {experiment_id[:40]!a} is not the number of an experiment")
    name = DEFAULT if experiment_id == _DEFAULT_ID else mlflow.project_name(connection, int(experiment_id))
    # What may not be seen is looked up no further than what is not there, or the time would tell them apart.
    home = runs.find_project(connection, name) if name and access.sees(name) else None
    if home:
        return _known(connection, home), home
    if experiment_id == _DEFAULT_ID and access.sees(DEFAULT):
        return _UNUSED, None
    raise UnknownProject(f"there is no experiment with the id {experiment_id}")


def _lock(connection: Connection, experiment_id: str, access: Access) -> tuple[runs.StoredProject, ExperimentFacts]:
    found, _ = find_experiment(connection, experiment_id, access)
    home, _ = runs.lock_project(connection, found.project)
    return home, mlflow.experiment_facts(connection, [home.id])[home.id]


def _known(connection: Connection, home: runs.StoredProject) -> Experiment:
    return _experiment(home, mlflow.experiment_facts(connection, [home.id])[home.id])


def _experiment(home: runs.StoredProject, facts: ExperimentFacts) -> Experiment:
    # A copy of the project under another name is not found by the name that the first one has in MLflow.
    named = facts.name is not None and home.name in project_names(facts.name)
    created_at = int(home.created_at.timestamp() * 1000)
    return Experiment(
        id=_DEFAULT_ID if home.name == DEFAULT else str(home.id),
        name=facts.name if named and facts.name else home.name,
        project=home.name,
        artifact_location=facts.artifact_location,
        tags=facts.tags,
        created_at=created_at,
        updated_at=facts.updated_at or created_at,
        deleted=facts.deleted,
    )


def _now() -> int:
    return int(time.time() * 1000)


_UNUSED = Experiment(
    id=_DEFAULT_ID,
    name=DEFAULT,
    project=DEFAULT,
    artifact_location=None,
    tags={},
    created_at=None,
    updated_at=None,
    deleted=False,
)
