"""A run's curves as the rows that a chart draws: thinned, smoothed, and on the axis that is asked for."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.curves.roles import ROLES, choose, role_of, to_roles
from app.curves.thinning import for_display, for_rules
from app.errors import InvalidInput
from app.reports import words

Axis = Literal["step", "epoch", "time"]
Row = dict[str, float | str | None]

SMOOTHING = 0.6  # where nobody says how much
MOST_POINTS = 2000  # of a curve: a screen has fewer columns
_LOG_FROM = 20.0  # times its lowest level: a course that spans more is drawn on a logarithmic axis
_SMOOTHED_OVER = 1000  # columns of a chart: the smoothing is per column, whatever was logged
_LOOKED_AT = ("loss", "accuracy", "error", "perplexity", "lr")
_TIMES = ("time", "_runtime", "runtime", "seconds", "wall_time", "_timestamp", "timestamp")


def metrics(curves: Mapping[str, Curve], roles: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What can be drawn: metrics of known roles first, loss before all, then curves without a role by their names."""
    shown = _shown(curves, roles or {})
    return tuple(dict.fromkeys(metric for metric, _, _ in shown))


def axes(curves: Mapping[str, Curve], roles: Mapping[str, str] | None = None) -> tuple[Axis, ...]:
    """The axes that a chart of these curves can have; `step` always."""
    kinds: Sequence[Axis] = ("step", "epoch", "time")
    return tuple(kind for kind in kinds if kind == "step" or coordinate(curves, roles or {}, kind) is not None)


def rows(
    curves: Mapping[str, Curve],
    *,
    roles: Mapping[str, str] | None = None,
    metric: str = "loss",
    smoothing: float = 0.0,
    most: int = MOST_POINTS,
) -> list[Row]:
    """The points of one metric, in step order within each curve.

    curves: by raw name. roles: raw name -> role, over what the name says. smoothing: 0 to below 1, see `smoothed`.
    A row is {"curve", "split", "metric", "step", "epoch" and "time" where known, "value", "smooth"}; of a point that is
    not finite, value and smooth are None and "said" is what was logged. Raises InvalidInput for a bad smoothing.
    """
    if not 0 <= smoothing < 1:
        raise InvalidInput(f"smoothing: {smoothing:g} is not from 0 to below 1")
    beside = {kind: coordinate(curves, roles or {}, kind) for kind in ("epoch", "time")}
    found: list[Row] = []
    for name, split, curve in _shown(curves, roles or {}):
        if name == metric:
            found += _rows(
                curve, split, metric, smoothed(curve, smoothing), {k: c for k, c in beside.items() if c}, most
            )
    return found


def suits_log(curves: Mapping[str, Curve], roles: Mapping[str, str] | None = None, metric: str = "loss") -> bool:
    """Whether a metric is above zero and its course spans so much that a linear axis would hide most of it."""
    drawn = [curve.finite() for name, _, curve in _shown(curves, roles or {}) if name == metric]
    drawn = [curve for curve in drawn if len(curve)]
    if not drawn or min(float(curve.values.min()) for curve in drawn) <= 0:
        return False
    levels = [smoothed(curve, SMOOTHING).values for curve in drawn]
    return max(float(level.max()) for level in levels) > _LOG_FROM * min(float(level.min()) for level in levels)


def coordinate(curves: Mapping[str, Curve], roles: Mapping[str, str], kind: str) -> Curve | None:
    """What tells the epoch or the time [seconds since the run began] of each step; None where nothing does."""
    if kind == "epoch":
        found = to_roles({name: curve for name, curve in curves.items() if len(curve)}, roles).get("epoch")
    else:
        found = next((curves[name] for name in _TIMES if name in curves), None)
    if found is None or len(found.finite()) < 2:
        return None
    found = found.finite()
    start = float(found.values[0]) if kind == "time" else 0.0
    return Curve(found.name, found.steps, np.maximum.accumulate(found.values - start))


def at(where: Curve | None, steps: FloatArray) -> FloatArray:
    """Steps on another axis, in a straight line between the steps that tell it; as they are where `where` is None."""
    if where is None:
        return steps
    inside = np.interp(steps, where.steps, where.values)
    # A forecast lies beyond the last point: it goes on at the pace of the whole run.
    beyond = np.maximum(steps - where.steps[-1], 0.0)
    pace = (where.values[-1] - where.values[0]) / max(float(where.steps[-1] - where.steps[0]), 1e-300)
    return np.asarray(inside + beyond * pace)


def smoothed(curve: Curve, smoothing: float) -> Curve:
    """The finite points behind an exponential mean to both sides, so that it lags behind no fall.

    smoothing: 0 keeps the points as they are; towards 1, a point counts for the square root of it less with each
    thousandth of the run between, the measure that trackers have for theirs. How often was logged makes no difference.
    """
    means = for_rules(curve.finite(), MOST_POINTS)
    if smoothing == 0 or len(means) < 3:
        return curve.finite()
    columns = np.diff(means.steps) * (_SMOOTHED_OVER / (means.steps[-1] - means.steps[0]))
    kept = min(math.sqrt(smoothing), 0.999) ** columns
    before = _discounted(means.values, np.append(0.0, kept))
    after = _discounted(means.values[::-1], np.append(0.0, kept[::-1]))[:, ::-1]
    level, weight = before + after - np.stack([means.values, np.ones(len(means))])
    return Curve(curve.name, means.steps, level / weight)


def _discounted(values: FloatArray, kept: FloatArray) -> FloatArray:
    """Running sum in which a share `kept` of what was before each point is left, and the weight of it [2, points]."""
    level, weight, found = 0.0, 0.0, np.empty((2, values.size))
    for index, (value, keep) in enumerate(zip(values.tolist(), kept.tolist(), strict=True)):
        level, weight = level * keep + value, weight * keep + 1.0
        found[:, index] = level, weight
    return found


def _shown(curves: Mapping[str, Curve], roles: Mapping[str, str]) -> list[tuple[str, str, Curve]]:
    """Metric, split and curve of everything that can be drawn: by role, then what has none by its own name."""
    logged = {name: curve for name, curve in curves.items() if len(curve)}
    known = to_roles(logged, roles)
    found = [
        (role.metric or name, role.split or "", known[name])
        for name, role in ROLES.items()
        if name in known and name != "epoch"
    ]
    taken = {*choose(logged, roles).values(), *_TIMES}
    others = [(raw, "", logged[raw]) for raw in sorted(logged) if raw not in taken and role_of(raw).name != "epoch"]
    return [*sorted(found, key=lambda one: _LOOKED_AT.index(one[0])), *others]


def _rows(curve: Curve, split: str, metric: str, smooth: Curve, beside: Mapping[str, Curve], most: int) -> list[Row]:
    thin = for_display(curve, most)
    finite = np.isfinite(thin.values)
    level = np.interp(thin.steps, smooth.steps, smooth.values) if len(smooth) else thin.values
    coordinates = {kind: at(where, thin.steps).tolist() for kind, where in beside.items()}
    name, metric = words.plain(curve.name), words.plain(metric)
    found: list[Row] = []
    for index, (step, value) in enumerate(zip(thin.steps.tolist(), thin.values.tolist(), strict=True)):
        row: Row = {"curve": name, "split": split, "metric": metric, "step": step}
        row |= {kind: column[index] for kind, column in coordinates.items()}
        row |= {"value": value, "smooth": float(level[index])} if finite[index] else _not_finite(value)
        found.append(row)
    return found


def _not_finite(value: float) -> Row:
    said = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return {"value": None, "smooth": None, "said": said}
