"""The catalogue of rules, each with a picture of the shape that it recognises."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import NotFound
from app.pages.drawing import THEMES, drawn
from app.pages.render import page
from app.pages.vega import VEGA
from app.reports.catalogue import params_of, sections, worded_need
from app.reports.shapes import shape_chart
from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION
from app.rules.rule import Rule

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Entry:
    """A rule as people read it: its docstring in parts, and its params as (name, default, bounds, meaning)."""

    code: str
    name: str
    first: str
    sections: Sequence[tuple[str, str]]
    needs: Sequence[str]
    params: Sequence[tuple[str, str, str, str]]


@router.get("/rules")
def show_rules(request: Request) -> Response:
    """The page: what docs/rules.md holds, from the same docstrings."""
    return page(
        request,
        "rules.html",
        here="rules",
        vega=VEGA,
        version=CATALOGUE_VERSION,
        rules=[_entry(rule) for rule in CATALOGUE],
    )


@router.get("/rules/{code}/shape")
def get_shape(code: str) -> Response:
    """A drawing of the shape."""
    if code not in {rule.code for rule in CATALOGUE}:
        raise NotFound(f"there is no rule {code!r}; the rules are listed at /rules")
    return drawn(shape_chart(code), {theme: shape_chart(code, theme)["config"] for theme in THEMES})


def _entry(rule: Rule) -> Entry:
    return Entry(
        code=rule.code,
        name=rule.name,
        first=rule.doc.strip().splitlines()[0],
        sections=list(sections(rule.doc)),
        needs=[worded_need(need) for need in rule.needs],
        params=list(params_of(rule)),
    )
