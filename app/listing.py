"""Runs found by what is known of them, a page at a time: what tables of runs are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.rules.context import RunState
from app.rules.verdict import Severity
from app.storage.database import Database

SortBy = Literal["name", "created", "updated", "severity", "through_step"]
ShownState = Literal["running", "stalled", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs of a project, in which order, and which page of them. What is None or empty leaves all runs in.

    findings: codes or rule names; the run has one of them. severity: it has a finding at least so severe (both given:
    one finding is both). tags: it has all of these. text: its name holds this, in either case. state: `running` leaves
    out those that are stalled. The times bound when the run last changed [since, until). after: `next` of the page
    before, which was asked for with the same sort and descending.
    """

    findings: Sequence[str] = ()
    severity: Severity | None = None
    tags: Sequence[tuple[str, str]] = ()
    text: str = ""
    state: ShownState | None = None
    since: datetime | None = None
    until: datetime | None = None
    sort: SortBy = "name"
    descending: bool = False
    limit: int = 100
    after: str | None = None


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
class Standing:
    """What the monitor knows of a run; a run that it has not seen yet has judged_at None and nothing else."""

    judged_at: datetime | None = None
    stalled_since: datetime | None = None
    through_step: float | None = None
    findings: tuple[Chip, ...] = ()  # most severe first
    sparkline_curve: str | None = None
    sparkline: tuple[float, ...] = field(default=())  # at most 60 values, NaN and infinities among them


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run in a table. state: as the job said, or `stalled`."""

    run: str
    state: ShownState
    context_state: RunState
    attempt: int
    tags: dict[str, str]
    commit: str | None
    created_at: datetime
    updated_at: datetime
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """One page. next: send it as `after` for the page that follows; None when there is none."""

    rows: Sequence[RunRow]
    next: str | None


def find_runs(database: Database, project: str, wanted: RunFilter) -> RunRows:
    """A page of the project's runs. Raises UnknownProject, InvalidInput, StorageUnavailable."""
    raise NotImplementedError


def standing_of(database: Database, project: str, run: str) -> Standing:
    """What the monitor knows of one run. Raises UnknownProject, UnknownRun, StorageUnavailable."""
    raise NotImplementedError
