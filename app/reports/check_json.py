"""Checks as JSON: everything that was found and measured, and a baseline for later checks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from app.checks.check import Check, Outcome, worst
from app.checks.level import Level
from app.errors import InvalidInput

FORM: Literal["curvewise-check/1"] = "curvewise-check/1"


@dataclass(frozen=True, kw_only=True)
class Document:
    """What `render` writes, as far as it is read back."""

    form: Literal["curvewise-check/1"]
    checks: Annotated[Sequence["Measured"], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One check, as far as a later one is compared with it."""

    name: str
    identity: str
    outcome: Outcome
    levels: Mapping[str, Level]


_DOCUMENT = TypeAdapter(Document)


def render(checks: Sequence[Check]) -> str:
    """Strict JSON; NaN and infinities become the strings `NaN`, `Infinity` and `-Infinity`."""
    document = {"form": FORM, "outcome": worst(checks), "checks": list(checks)}
    text = json.dumps(to_jsonable_python(document, inf_nan_mode="strings"), indent=2, ensure_ascii=False)
    return text.encode(errors="replace").decode() + "\n"  # the path of a log may hold what is no text


def read(text: bytes) -> Sequence[Measured]:
    """The checks of a document that `render` wrote. Raises InvalidInput when it is none."""
    try:
        return _DOCUMENT.validate_json(text).checks
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"not a report of `curvewise check --format json`: {where}: {first['msg']}") from error
