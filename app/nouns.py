"""What the service is told and tells about projects and runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.diagnosis import RawParams
from app.rules.context import Context, RunState
from app.rules.verdict import Severity


@dataclass(frozen=True, kw_only=True)
class RunUpdate:
    """What a job says when it opens a run or says more about it; None leaves what is known as it is."""

    num_classes: int | None = None
    planned_steps: float | None = None
    schedule: str | None = None
    class_priors: tuple[float, ...] | None = None
    target_variance: float | None = None
    dataset_size: int | None = None
    pretrained: str | None = None
    caveats: tuple[str, ...] | None = None
    state: RunState | None = None
    attempt: int | None = None  # opening a later attempt than the latest sets the state back to running
    config: Mapping[str, object] | None = None  # any JSON, NaN allowed
    tags: Mapping[str, str] | None = None
    commit: str | None = None
    search: str | None = None  # of which search it is a trial, by name; "" takes it out of the one that it is of
    search_step: int | None = None  # of the seven


@dataclass(frozen=True, kw_only=True)
class CurveSummary:
    """How much of a curve is stored; its steps are in the run's own step unit."""

    name: str  # as the job named it
    role: str | None  # what it was mapped to, None when unmapped
    points: int  # stored points, before repeated steps are resolved
    first_step: float
    last_step: float


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A finding that has fired, as far as a table shows it."""

    code: str
    rule: str
    severity: Severity
    confidence: float
    onset_step: float
    summary: str
    fired_at: datetime


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training job: what it told about itself, and how much it logged."""

    project: str
    run: str
    context: Context
    attempt: int
    config: Mapping[str, object]
    tags: Mapping[str, str]
    commit: str | None
    created_at: datetime
    updated_at: datetime
    rolled_up_at: datetime | None  # when long curves were reduced to their bins; None when every point is kept
    revision: int  # grows with every change: points, facts, state
    curves: tuple[CurveSummary, ...]
    stalled_since: datetime | None = None  # since when a running job has logged nothing, when that is unusual for it
    search: str | None = None  # of which search it is a trial, by name
    search_step: int | None = None  # of the seven, as the job said
    findings: tuple[Chip, ...] = ()  # those that fired, the most severe first; from the background, so a little late


@dataclass(frozen=True, kw_only=True)
class Project:
    """A named group of runs, and how they are judged."""

    project: str
    roles: Mapping[str, str]  # raw curve name -> role, or "" to leave it unmapped
    params: RawParams
    roll_up_after_days: int  # since a run last changed; 0: never
    public_status: bool  # whether its badge and metrics are shown to everybody
    created_at: datetime
    runs: int
