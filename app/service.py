"""The product's verbs. Storage meets diagnosis only here; nothing here knows HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.curves.curve import Curve
from app.curves.points import Points
from app.diagnosis import Diagnosis, RawParams
from app.rules.context import Context, RunState


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """What a job says when it opens a run or says more about it; None leaves what is known as it is."""

    num_classes: int | None = None
    planned_steps: float | None = None
    schedule: str | None = None
    caveats: tuple[str, ...] | None = None
    state: RunState | None = None
    attempt: int | None = None  # opening a later attempt than the latest sets the state back to running
    config: Mapping[str, object] | None = None  # any JSON, NaN allowed
    tags: Mapping[str, str] | None = None
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class CurveSummary:
    name: str  # as the job named it
    role: str | None  # what it was mapped to, None when unmapped
    points: int  # stored points, before repeated steps are resolved
    first_step: float
    last_step: float


@dataclass(frozen=True, kw_only=True)
class Run:
    project: str
    run: str
    context: Context
    attempt: int
    config: Mapping[str, object]
    tags: Mapping[str, str]
    commit: str | None
    created_at: datetime
    updated_at: datetime
    revision: int  # grows with every change: points, facts, state
    curves: tuple[CurveSummary, ...]


@dataclass(frozen=True, kw_only=True)
class Project:
    project: str
    roles: Mapping[str, str]  # raw curve name -> role, or "" to leave it unmapped
    params: RawParams
    created_at: datetime
    runs: int


class Service:
    """Made with a store and a recorder by whoever starts the server; used by api/ and cli/."""

    def open_run(self, project: str, run: str, update: RunUpdate) -> tuple[Run, bool]:
        """Create or update; True when it was created. The project is created with its first run."""
        raise NotImplementedError

    def close_run(self, project: str, run: str, state: RunState) -> Run:
        raise NotImplementedError

    def get_run(self, project: str, run: str) -> Run:
        raise NotImplementedError

    def list_runs(self, project: str, *, limit: int, after: str | None) -> Sequence[Run]:
        raise NotImplementedError

    def list_projects(self, *, limit: int, after: str | None) -> Sequence[Project]:
        raise NotImplementedError

    def configure_project(
        self, project: str, *, roles: Mapping[str, str] | None, params: RawParams | None
    ) -> tuple[Project, bool]:
        """Create or update a project's role overrides and rule params. Raises InvalidParams, InvalidInput."""
        raise NotImplementedError

    def get_project(self, project: str) -> Project:
        raise NotImplementedError

    async def record(self, project: str, run: str, points: Sequence[Points], attempt: int | None) -> None:
        """Return once every point is on disk. Raises UnknownRun, Overloaded, StorageUnavailable, StorageFull."""
        raise NotImplementedError

    def read_curves(
        self,
        project: str,
        run: str,
        *,
        names: Sequence[str] | None = None,
        max_points: int | None = None,
    ) -> Mapping[str, Curve]:
        """Stored curves under their raw names, attempts and repeated steps resolved; thinned for display on request."""
        raise NotImplementedError

    def diagnosis_version(self, project: str, run: str) -> str:
        """Changes whenever the diagnosis of the run can change: what an ETag is made of. Reads no points."""
        raise NotImplementedError

    def diagnose(self, project: str, run: str, *, at_step: float | None = None) -> Diagnosis:
        """Judge a stored run with its project's role overrides and params, as it stood at `at_step`."""
        raise NotImplementedError

    def diagnose_project(
        self, project: str, *, limit: int, after: str | None, state: RunState | None = None
    ) -> Sequence[Diagnosis]:
        """The diagnoses of a project's runs, in name order after `after`."""
        raise NotImplementedError
