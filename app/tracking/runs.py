"""Runs as MLflow's clients log them: their ids, params, tags, metrics and what became of them."""

import asyncio
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from app.access import UNLIMITED, Access
from app.errors import InvalidInput, LimitReached, NotFound, UnknownRun
from app.nouns import RunUpdate
from app.recent import Recent
from app.rules.caveats import Lie
from app.rules.context import RunState
from app.service import Service, updated
from app.storage import histories, mlflow, runs
from app.storage.histories import History, Latest
from app.storage.mlflow import Found, RunFacts
from app.tracking.experiments import Experiment, find_experiment
from app.tracking.names import RUN_ID, RUN_NAME, run_names

STATES: Mapping[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "failed",
}
_STATUSES = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}
_CONTEXT_TAGS: Mapping[str, Callable[[str], object]] = {
    "curvewise.num_classes": int,
    "curvewise.planned_steps": float,
    "curvewise.attempt": int,
    "curvewise.target_variance": float,
    "curvewise.dataset_size": int,
    "curvewise.class_priors": lambda said: tuple(float(prior) for prior in said.split(",")),
    "curvewise.pretrained": str,
}
_MEANT = {"curvewise.class_priors": "numbers with commas between them"}
_CAVEATS, _AUTOLOGGED = "curvewise.caveats", "mlflow.autologging"
_KERAS = Lie.INTERVAL_MEAN.said("train metrics are means over each epoch, taken while the weights changed (Keras)")
_OF_FRAMEWORKS = {"keras": _KERAS, "tensorflow": _KERAS}
_ID = re.compile("[0-9a-f]{32}")
_RECENT_RUNS = 10_000
_RUNS_AT_ONCE = 1000
_LARGEST_FACTS = 1024 * 1024  # what is said about a run is listed with it, so it stays small [characters]


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as MLflow's clients see it."""

    experiment: Experiment
    run: runs.StoredRun
    facts: RunFacts

    @property
    def name(self) -> str:
        """As the job named it last; as it is called here when it never did."""
        return self.run.tags.get(RUN_NAME) or self.run.name

    @property
    def status(self) -> str:
        """In MLflow's words; what is known here goes first, where others may have closed the run."""
        state = self.run.context.state
        return self.facts.status if STATES[self.facts.status] == state else _STATUSES[state]

    @property
    def tags(self) -> Mapping[str, str]:
        """The job's own, and where the run's diagnosis is found."""
        return {**self.run.tags, "curvewise.project": self.experiment.project, "curvewise.run": self.run.name}

    @property
    def params(self) -> Mapping[str, str]:
        """All of them as text, which is what MLflow has."""
        return {key: _text(value) for key, value in self.run.config.items()}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A run of which no more has been read than a search may need to pass it over."""

    experiment: Experiment
    project_id: int
    run_id: int
    facts: RunFacts


class TrackedRuns:
    """Made once with the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._arrivals = histories.Arrivals()  # used on the event loop only
        self._places: Recent[str, tuple[str, str]] = Recent(_RECENT_RUNS)
        self._access = UNLIMITED

    def seen_by(self, access: Access) -> "TrackedRuns":
        """The same for somebody to whom the runs of other projects do not exist."""
        view = copy(self)
        view._access = access
        return view

    def open(
        self, experiment_id: str, name: str | None, user: str, started_at: int | None, tags: Mapping[str, str]
    ) -> TrackedRun:
        """A new run. Raises UnknownProject, InvalidInput."""
        name = name or tags.get(RUN_NAME)
        facts = RunFacts(id=uuid4().hex, user=user, started_at=started_at)
        with self._database.writing() as connection:
            experiment, _ = find_experiment(connection, experiment_id, self._access)
            if experiment.deleted:
                raise InvalidInput(f"the experiment {experiment.name!r} is deleted; restore it first")
            home, _ = runs.lock_project(connection, experiment.project)
            for called in run_names(name, facts.id):
                run, created = runs.lock_run(connection, home.id, called)
                if created:
                    self._service.check_room(connection, home)
                    break
            else:
                raise InvalidInput(f"there are runs named like {name!r} already; choose another name")
            known = {**tags, RUN_NAME: name or run.name, RUN_ID: facts.id}
            _save(connection, updated(run, RunUpdate(tags=known, **_context(tags, known))))
            mlflow.save_run(connection, run.id, facts)
        return self.get(facts.id)

    def get(self, mlflow_id: str) -> TrackedRun:
        """Raises UnknownRun."""
        with self._database.reading() as connection:
            found = self._find(connection, mlflow_id)
            home = runs.find_project(connection, found.project)
            run = runs.find_run(connection, home.id, found.run) if home else None
            if home is None or run is None:
                raise UnknownRun(f"there is no run with the id {mlflow_id}")
            experiment, _ = find_experiment(connection, str(home.id), self._access)
            return TrackedRun(experiment=experiment, run=run, facts=found.facts)

    def candidates(self, experiment_ids: Sequence[str]) -> list[Candidate]:
        """All runs of these experiments that were logged by MLflow's clients. Raises UnknownProject, InvalidInput."""
        listed = []
        with self._database.reading() as connection:
            for experiment_id in dict.fromkeys(experiment_ids):
                experiment, home = find_experiment(connection, experiment_id, self._access)
                if home is not None:
                    known = mlflow.run_facts(connection, home.id)
                    listed += [
                        Candidate(experiment=experiment, project_id=home.id, run_id=run_id, facts=facts)
                        for run_id, facts in known.items()
                    ]
        return listed

    def load(self, found: Sequence[Candidate]) -> list[TrackedRun]:
        """The runs with all that was said of them, in the same order; without those deleted meanwhile."""
        loaded: dict[int, runs.StoredRun] = {}
        with self._database.reading() as connection:
            for project_id in {one.project_id for one in found}:
                ids = [one.run_id for one in found if one.project_id == project_id]
                for begin in range(0, len(ids), _RUNS_AT_ONCE):
                    page = runs.with_ids(connection, project_id, ids[begin : begin + _RUNS_AT_ONCE])
                    loaded |= {run.id: run for run in page}
        return [
            TrackedRun(experiment=one.experiment, run=loaded[one.run_id], facts=one.facts)
            for one in found
            if one.run_id in loaded
        ]

    def latest(self, found: Sequence[TrackedRun]) -> Mapping[int, Mapping[str, Latest]]:
        """Run -> metric -> its latest value."""
        known: dict[int, Mapping[str, Latest]] = {}
        with self._database.reading() as connection:
            for ids in _pages(found):
                known |= histories.latest(connection, ids)
        return known

    def history(self, mlflow_id: str, key: str) -> History:
        """Every value of a metric. Raises UnknownRun."""
        with self._database.reading() as connection:
            return histories.read(connection, self._find(connection, mlflow_id).run_id, key)

    async def record(self, mlflow_id: str, metrics: Mapping[str, History]) -> None:
        """Return once every value is on disk. Raises UnknownRun, InvalidInput, Unavailable."""
        arrivals = self._arrivals.take(max((len(said) for said in metrics.values()), default=0))
        points = [
            part for key, said in metrics.items() for part in histories.points_of(key, said, arrivals[: len(said)])
        ]
        known = self._places.get(mlflow_id)
        if known is not None and self._access.sees(known[0]):
            try:
                return _all_taken(await self._service.record(*known, points, None))
            except NotFound:
                pass  # deleted, and perhaps another has the id now
        found = await asyncio.to_thread(self._place, mlflow_id)
        self._places.put(mlflow_id, found)
        return _all_taken(await self._service.record(*found, points, None))

    def update(self, mlflow_id: str, status: str | None, ended_at: int | None, name: str | None) -> TrackedRun:
        """What became of a run, and what it is called. Raises UnknownRun, InvalidInput."""
        if status is not None and status not in STATES:
            raise InvalidInput(f"status: {status[:40]!a} is none of {', '.join(STATES)}")
        with self._changing(mlflow_id) as (connection, run, facts):
            changed = replace(facts, status=status or facts.status, ended_at=ended_at or facts.ended_at)
            mlflow.save_run(connection, run.id, changed)
            state = STATES[status] if status else None
            tags = {**run.tags, RUN_NAME: name} if name else run.tags
            _save(connection, updated(run, RunUpdate(state=state, tags=tags)))
        return self.get(mlflow_id)

    def describe(self, mlflow_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> list[str]:
        """Store params and tags; a param that has another value already keeps it, and is told about.

        Raises UnknownRun, InvalidInput.
        """
        refused = []
        with self._changing(mlflow_id) as (connection, run, _):
            config = dict(run.config)
            for key, value in params.items():
                if key in config and _text(config[key]) != value:
                    was = _text(config[key])
                    refused.append(f"the param {key!r} is {was!r} already, and params do not change (now {value!r})")
                else:
                    config.setdefault(key, value)
            known = {**run.tags, **tags}
            _save(connection, updated(run, RunUpdate(config=config, tags=known, **_context(tags, known))))
        return refused

    def delete_tag(self, mlflow_id: str, key: str) -> None:
        """Raises UnknownRun, InvalidInput when there is no such tag."""
        with self._changing(mlflow_id) as (connection, run, _):
            if key not in run.tags:
                raise InvalidInput(f"the run has no tag {key[:100]!a}")
            _save(connection, replace(run, tags={k: v for k, v in run.tags.items() if k != key}))

    def mark(self, mlflow_id: str, *, deleted: bool) -> None:
        """Out of MLflow's clients' sight, or back; here the run stays. Raises UnknownRun."""
        with self._changing(mlflow_id) as (connection, run, facts):
            mlflow.save_run(connection, run.id, replace(facts, deleted=deleted))

    def keep_asset(self, mlflow_id: str, kind: str, name: str, document: Mapping[str, Any]) -> None:
        """Keep an input, an output or a model of a run. Raises UnknownRun, InvalidInput."""
        if len(json.dumps(document)) > _LARGEST_FACTS:
            raise InvalidInput(f"this {kind} is described in over {_LARGEST_FACTS} characters")
        with self._changing(mlflow_id) as (connection, run, _):
            mlflow.keep_asset(connection, run.id, kind, name, document)

    def assets(self, found: Sequence[TrackedRun], kind: str) -> Mapping[int, Mapping[str, dict[str, Any]]]:
        """Run -> name -> what was kept of this kind."""
        known: dict[int, Mapping[str, dict[str, Any]]] = {}
        with self._database.reading() as connection:
            for ids in _pages(found):
                known |= mlflow.assets(connection, ids, kind)
        return known

    def _place(self, mlflow_id: str) -> tuple[str, str]:
        with self._database.reading() as connection:
            found = self._find(connection, mlflow_id)
            return found.project, found.run

    def _find(self, connection: Connection, mlflow_id: str) -> Found:
        found = mlflow.find_run(connection, mlflow_id) if _ID.fullmatch(mlflow_id) else None
        if found is None or not self._access.sees(found.project):
            raise UnknownRun(f"there is no run with the id {mlflow_id[:40]!a}")
        return found

    @contextmanager
    def _changing(self, mlflow_id: str) -> Iterator[tuple[Connection, runs.StoredRun, RunFacts]]:
        with self._database.writing() as connection:
            found = self._find(connection, mlflow_id)
            home = runs.find_project(connection, found.project)
            run = runs.find_run(connection, home.id, found.run, lock=True) if home else None
            if run is None:
                raise UnknownRun(f"there is no run with the id {mlflow_id}")
            # What the lock waited for may have changed the facts.
            yield connection, run, self._find(connection, mlflow_id).facts


def _all_taken(refused: Collection[str]) -> None:
    if refused:
        raise LimitReached(f"the run has no room for more curves, {min(refused)!r} among them; the others were stored")


def _context(tags: Mapping[str, str], known: Mapping[str, str]) -> dict[str, Any]:
    """What some of the tags that are said now is context that the rules use. known: these with those before."""
    said: dict[str, Any] = {}
    if {_CAVEATS, _AUTOLOGGED} & tags.keys():
        of_framework = _OF_FRAMEWORKS.get(known.get(_AUTOLOGGED, ""))
        said["caveats"] = (*([of_framework] if of_framework else []), *known.get(_CAVEATS, "").splitlines())
    for tag, read in _CONTEXT_TAGS.items():
        if tag in tags:
            try:
                said[tag.removeprefix("curvewise.")] = read(tags[tag])
            except ValueError:
                raise InvalidInput(f"the tag {tag} is {_MEANT.get(tag, 'a number')}, not {tags[tag][:40]!a}") from None
    return said


def _pages(found: Sequence[TrackedRun]) -> Iterator[list[int]]:
    """Ids, not more than one statement may name."""
    for begin in range(0, len(found), _RUNS_AT_ONCE):
        yield [one.run.id for one in found[begin : begin + _RUNS_AT_ONCE]]


def _save(connection: Connection, run: runs.StoredRun) -> None:
    for what, said in (("params", run.config), ("tags", run.tags)):
        if len(json.dumps(said)) > _LARGEST_FACTS:
            raise InvalidInput(f"the {what} of a run may have {_LARGEST_FACTS} characters together")
    runs.save_run(connection, run)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
