"""The diagnosis as JSON: the shape that the API answers."""

from collections.abc import Sequence

from pydantic_core import to_json

from app.diagnosis import Diagnosis


def render(diagnosis: Diagnosis) -> str:
    """Strict JSON; NaN and infinities become the strings `NaN`, `Infinity` and `-Infinity`."""
    return to_json(diagnosis, indent=2, inf_nan_mode="strings").decode() + "\n"


def render_many(diagnoses: Sequence[Diagnosis]) -> str:
    """Many at once, as one whole page of the API's list."""
    page = {"items": list(diagnoses), "next": None}
    return to_json(page, indent=2, inf_nan_mode="strings").decode() + "\n"
