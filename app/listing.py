"""Runs found by what is known of them, a page at a time: what tables of runs are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from app import lookup
from app.errors import InvalidInput
from app.limits import LARGEST_PAGE, check_text
from app.nouns import Chip
from app.rules.catalogue import CATALOGUE
from app.rules.context import RunState
from app.rules.verdict import Severity
from app.storage import listing, standings
from app.storage.database import Database
from app.storage.listing import Listed, Wanted
from app.storage.standings import SEVERITY_RANK, StoredStanding

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
class Standing:
    """What the monitor knows of a run; a run that it has not seen yet has judged_at None and nothing else."""

    judged_at: datetime | None = None
    stalled_since: datetime | None = None
    through_step: float | None = None
    findings: tuple[Chip, ...] = ()  # most severe first
    sparkline_curve: str | None = None
    sparkline: tuple[float, ...] = ()  # at most 60 values, NaN and infinities among them


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run in a table. state: as the job said, or `stalled`."""

    run: str
    state: ShownState
    context_state: RunState
    attempt: int
    tags: Mapping[str, str]
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
    asked = _checked(wanted)
    with database.reading() as connection:
        home = lookup.project(connection, project)
        found = listing.find_ids(connection, home.id, asked)
        page = found[: wanted.limit]
        ids = [run_id for run_id, _, _ in page]
        stood = standings.find(connection, ids)
        rows = [_row(run, stood.get(run.id)) for run in listing.load(connection, ids)]
    return RunRows(rows=rows, next=_cursor(wanted.sort, *page[-1][1:]) if len(found) > wanted.limit else None)


def standing_of(database: Database, project: str, run: str) -> Standing:
    """What the monitor knows of one run. Raises UnknownProject, UnknownRun, StorageUnavailable."""
    with database.reading() as connection:
        found = lookup.run(connection, lookup.project(connection, project), run)
        return _standing(standings.find(connection, [found.id]).get(found.id), found.revision)


def run_id_of(database: Database, project: str, run: str) -> int:
    """By which the run is known inside. Raises UnknownProject, UnknownRun, StorageUnavailable."""
    with database.reading() as connection:
        return lookup.run(connection, lookup.project(connection, project), run).id


def chips(stood: StoredStanding | None) -> tuple[Chip, ...]:
    """The findings that fired, the most severe and surest first."""
    return tuple(
        Chip(
            code=one.code,
            rule=one.rule,
            severity=one.severity,
            confidence=one.confidence,
            onset_step=one.onset_step,
            summary=one.summary,
            fired_at=one.fired_at,
        )
        for one in (stood.fired if stood else ())
        if one.fired_at is not None
    )


def stalled_since(stood: StoredStanding | None, revision: int) -> datetime | None:
    """A silence ends with the next word, whether or not that has been looked at."""
    return stood.stalled_since if stood and stood.revision == revision else None


def codes_of(rules: Sequence[str]) -> set[str]:
    """Codes and names of rules -> codes. Raises InvalidInput."""
    known = {**{rule.code: rule.code for rule in CATALOGUE}, **{rule.name: rule.code for rule in CATALOGUE}}
    for rule in rules:
        if rule not in known:
            raise InvalidInput(f"there is no rule {rule[:100]!r}; the rules are listed at /api/v1/rules")
    return {known[rule] for rule in rules}


def _checked(wanted: RunFilter) -> Wanted:
    if not 1 <= wanted.limit <= LARGEST_PAGE:
        raise InvalidInput(f"limit is not in 1 to {LARGEST_PAGE}")
    for moment in (wanted.since, wanted.until):
        if moment is not None:
            _check_time(moment)
    if wanted.text:
        check_text("text to look for", wanted.text)
    return Wanted(
        codes=sorted(codes_of(wanted.findings)) if wanted.findings else None,
        severity=wanted.severity,
        tags=wanted.tags,
        text=wanted.text,
        state=wanted.state,
        since=wanted.since,
        until=wanted.until,
        sort=wanted.sort,
        descending=wanted.descending,
        limit=wanted.limit + 1,
        after=None if wanted.after is None else _place(wanted.sort, wanted.after),
    )


def _cursor(sort: SortBy, name: str, value: Any) -> str:
    if sort == "name":
        return name
    return f"{value.isoformat() if isinstance(value, datetime) else value}/{name}"


def _place(sort: SortBy, cursor: str) -> tuple[Any, str]:
    """What a cursor was made of; the name may hold no slash, which is how they are told apart."""
    value, _, name = cursor.rpartition("/")
    check_text("cursor 'after'", name)
    try:
        match sort:
            case "name" if not value:
                return name, name
            case "severity" if int(value) in SEVERITY_RANK.values():
                return int(value), name
            case "through_step" if float(value) >= -1:
                return float(value), name
            case "created" | "updated":
                return _check_time(datetime.fromisoformat(value)), name
    except ValueError:
        pass
    raise InvalidInput(f"the cursor 'after' is not one of runs sorted by {sort}: send the 'next' of the page before")


def _check_time(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(f"the time {moment.isoformat()} names no time zone: end it with Z for UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"the time {moment.isoformat()} is out of range") from None


def _row(run: Listed, stood: StoredStanding | None) -> RunRow:
    standing = _standing(stood, run.revision)
    return RunRow(
        run=run.name,
        state="stalled" if run.state == "running" and standing.stalled_since else run.state,
        context_state=run.state,
        attempt=run.attempt,
        tags=run.tags,
        commit=run.commit,
        created_at=run.created_at,
        updated_at=run.updated_at,
        standing=standing,
    )


def _standing(stood: StoredStanding | None, revision: int) -> Standing:
    if stood is None:
        return Standing()
    return Standing(
        judged_at=stood.judged_at,
        stalled_since=stalled_since(stood, revision),
        through_step=stood.through_step,
        findings=chips(stood),
        sparkline_curve=stood.sparkline_curve,
        sparkline=tuple(stood.sparkline),
    )
