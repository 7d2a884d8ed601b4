"""What a search asks of the job that it started: its configuration, and how to run with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple


class Trial(NamedTuple):
    """What `curvewise search run` proposes to this process; empty where it is no trial of a search.

    config: hyper-parameters, nested as their dotted names say. settings: what else to do in this run, such as
    `sample_size` [examples], `seed`, `ramp_from` and `ramp_to` (a rate that grows by equal ratios within the run).
    planned_steps, planned_epochs: how long to train. search_step: which of the seven steps the run is for.
    """

    config: dict[str, Any]
    settings: dict[str, Any]
    planned_steps: float | None
    planned_epochs: float | None
    search_step: int | None


def trial(environ: Mapping[str, str] | None = None) -> Trial:
    """The trial that this process is to run, read from its environment. Raises ValueError for no JSON."""
    found = os.environ if environ is None else environ
    settings = _read(found, "CURVEWISE_SETTINGS")
    step = found.get("CURVEWISE_SEARCH_STEP", "")
    return Trial(
        config=_read(found, "CURVEWISE_CONFIG"),
        planned_steps=settings.pop("planned_steps", None),
        planned_epochs=settings.pop("planned_epochs", None),
        settings=settings,
        search_step=int(step) if step.isdecimal() else None,
    )


def _read(environ: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        value = json.loads(environ.get(name) or "{}")
    except ValueError as error:
        raise ValueError(f"{name} in the environment is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} in the environment is no JSON object")  # noqa: TRY004 - it was read, not passed
    return value
