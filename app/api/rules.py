"""The catalogue of rules, for people and for programs that set params."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from app.api.openapi import documented
from app.api.wire import Out, reply
from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION
from app.rules.rule import Rule

router = APIRouter(tags=["rules"])


class NeedOut(Out):
    """A curve that a rule cannot judge without."""

    curve: Annotated[str, Field(description="Its role.", examples=["train/loss"])]
    min_points: Annotated[int, Field(ge=1, description="How many finite points of it [points].")]


class RuleOut(Out):
    """What recognises one pathology."""

    code: Annotated[str, Field(description="Its stable code.", examples=["CW005"])]
    name: Annotated[str, Field(description="Its name, as it stands in `params`.", examples=["overfitting"])]
    doc: Annotated[str, Field(description="What it detects, how, when it fires, its blind spots, and its source.")]
    needs: Annotated[list[NeedOut], Field(description="Curves without which it answers `skipped`.")]
    params: Annotated[
        dict[str, Any],
        Field(description="JSON Schema of its params: default, bounds, unit and meaning of each."),
    ]


class CatalogueOut(Out):
    """The catalogue of rules."""

    catalogue: Annotated[str, Field(description="Its version, as in every diagnosis.", examples=["2026.2"])]
    rules: Annotated[list[RuleOut], Field(description="The rules, in the order of their codes.")]


_EXAMPLE = {
    "catalogue": "2026.2",
    "rules": [
        {
            "code": "CW005",
            "name": "overfitting",
            "doc": "Validation loss climbs away from its best while training loss keeps falling.",
            "needs": [{"curve": "train/loss", "min_points": 8}, {"curve": "val/loss", "min_points": 8}],
            "params": {
                "type": "object",
                "properties": {
                    "min_rise": {
                        "type": "number",
                        "default": 3.0,
                        "description": "Climb of val loss above its best [noise units]",
                    }
                },
            },
        }
    ],
}


@router.get(
    "/api/v1/rules",
    summary="List the rules",
    response_model=CatalogueOut,
    responses=documented(description="The catalogue.", example=_EXAMPLE),
)
def list_rules() -> Response:
    """Every rule with its documentation, what it needs, and its params as JSON Schema."""
    return reply(CatalogueOut(catalogue=CATALOGUE_VERSION, rules=[_out(rule) for rule in CATALOGUE]))


def _out(rule: Rule) -> RuleOut:
    return RuleOut(
        code=rule.code,
        name=rule.name,
        doc=rule.doc,
        needs=[NeedOut.model_validate(need) for need in rule.needs],
        params=rule.params.model_json_schema(),
    )
