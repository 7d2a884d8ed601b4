"""Diagnoses: of one stored run, of a whole project, and of curves that are not stored."""

from collections.abc import Sequence
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import Field, JsonValue

from app import errors
from app.api.body import JSON, decoders, media_type, read_body
from app.api.columns import HasColumns, Most, read_columns
from app.api.formats import FORMATS, HTML, JUNIT, SARIF, SVG, Format, answer
from app.api.negotiation import MARKDOWN, choose, etag_of, is_known
from app.api.openapi import Responses, documented, one_body
from app.api.points import allowed, refuse
from app.api.problems import INVALID_INPUT, POINTS_REFUSED, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import After, Column, ContextIn, Limit, Page, ProjectName, RunName, reply
from app.checks.condition import SEVERITIES
from app.curves.curve import make_curve
from app.diagnosis import Diagnosis, judge
from app.errors import InvalidInput
from app.rules.catalogue import CATALOGUE
from app.rules.context import Context, RunState
from app.rules.verdict import Severity

router = APIRouter(tags=["diagnoses"])

# A rare finding in a project of many thousand runs: the reply comes back with a cursor instead of after minutes.
MOST_RUNS_A_PAGE = 1000


class DiagnoseIn(HasColumns):
    """Curves to be diagnosed and not stored."""

    curves: Annotated[
        dict[str, Column], Field(description="Columns by curve name, in the job's own words or as a role.")
    ]
    context: Annotated[ContextIn | None, Field(description="Facts that the curves do not show.")] = None
    params: Annotated[
        dict[str, dict[str, JsonValue]] | None,
        Field(description="Params in place of defaults: rule name, field, value; units are in GET /api/v1/rules."),
    ] = None


class DiagnosisPage(Page[Diagnosis]):
    """One page of diagnoses, in the order of the runs' names."""


_DIAGNOSIS = {
    "run": "r1",
    "project": "mnist",
    "through_step": 12000.0,
    "state": "finished",
    "catalogue": "2026.2",
    "verdicts": [
        {
            "code": "CW005",
            "rule": "overfitting",
            "verdict": "finding",
            "severity": "warning",
            "confidence": 0.93,
            "summary": "val/loss has climbed 14 % above its best since step 4200",
            "onset_step": 4200.0,
            "span": [4200.0, 12000.0],
            "evidence": [{"name": "val_rise", "value": 9.1, "limit": 3.0, "unit": "noise units"}],
            "recommendations": [
                {"text": "Keep the checkpoint of step 4200.", "action": "stop", "args": {"best_step": 4200.0}}
            ],
            "caused_by": None,
        },
        {
            "code": "CW007",
            "rule": "wrong_initial_loss",
            "verdict": "skipped",
            "reason": "num_classes is not known",
        },
    ],
}
_ETAG = {"ETag": {"description": "Names this very diagnosis, for If-None-Match.", "schema": {"type": "string"}}}


def _cacheable(found: Responses) -> Responses:
    found[200]["headers"] = _ETAG
    found[200]["content"][MARKDOWN] = {
        "schema": {"type": "string"},
        "example": "### Curvewise: mnist/r1 through step 12000 (finished)\n\nNothing was found.\n",
    }
    found[200]["content"][HTML] = {"schema": {"type": "string"}, "example": '<!DOCTYPE html>\n<html lang="en">...'}
    found[200]["content"][SVG] = {
        "schema": {"type": "string"},
        "example": '<svg xmlns="http://www.w3.org/2000/svg">...',
    }
    found[200]["content"][JUNIT] = {"schema": {"type": "string"}, "example": '<testsuites name="curvewise">...'}
    found[200]["content"][SARIF] = {"schema": {"type": "object"}, "example": {"version": "2.1.0", "runs": []}}
    return {**found, 304: {"description": "The diagnosis is the one that If-None-Match names.", "headers": _ETAG}}


@router.get(
    "/api/v1/projects/{project}/runs/{run}/diagnosis",
    summary="Diagnose a run",
    response_model=Diagnosis,
    responses=_cacheable(
        documented(
            errors.UnknownProject,
            errors.UnknownRun,
            INVALID_INPUT,
            errors.StorageUnavailable,
            description="All verdicts, findings first, the most severe and surest first of all.",
            example=_DIAGNOSIS,
        )
    ),
)
def get_diagnosis(
    service: ServiceHere,
    project: ProjectName,
    run: RunName,
    at_step: Annotated[
        float | None,
        Query(ge=0, allow_inf_nan=False, description="Judge the run as it stood at this step [steps]."),
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the query parameter
        Format | None, Query(description="The format of the reply; goes before Accept. JSON when neither says.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    if_none_match: Annotated[
        str, Header(description="The ETag of a diagnosis that the client has.", examples=['"0f3c"'])
    ] = "",
) -> Response:
    """What is wrong with a run, on what evidence, and what to do about it; or as it stood at an earlier step.

    Ask as often as you like with If-None-Match: while nothing has changed, no point is read.
    """
    chosen = format or choose(accept, FORMATS)
    # Taken before the points are read: if more arrive meanwhile, the next answer is fresh, never a wrong 304.
    etag = etag_of(service.diagnosis_version(project, run), at_step, chosen)
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache"}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    diagnosis = service.diagnose(project, run, at_step=at_step)
    return answer(service, project, run, diagnosis, chosen, at_step, headers)


@router.get(
    "/api/v1/projects/{project}/diagnoses",
    summary="Diagnose a project's runs",
    response_model=DiagnosisPage,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="One page of diagnoses, in the order of the runs' names.",
        example={"items": [_DIAGNOSIS], "next": None},
    ),
)
def list_diagnoses(
    service: ServiceHere,
    project: ProjectName,
    limit: Limit = 50,
    after: After = None,
    state: Annotated[RunState | None, Query(description="Only runs in this state.")] = None,
    severity: Annotated[
        Severity | None, Query(description="Only runs with a finding of this severity or a worse one.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        Query(max_length=100, description="Only runs with a finding of this rule, by code or name; may be repeated."),
    ] = None,
) -> Response:
    """Every run's diagnosis, a page at a time, for dashboards.

    With both `severity` and `rule`, one finding must match both. A page can hold fewer than `limit` items, even none,
    and still have a `next`: go on until it is null.
    """
    wanted = _codes(rule) if rule else None
    items: list[Diagnosis] = []
    judged = 0
    while len(items) < limit and judged < MOST_RUNS_A_PAGE:
        page = service.diagnose_project(project, limit=limit, after=after, state=state)
        for diagnosis in page:
            judged, after = judged + 1, diagnosis.run
            if _matches(diagnosis, severity, wanted):
                items.append(diagnosis)
            if len(items) == limit:
                break
        else:
            if len(page) < limit:
                after = None
                break
    return reply({"items": items, "next": after})


def _codes(rules: Sequence[str]) -> set[str]:
    known = {**{rule.code: rule.code for rule in CATALOGUE}, **{rule.name: rule.code for rule in CATALOGUE}}
    for rule in rules:
        if rule not in known:
            raise InvalidInput(f"query.rule: there is no rule {rule[:100]!r}; the rules are listed at /api/v1/rules")
    return {known[rule] for rule in rules}


def _matches(diagnosis: Diagnosis, severity: Severity | None, codes: set[str] | None) -> bool:
    if severity is None and codes is None:
        return True
    least = SEVERITIES.index(severity or "info")
    return any(
        SEVERITIES.index(finding.severity) >= least and (codes is None or finding.code in codes)
        for finding in diagnosis.findings
    )


@router.post(
    "/api/v1/diagnose",
    summary="Diagnose curves that are not stored",
    response_model=Diagnosis,
    responses=documented(
        UNREADABLE_BODY,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.InvalidParams,
        POINTS_REFUSED,
        description="All verdicts, findings first, the most severe and surest first of all.",
        example={**_DIAGNOSIS, "run": None, "project": None},
    ),
    openapi_extra=one_body(
        JSON,
        DiagnoseIn,
        {
            "curves": {
                "curves": {
                    "train/loss": {"steps": [0, 1, 2, 3], "values": [2.3, 1.1, 0.6, 0.4]},
                    "val/loss": {"steps": [0, 2], "values": [2.3, 0.7]},
                },
                "context": {"num_classes": 10, "planned_steps": 12000, "state": "finished"},
            }
        },
        required=True,
    ),
)
async def diagnose_curves(request: Request) -> Response:
    """The same judgement without a run: nothing is stored. A bad point refuses the whole body, and is named."""
    media_type(request)
    body = await read_body(request)
    return await to_thread.run_sync(_diagnose, body, allowed(request), limiter=decoders(request))


def _diagnose(body: bytes, most: Most) -> Response:
    sent, batch = read_columns(DiagnoseIn, body, most)
    if batch.rejected:
        return refuse(batch)
    raw = {part.name: make_curve(part.name, part.steps, part.values) for part in batch.points}
    context = Context(**(sent.context.given() if sent.context else {}))
    return reply(judge(raw, context, params=sent.params))
