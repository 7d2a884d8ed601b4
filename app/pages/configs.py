"""A run's config as lines of text, to be read and to be compared."""

from collections.abc import Mapping

from pydantic_core import to_json


def flat(config: Mapping[str, object], before: str = "") -> dict[str, object]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    found: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def as_text(value: object) -> str:
    """A config's value as JSON; text without its quotes."""
    return value if isinstance(value, str) else to_json(value, inf_nan_mode="constants").decode()
