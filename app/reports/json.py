"""The diagnosis as JSON: the shape that the API answers."""

from pydantic_core import to_json

from app.diagnosis import Diagnosis


def render(diagnosis: Diagnosis) -> str:
    """Strict JSON; NaN and infinities become the strings `NaN`, `Infinity` and `-Infinity`."""
    return to_json(diagnosis, indent=2, inf_nan_mode="strings").decode() + "\n"
