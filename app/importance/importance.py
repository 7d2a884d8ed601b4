"""How much of what parts good configurations from bad ones each hyper-parameter explains, with an interval."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

import numpy as np
from pydantic import Field

from app.errors import MissingExtra, Unavailable
from app.search.parameters import Choice, Parameter, Value, as_number, same_value
from app.search.space import Space

FEWEST = 10  # configurations: below, a forest of them says nothing
MOST_ROWS = 150  # of a resample: the cost grows with their square
_RESAMPLES = 25
_TIMEOUT_S = 120.0
# On functions that are known, the forest's own shares are off by so much, however many configurations it sees: it takes
# a weak parameter for a weaker one (tests/importance/test_importance.py).
_RESOLUTION = 0.04
_COVERED = (0.025, 0.975)
_FENCE = 3.0  # interquartile ranges beyond the upper quartile


@dataclass(frozen=True, kw_only=True)
class ParameterImportance:
    """How much one hyper-parameter matters."""

    name: Annotated[str, Field(description="The hyper-parameter's name in the space.")]
    importance: Annotated[
        float | None,
        Field(
            description="Share of the metric's variance over the space that it explains alone [0 to 1]; null when that "
            "cannot be judged."
        ),
    ]
    interval: Annotated[
        tuple[float, float],
        Field(description="95 % interval, from resampling configurations with all their seeds [0 to 1]."),
    ]
    says: Annotated[str, Field(description="The same in one sentence.")]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Which hyper-parameters of a search matter."""

    judged: Annotated[bool, Field(description="Whether there are enough configurations to say anything.")]
    says: Annotated[str, Field(description="The answer in a sentence or two.")]
    configurations: Annotated[int, Field(ge=0, description="How many configurations were compared [configurations].")]
    left_out: Annotated[
        int, Field(ge=0, description="Configurations outside the space, or without a parameter of it [configurations].")
    ]
    parameters: Annotated[tuple[ParameterImportance, ...], Field(description="The most important first.")]
    together: Annotated[
        float | None,
        Field(description="Share that no hyper-parameter explains alone: they interact, or it is noise [0 to 1]."),
    ]


@dataclass(frozen=True)
class Row:
    """A configuration by the names of the space, and its level: less is better. Infinite where it diverged."""

    configuration: Mapping[str, Value]
    level: float


def importance_of(space: Space, rows: Sequence[Row], seed: int) -> Importance:
    """Judge the configurations. rows: one each, all its seeds in one level. Takes seconds.

    Raises MissingExtra where Optuna is not installed, Unavailable when it takes too long.
    """
    inner = [row for row in rows if _is_inside(space, row.configuration)]
    varied = [name for name in space.parameters if len({repr(row.configuration[name]) for row in inner}) > 1]
    left_out = len(rows) - len(inner)
    levels = _fenced([row.level for row in inner])
    if reason := _why_not(inner, varied, levels):
        unknown = tuple(
            ParameterImportance(name=name, importance=None, interval=(0.0, 1.0), says=f"{name}: not known")
            for name in space.parameters
        )
        return Importance(
            judged=False, says=reason, configurations=len(inner), left_out=left_out, parameters=unknown, together=None
        )
    answer = _asked(space, varied, inner, levels, seed)
    estimate, resampled = np.array(answer["estimate"]), np.array(answer["resampled"])
    low, high = np.quantile(resampled, _COVERED, axis=0)
    # A forest of resampled rows has fewer different ones and sees less in them. The quantiles as they are hold for what
    # it then sees, mirrored at the estimate they correct for it: the interval spans both, and misses neither way.
    low, high = np.minimum(low, 2 * estimate - high), np.maximum(high, 2 * estimate - low)
    low, high = np.clip(low - _RESOLUTION, 0.0, 1.0), np.clip(high + _RESOLUTION, 0.0, 1.0)
    found = {
        name: _parameter(name, float(estimate[k]), (float(low[k]), float(high[k]))) for k, name in enumerate(varied)
    }
    fixed = [name for name in space.parameters if name not in found]
    parameters = sorted(found.values(), key=lambda one: -(one.importance or 0.0))
    return Importance(
        judged=True,
        says=_summary(parameters, len(inner)),
        configurations=len(inner),
        left_out=left_out,
        parameters=(*parameters, *(_fixed(name) for name in fixed)),
        together=max(0.0, 1.0 - float(estimate.sum())),
    )


def _is_inside(space: Space, configuration: Mapping[str, Value]) -> bool:
    return all(name in configuration and _has(one, configuration[name]) for name, one in space.parameters.items())


def _has(parameter: Parameter, value: Value) -> bool:
    if isinstance(parameter, Choice):
        return parameter.has(value)
    number = as_number(value)
    return number is not None and parameter.has(number)


def _why_not(inner: Sequence[Row], varied: Sequence[str], levels: Sequence[float]) -> str:
    if len(inner) < FEWEST:
        return (
            f"{len(inner)} configurations of the space have a level, and fewer than {FEWEST} say nothing of what "
            "matters: any share is possible"
        )
    if not varied:
        return "all configurations are the same: nothing was varied"
    if max(levels) - min(levels) == 0:
        return "all configurations have the same level: nothing parts them"
    return ""


def _fenced(levels: Sequence[float]) -> list[float]:
    """Diverged and far-out levels held at a fence, so that one of 1e6 does not make up all of the variance."""
    finite = np.array([level for level in levels if math.isfinite(level)])
    if not finite.size:
        return [0.0] * len(levels)
    first, third = np.quantile(finite, (0.25, 0.75))
    spread = (third - first) or (finite.max() - finite.min()) or 1.0
    fence = float(third + _FENCE * spread)
    return [fence if math.isnan(level) else min(level, fence) for level in levels]


def is_installed() -> bool:
    """Whether what computes it is there."""
    return find_spec("optuna") is not None and find_spec("sklearn") is not None


def _asked(
    space: Space, varied: Sequence[str], inner: Sequence[Row], levels: Sequence[float], seed: int
) -> dict[str, list[float]]:
    """What the process answers to these rows."""
    if not is_installed():
        raise MissingExtra("importance is computed by Optuna and scikit-learn; run: pip install 'curvewise[search]'")
    options = [len(one.options) if isinstance(one := space.parameters[name], Choice) else None for name in varied]
    question = {
        "options": options,
        "rows": [[_place(space, name, row.configuration[name]) for name in varied] for row in inner],
        "values": list(levels),
        "most_rows": MOST_ROWS,
        "resamples": _RESAMPLES,
        "seed": seed % 2**32,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.importance.fanova"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"importance took over {_TIMEOUT_S:g} s on this busy machine; ask again later") from error
    answer: dict[str, list[float]] = json.loads(done.stdout)
    return answer


def _place(space: Space, name: str, value: Value) -> float:
    """An option's index, else how far through its range a number lies [0 to 1]."""
    parameter = space.parameters[name]
    if isinstance(parameter, Choice):
        return next(k for k, option in enumerate(parameter.options) if same_value(option, value))
    assert isinstance(value, int | float)  # noqa: S101 - it lies inside the range
    return min(max(parameter.share(value), 0.0), 1.0)


def _parameter(name: str, share: float, interval: tuple[float, float]) -> ParameterImportance:
    low, high = interval
    says = f"{name} alone explains {share:.0%} ({low:.0%} to {high:.0%}) of the variance over the space"
    if low <= _RESOLUTION:
        says += ", which may be nothing"
    return ParameterImportance(name=name, importance=share, interval=interval, says=says)


def _fixed(name: str) -> ParameterImportance:
    return ParameterImportance(name=name, importance=None, interval=(0.0, 1.0), says=f"{name} was not varied")


def _summary(parameters: Sequence[ParameterImportance], count: int) -> str:
    sure = [one for one in parameters if one.interval[0] > _RESOLUTION]
    if not sure:
        return (
            f"Over {count} configurations no hyper-parameter is known to matter: every interval reaches down to nothing"
        )
    first = sure[0]
    apart = [one for one in parameters if one is not first and one.interval[1] >= first.interval[0]]
    if not apart:
        return f"Over {count} configurations {first.name} matters most, beyond what chance makes of them"
    others = ", ".join(one.name for one in apart[:3])
    return f"Over {count} configurations {first.name} seems to matter most; {others} may matter as much"
