"""Findings as rows, one a finding, flat and with a time in milliseconds: what Grafana's tables take as they are."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from app import errors, lookup
from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.service import ServiceHere
from app.api.wire import Out, ProjectName, reply
from app.checks.condition import SEVERITIES
from app.listing import ShownState, codes_of
from app.rules.verdict import Severity
from app.storage.fired import Fired, fired

router = APIRouter(tags=["diagnoses"])

_LATEST_MS = 253_402_300_799_999  # the end of the year 9999, the last that a datetime holds


class FindingRow(Out):
    """One finding of one run."""

    timestamp: Annotated[int, Field(ge=0, description="When it fired [ms since 1970, UTC].")]
    project: Annotated[str, Field(description="The project's name.")]
    run: Annotated[str, Field(description="The run's name.")]
    state: Annotated[
        ShownState, Field(description="The run's state; `stalled` when it should send points and does not.")
    ]
    commit: Annotated[str | None, Field(description="The commit of the code that trains; null when not known.")]
    code: Annotated[str, Field(description="The rule's stable code.")]
    rule: Annotated[str, Field(description="The rule's name.")]
    severity: Annotated[Severity, Field(description="How soon a person should look.")]
    confidence: Annotated[float, Field(ge=0, le=1, description="The probability that it is right [0 to 1].")]
    onset_step: Annotated[float, Field(ge=0, description="The step at which the pathology began [steps].")]
    summary: Annotated[str, Field(description="What is wrong, in one sentence with its numbers.")]


class FindingRows(Out):
    """Findings of a project's runs."""

    items: Annotated[list[FindingRow], Field(description="The newest first, by when they fired.")]


@router.get(
    "/api/v1/projects/{project}/findings",
    summary="List findings",
    response_model=FindingRows,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="The newest findings, one a row.",
        example={
            "items": [
                {
                    "timestamp": 1769850000000,
                    "project": "mnist",
                    "run": "r1",
                    "state": "running",
                    "commit": "9fceb02",
                    "code": "CW005",
                    "rule": "overfitting",
                    "severity": "warning",
                    "confidence": 0.93,
                    "onset_step": 4200.0,
                    "summary": "val/loss has climbed 14 % above its best since step 4200",
                }
            ]
        },
    ),
)
def list_findings(
    service: ServiceHere,
    project: ProjectName,
    limit: Annotated[int, Query(ge=1, le=10_000, description="The most rows in the reply [rows].")] = 1000,
    severity: Annotated[Severity | None, Query(description="Only of this severity or a worse one.")] = None,
    rule: Annotated[
        list[str] | None, Query(max_length=100, description="Only of this rule, by code or name; may be repeated.")
    ] = None,
    since: Annotated[
        int | None, Query(ge=0, le=_LATEST_MS, description="Only what fired at this time or later [ms since 1970].")
    ] = None,
    until: Annotated[
        int | None, Query(ge=0, le=_LATEST_MS, description="Only what fired before this time [ms since 1970].")
    ] = None,
) -> Response:
    """What holds now in the project's runs, in the shape that dashboards draw tables from.

    A finding is listed once it has held for a while, and until it is over. `since` and `until` take Grafana's
    `${__from}` and `${__to}`.
    """
    with service.database.reading() as connection:
        home = lookup.project(connection, project)
        found = fired(
            connection,
            home.id,
            limit=limit,
            codes=codes_of(rule) if rule else None,
            severities=SEVERITIES[SEVERITIES.index(severity) :] if severity else None,
            since=_moment(since),
            until=_moment(until),
        )
    return reply({"items": [_row(project, one) for one in found]})


def _row(project: str, one: Fired) -> dict[str, object]:
    row = {**vars(one), "project": project, "timestamp": int(one.fired_at.timestamp() * 1000)}
    del row["fired_at"]
    return row


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
