"""A project's runs as a table: filtered, sorted and paged by the database."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from app.errors import InvalidInput
from app.listing import RunFilter, ShownState, SortBy, Standing, find_runs
from app.pages.compare import MOST_COMPARED
from app.pages.render import page
from app.pages.service import ServiceHere
from app.pages.vega import begin_packing
from app.reports import words
from app.reports.sparkline import sparkline
from app.rules.catalogue import CATALOGUE
from app.rules.verdict import Severity

_RUNS_A_PAGE = 50
_MOST_TAGS = 6  # shown of a run

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """What the table was asked for, in the words of its form: a field left empty asks for nothing."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    finding: str = ""
    severity: Severity | Literal[""] = ""
    state: ShownState | Literal[""] = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    sort: SortBy | Literal[""] = ""
    order: Literal["ascending", "descending", ""] = ""
    after: str = ""

    @property
    def filters(self) -> bool:
        """Whether some runs may be left out."""
        return bool(self.text or self.finding or self.severity or self.state or self.tag or self.since or self.until)


@router.get("/projects/{project}")
def show_runs(request: Request, service: ServiceHere, project: str, asked: Annotated[Asked, Query()]) -> Response:
    """One page of the table."""
    begin_packing()
    home = service.get_project(project)
    wanted = _filter(asked)
    found = find_runs(service.database, project, wanted)
    return page(
        request,
        "runs.html",
        here="projects",
        project=home,
        rules=CATALOGUE,
        rows=found.rows,
        next=found.next,
        after=asked.after,
        asked=asked.model_dump(exclude={"after"}),
        filtered=asked.filters,
        sort=wanted.sort,
        descending=wanted.descending,
        most_compared=MOST_COMPARED,
        most_tags=_MOST_TAGS,
        sort_query=sort_query,
        sparkline=lambda values: Markup(sparkline(values)),  # noqa: S704 - only numbers go in
        course_says=_course_says,
    )


def _filter(asked: Asked) -> RunFilter:
    # What changed last is what people come for; a name is read from A.
    sort: SortBy = asked.sort or "updated"
    descending = asked.order == "descending" if asked.order else sort != "name"
    until = _day(asked.until, "until")
    return RunFilter(
        findings=(asked.finding,) if asked.finding else (),
        severity=asked.severity or None,
        tags=(_tag(asked.tag),) if asked.tag else (),
        text=asked.text,
        state=asked.state or None,
        since=_day(asked.since, "since"),
        until=until + timedelta(days=1) if until else None,  # the day itself is meant too
        sort=sort,
        descending=descending,
        limit=_RUNS_A_PAGE,
        after=asked.after or None,
    )


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"tag: {text!r} is not key=value")
    return key, value


def _day(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput(f"{field}: {text!r} is not a day such as 2026-01-31") from error


def sort_query(asked: Mapping[str, Any], key: str, descending: bool) -> dict[str, Any]:
    """The same table, sorted otherwise."""
    return {**asked, "sort": key, "order": "descending" if descending else "ascending"}


def _course_says(standing: Standing) -> str:
    """What a screen reader says in place of the sparkline."""
    finite = [value for value in standing.sparkline if math.isfinite(value)]
    if not finite:
        return f"{standing.sparkline_curve}, never finite"
    course = f"{standing.sparkline_curve} from {words.number(finite[0])} to {words.number(finite[-1])}"
    return course if math.isfinite(standing.sparkline[-1]) else f"{course}, then not finite"
