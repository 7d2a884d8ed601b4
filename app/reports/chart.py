"""One Vega-Lite spec for page, HTML report, SVG and PNG: a run's curves with its findings drawn on them.

No expression in it needs more than Vega's interpreter has, so that a page without `eval` can show it (`ast: true`).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.reports import marks, series, words
from app.reports.notes import Deed, Notes, notes
from app.reports.points import MOST_POINTS, SMOOTHING, Axis, Row, at, coordinate, rows, suits_log
from app.reports.series import Look
from app.reports.theme import Theme, config

Spec = dict[str, Any]
Width = int | Literal["container"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
HEIGHT = 340
_SPLITS = ("train", "val")


def chart(
    diagnosis: Diagnosis,
    curves: Mapping[str, Curve],
    *,
    roles: Mapping[str, str] | None = None,
    metric: str = "loss",
    smoothing: float = 0.0,
    x: Axis = "step",
    log_y: bool = False,
    width: Width = "container",
    height: int = HEIGHT,
    most: int = MOST_POINTS,
    theme: Theme = "light",
    small: bool = False,
    deeds: Sequence[Deed] = (),
) -> Spec:
    """The curves of one metric of a run, raw behind smoothed; on the loss, the findings as well.

    curves: by raw name. roles: raw name -> role, over what the name says. metric: one of `points.metrics`. smoothing:
    0 to below 1. x: one of `points.axes`. most: points of a curve that are drawn. small: a picture without zoom, legend
    and numbers on its axes. deeds: what was done about the run. The dataset `points` may be replaced by fresh
    `points.rows`; the param `zoom` holds the interval that is zoomed to. Raises InvalidInput for an axis that the run
    did not log.
    """
    roles = roles or {}
    where = coordinate(curves, roles, x) if x != "step" else None
    if x != "step" and where is None:
        raise InvalidInput(f"x: the run logged no {x}, so it cannot be drawn over it")
    points = rows(curves, roles=roles, metric=metric, smoothing=smoothing, most=most)
    to_axis = partial(at, where)
    drawn = notes(diagnosis, curves, roles, to_axis, deeds) if metric == "loss" else Notes()
    names = list(dict.fromkeys(str(row["curve"]) for row in points))
    splits = [f"{split}/{metric}" for split in _SPLITS]
    domain = splits if set(names) & set(splits) else names
    layers = [
        *marks.behind(drawn),
        *series.layers(Look("curve", domain, "curve", domain, names), points, x, words.plain(metric), log_y, small),
        *marks.in_front(x, drawn, zoom=not small),
    ]
    spec = _whole(_description(diagnosis, metric), layers, points, width, height, theme)
    spec["padding"]["top"] += marks.LINE * drawn.lanes
    spec["datasets"] |= {"spans": drawn.spans, "marks": drawn.marks, "best": drawn.best, "forecast": drawn.forecast}
    return spec


def report_chart(
    diagnosis: Diagnosis,
    curves: Mapping[str, Curve],
    *,
    roles: Mapping[str, str] | None = None,
    metric: str = "loss",
    height: int = HEIGHT,
    most: int = MOST_POINTS,
    theme: Theme = "light",
) -> Spec:
    """The chart as reports show it, where nobody can turn a knob: smoothed, and on the axis that suits the metric."""
    return chart(
        diagnosis,
        curves,
        roles=roles,
        metric=metric,
        smoothing=SMOOTHING,
        log_y=suits_log(curves, roles, metric),
        height=height,
        most=most,
        theme=theme,
    )


def compare_chart(
    runs: Mapping[str, Mapping[str, Curve]],
    *,
    roles: Mapping[str, str] | None = None,
    metric: str = "loss",
    smoothing: float = 0.0,
    x: Axis = "step",
    log_y: bool = False,
    width: Width = "container",
    height: int = HEIGHT,
    theme: Theme = "light",
) -> Spec:
    """One metric of several runs: a colour a run, train and val told apart by the dash.

    runs: by the name that the legend shows, the curves of each by raw name; the rest as for `chart`. A row of the
    dataset `points` has the run's name in `run` as well. A run that did not log the axis is left out.
    """
    points: list[Row] = []
    for name, curves in runs.items():
        if x == "step" or coordinate(curves, roles or {}, x) is not None:
            found = rows(curves, roles=roles, metric=metric, smoothing=smoothing)
            points += [
                {**row, "run": words.plain(name), "curve": f"{row['curve']} of {words.plain(name)}"} for row in found
            ]
    names = [words.plain(name) for name in runs]
    splits = [split for split in (*_SPLITS, "") if any(row["split"] == split for row in points)]
    layers = series.layers(Look("run", names, "split", splits, names), points, x, metric, log_y)
    return _whole(
        f"{words.plain(metric)} of {len(runs)} runs: {', '.join(names)}", layers, points, width, height, theme
    )


def _whole(
    description: str, layers: Sequence[Spec], points: Sequence[Row], width: Width, height: int, theme: Theme
) -> Spec:
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 5, "right": 20, "top": 8, "bottom": 5},
        "config": config(theme),
        "datasets": {"points": points},
        "layer": layers,
        "resolve": {"legend": {"color": "independent", "strokeDash": "independent"}},
    }


def _description(diagnosis: Diagnosis, metric: str) -> str:
    """What a screen reader says of the picture."""
    found = "; ".join(words.plain(f"{f.rule}: {f.summary}") for f in diagnosis.findings) or "nothing was found"
    return f"{words.plain(metric)} of {words.heading(diagnosis)}. {found}."
