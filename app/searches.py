"""Searches for hyper-parameters: what can be done with one, and what it answers from its runs."""

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection

from app import lookup
from app.archive import version
from app.diagnosis import Diagnosis
from app.errors import InvalidInput, LimitReached, Unavailable, UnknownSearch
from app.importance.importance import Importance, Row, importance_of
from app.limits import LONGEST_NAME, check_name, check_page
from app.nouns import RunUpdate
from app.recent import Recent
from app.rules.context import PRIOR, PRIORS, TARGET_VARIANCE, WHOLE
from app.search.assess import Assessment, assess
from app.search.search import Goal, Search
from app.search.space import Space
from app.search.trial import Trial
from app.storage import audit, runs, searches
from app.storage.database import Database
from app.storage.searches import StoredSearch
from app.trials import read_trials

MOST_SEARCHES = 1000  # of a project
MOST_TRIALS = 2000  # of a search: all of them are read to answer what comes next
MOST_PROPOSALS = 100  # at a time

METRIC = Field(
    min_length=1,
    max_length=LONGEST_NAME,
    description="What configurations are compared by: a role such as `val/loss`, or a curve's own name; at first "
    "`val/loss`.",
    examples=["val/loss"],
)
SEED = Field(
    ge=0,
    le=2**53,
    description="What proposals are drawn from: one seed draws the same ones again [any whole number]; at first 0.",
)
STEPS_PER_EPOCH = Field(
    gt=0,
    le=2**53,
    allow_inf_nan=False,
    description="How many steps make an epoch; 1 for jobs that log by epoch [steps].",
)
MOST_RUNS = Field(ge=1, le=MOST_TRIALS, description="How many runs the search may make in all [runs].")
NUM_CLASSES = Field(ge=2, le=10_000_000, description="Number of classes of the task [classes].")


@dataclass(frozen=True, kw_only=True)
class SearchUpdate:
    """What is said when a search is made or changed; None leaves what is known as it is. A new one needs a space."""

    metric: Annotated[str | None, METRIC] = None
    goal: Goal | None = None
    space: Mapping[str, Any] | None = None
    seed: Annotated[int | None, SEED] = None
    steps_per_epoch: Annotated[float | None, STEPS_PER_EPOCH] = None
    most_runs: Annotated[int | None, MOST_RUNS] = None
    num_classes: Annotated[int | None, NUM_CLASSES] = None
    class_priors: Annotated[tuple[Annotated[float, PRIOR], ...] | None, PRIORS, WHOLE] = None
    target_variance: Annotated[float | None, TARGET_VARIANCE] = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A search as it is stored, with how many runs it has, and how many of them still run."""

    project: str
    search: Search
    created_at: datetime
    updated_at: datetime
    runs: int
    running: int


T = TypeVar("T")
_UPDATE = TypeAdapter(SearchUpdate)
_AT_ONCE = 2  # assessments: each is read and computed in one thread
_RECENT = 20
_EXPLODING = "CW008"
_PATIENCE_S = 30.0  # for the forest of another search
_RUNS_AT_ONCE = 100
_SMALL_POINTS = 1000  # of a trial that is kept: 16 kB, so all of them are 64 MB at most
Judged = Callable[[Connection, runs.StoredProject, Sequence[runs.StoredRun]], Sequence[Diagnosis]]


class Searches:
    """The verbs. Made once with the database; safe to share between threads."""

    def __init__(self, database: Database, judged: Judged) -> None:
        """judged: the diagnoses of stored runs, in their order."""
        self._database = database
        self._judged = judged
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._recent: Recent[tuple[str, int], Assessment] = Recent(_RECENT)
        self._trials_known: Recent[tuple[str, str], Trial] = Recent(2 * MOST_TRIALS)
        self._forests = threading.Lock()
        self._importances: Recent[str, Importance] = Recent(_RECENT)

    def put(self, project: str, name: str, update: SearchUpdate) -> tuple[Found, bool]:
        """Make or change a search; True when it was made. The project is made with it when there is none.

        Raises InvalidInput that names the place, and LimitReached.
        """
        check_name("project", project)
        check_name("search", name)
        _check(update)
        with self._database.writing() as connection:
            home, _ = runs.lock_project(connection, project)
            before = searches.find(connection, home.id, name)
            after = _updated(name, before, update)
            if before is None:
                if searches.count(connection, home.id) >= MOST_SEARCHES:
                    raise LimitReached(f"project {project!r} has {MOST_SEARCHES} searches, and no more are made")
                searches.add(connection, home.id, name, _as_json(after))
            elif _as_json(after) != before.search:
                searches.save(connection, before.id, _as_json(after))
            return _found(connection, home, find(connection, home, name)), before is None

    def get(self, project: str, name: str) -> Found:
        """Raises UnknownProject, UnknownSearch."""
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            return _found(connection, home, find(connection, home, name))

    def listed(self, project: str, *, limit: int, after: str | None) -> list[Found]:
        """Searches in name order after `after`. Raises UnknownProject."""
        check_page(limit, after)
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            page = searches.listed(connection, home.id, limit=limit, after=after)
            counted = searches.counts(connection, home.id, [one.id for one in page])
            return [_as_found(home, one, counted.get(one.id, (0, 0))) for one in page]

    def version(self, project: str, name: str) -> str:
        """Changes whenever what the search answers can change: what an ETag is made of. Reads no points.

        Raises UnknownProject, UnknownSearch.
        """
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            found = find(connection, home, name)
            return _version(home, found, searches.trials(connection, home.id, found.id, limit=MOST_TRIALS))

    def assess(self, project: str, name: str, count: int = 8) -> tuple[Found, Assessment]:
        """What the runs of a search say. count: how many runs to propose at most.

        Raises InvalidInput, UnknownProject, UnknownSearch.
        """
        if not 1 <= count <= MOST_PROPOSALS:
            raise InvalidInput(f"count is not in 1 to {MOST_PROPOSALS}")
        with self._turns, self._database.reading() as connection:
            home = lookup.project(connection, project)
            stored = find(connection, home, name)
            keys = searches.trials(connection, home.id, stored.id, limit=MOST_TRIALS)
            now = _version(home, stored, keys), count
            if (assessment := self._recent.get(now)) is None:
                search = _search(stored)
                assessment = assess(search, self._trials(connection, home, search, keys), count)
                self._recent.put(now, assessment)
            return _found(connection, home, stored), assessment

    def importance(self, project: str, name: str) -> Importance:
        """Which hyper-parameters matter, by the configurations that are ranked. Takes seconds, once for each answer.

        Raises UnknownProject, UnknownSearch, MissingExtra, Unavailable.
        """
        found, assessment = self.assess(project, name)
        now = self.version(project, name)
        if (known := self._importances.get(now)) is None:
            if not self._forests.acquire(timeout=_PATIENCE_S):
                raise Unavailable("the importance of other searches is being computed; ask again later")
            try:
                if (known := self._importances.get(now)) is None:
                    rows = self._rows(project, found.search, assessment)
                    known = importance_of(found.search.space, rows, found.search.seed)
                    self._importances.put(now, known)
            finally:
                self._forests.release()
        return known

    def _rows(self, project: str, search: Search, assessment: Assessment) -> list[Row]:
        """The configurations of the step that has most of them, what diverged among them."""
        step = step_compared(assessment)
        sign = 1.0 if search.goal == "min" else -1.0
        ours = [one for one in assessment.ranking if one.search_step == step]
        rows = [Row(search.space.read(one.config) or {}, sign * one.level) for one in ours]
        ranked = {run for one in ours for run in one.runs}
        others = [place.run for place in assessment.places if place.search_step == step and place.run not in ranked]
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            for some in batched(others):
                found = [one for one in runs.find_runs(connection, home.id, some) if one.context.state != "running"]
                for run, diagnosis in zip(found, self._judged(connection, home, found), strict=True):
                    if any(finding.code == _EXPLODING for finding in diagnosis.findings):
                        rows.append(Row(search.space.read(run.config) or {}, math.inf))
        return rows

    def _trials(
        self, connection: Connection, home: runs.StoredProject, search: Search, keys: Sequence[searches.TrialKey]
    ) -> list[Trial]:
        read: list[Trial] = []
        for some in batched([key.id for key in keys]):
            found = sorted(runs.with_ids(connection, home.id, some), key=lambda run: run.id)
            known = {run.id: self._trials_known.get((version(home, run), search.metric)) for run in found}
            fresh = [run for run in found if known[run.id] is None]
            judged = self._judged(connection, home, fresh)
            for run, trial in zip(fresh, read_trials(connection, home, fresh, judged, search.metric), strict=True):
                known[run.id] = trial
                if run.context.state != "running" and sum(map(len, trial.curves.values())) <= _SMALL_POINTS:
                    self._trials_known.put((version(home, run), search.metric), trial)
            read += [trial for trial in known.values() if trial is not None]
        return read

    def remove(self, project: str, name: str, *, by: str = audit.COMMAND_LINE) -> None:
        """Forget the search; its runs stay, and are of no search. Raises UnknownProject, UnknownSearch."""
        with self._database.writing() as connection:
            home = lookup.project(connection, project)
            runs.lock_project(connection, project)  # so that no run comes to it meanwhile
            found = find(connection, home, name)
            freed = searches.remove(connection, home.id, found.id)
            audit.note(connection, by, "delete_search", project=project, detail={"search": name, "runs": freed})


def find(connection: Connection, home: runs.StoredProject, name: str) -> StoredSearch:
    """Raises InvalidInput for what is no name, UnknownSearch."""
    check_name("search", name)
    if (found := searches.find(connection, home.id, name)) is None:
        raise UnknownSearch(f"project {home.name!r} has no search {name!r}")
    return found


def placed(connection: Connection, home: runs.StoredProject, run: runs.StoredRun, update: RunUpdate) -> runs.StoredRun:
    """The run as the trial that it was said to be. Raises InvalidInput, UnknownSearch, LimitReached.

    The project is locked. In another search than before the run's step is not known until it is said again.
    """
    if update.search == "":
        if update.search_step is not None:
            raise InvalidInput("search_step: a run that is taken out of its search is of no step")
        return replace(run, search_id=None, search_step=None)
    if update.search is not None:
        run = _joined(connection, home, run, update.search)
    if update.search_step is not None:
        if run.search_id is None:
            raise InvalidInput("search_step: the run is of no search; name one in `search`")
        run = replace(run, search_step=update.search_step)
    return run


def _joined(connection: Connection, home: runs.StoredProject, run: runs.StoredRun, name: str) -> runs.StoredRun:
    check_name("search", name)
    if (found := searches.find(connection, home.id, name)) is None:
        raise UnknownSearch(
            f"project {home.name!r} has no search {name!r}; PUT /api/v1/projects/{home.name}/searches/{name} with its "
            "space first, or leave `search` out"
        )
    if found.id == run.search_id:
        return run
    if searches.counts(connection, home.id, [found.id]).get(found.id, (0, 0))[0] >= MOST_TRIALS:
        raise LimitReached(f"search {name!r} has {MOST_TRIALS} runs, the most; begin another search")
    return replace(run, search_id=found.id, search_step=None)


def step_compared(assessment: Assessment) -> int:
    """The step of the procedure that has most configurations: those of another length have other levels."""
    steps = Counter(one.search_step for one in assessment.ranking)
    return max(steps, key=lambda number: (steps[number], number), default=4)


def batched(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many at a time as one statement may name."""
    return (ids[start : start + _RUNS_AT_ONCE] for start in range(0, len(ids), _RUNS_AT_ONCE))


def _version(home: runs.StoredProject, search: StoredSearch, trials: Sequence[searches.TrialKey]) -> str:
    """Changes whenever what the search answers can change. Reads no points."""
    seen = hashlib.sha256(repr([(one.id, one.revision) for one in trials]).encode()).hexdigest()[:16]
    return f"{search.id}.{search.revision}.{home.revision}.{seen}"


def _check(update: SearchUpdate) -> None:
    try:
        _UPDATE.validate_python(vars(update))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInput(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def _updated(name: str, before: StoredSearch | None, update: SearchUpdate) -> Search:
    given = {key: value for key, value in vars(update).items() if value is not None}
    if "space" in given:
        given["space"] = Space.parse(given["space"])
    if before is not None:
        return replace(_search(before), **given)
    if "space" not in given:
        raise InvalidInput("space: a new search needs one: which hyper-parameters vary, and between which values")
    return Search(name=name, **given)


def _as_json(search: Search) -> dict[str, Any]:
    said = {field.name: getattr(search, field.name) for field in fields(search)}
    priors = search.class_priors
    return {**said, "space": search.space.as_json(), "class_priors": None if priors is None else list(priors)}


def _search(stored: StoredSearch) -> Search:
    said = dict(stored.search)
    priors = said["class_priors"]
    read = {"space": Space.parse(said["space"]), "class_priors": None if priors is None else tuple(priors)}
    return Search(**{**said, **read})


def _found(connection: Connection, home: runs.StoredProject, stored: StoredSearch) -> Found:
    return _as_found(home, stored, searches.counts(connection, home.id, [stored.id]).get(stored.id, (0, 0)))


def _as_found(home: runs.StoredProject, stored: StoredSearch, counted: tuple[int, int]) -> Found:
    return Found(
        project=home.name,
        search=_search(stored),
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        runs=counted[0],
        running=counted[1],
    )
