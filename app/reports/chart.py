"""One Vega-Lite spec for page, HTML report, SVG and PNG: a run's curves with its findings drawn on them.

No expression in it needs more than Vega's interpreter has, so that a page without `eval` can show it (`ast: true`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.reports import words
from app.reports.notes import Notes, notes
from app.reports.points import Axis, Row, at, coordinate, rows
from app.reports.theme import Theme, config

Spec = dict[str, Any]
Width = int | Literal["container"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
HEIGHT = 340
_LINE = 16  # of labels above the plot [pixels]
_TITLES: Mapping[Axis, str] = {"step": "step", "epoch": "epoch", "time": "seconds since the run began"}


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
    theme: Theme = "light",
) -> Spec:
    """The curves of one metric of a run, raw behind smoothed; on the loss, the findings as well.

    curves: by raw name. roles: raw name -> role, over what the name says. metric: one of `points.metrics`. smoothing:
    0 to below 1. x: one of `points.axes`. The dataset `points` may be replaced by fresh `points.rows`; the param `zoom`
    holds the interval that is zoomed to. Raises InvalidInput for an axis that the run did not log.
    """
    roles = roles or {}
    where = coordinate(curves, roles, x) if x != "step" else None
    if x != "step" and where is None:
        raise InvalidInput(f"x: the run logged no {x}, so it cannot be drawn over it")
    points = rows(curves, roles=roles, metric=metric, smoothing=smoothing)
    drawn = notes(diagnosis, curves, roles, lambda steps: at(where, steps)) if metric == "loss" else Notes()
    series = list(dict.fromkeys(str(row["curve"]) for row in points))
    layers = [*_behind(drawn), *_curves(x, metric, series, log_y, points), *_in_front(drawn)]
    return {
        "$schema": SCHEMA,
        "description": _description(diagnosis, metric),
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 5, "right": 12, "top": 8 + _LINE * drawn.lanes, "bottom": 5},
        "config": config(theme),
        "datasets": {
            "points": points,
            "spans": drawn.spans,
            "marks": drawn.marks,
            "best": drawn.best,
            "forecast": drawn.forecast,
        },
        "layer": layers,
    }


def suits_log(curves: Mapping[str, Curve], roles: Mapping[str, str] | None = None, metric: str = "loss") -> bool:
    """Whether a metric is above zero and spans so much that a linear axis would hide most of it."""
    values = [row["value"] for row in rows(curves, roles=roles, metric=metric)]
    numbers = [value for value in values if isinstance(value, float)]
    return bool(numbers) and min(numbers) > 0 and max(numbers) > 30 * min(numbers)


def _description(diagnosis: Diagnosis, metric: str) -> str:
    """What a screen reader says of the picture."""
    found = "; ".join(words.plain(f"{f.rule}: {f.summary}") for f in diagnosis.findings) or "nothing was found"
    return f"{words.plain(metric)} of {words.heading(diagnosis)}. {found}."


def _curves(x: Axis, metric: str, series: Sequence[str], log_y: bool, points: Sequence[Row]) -> list[Spec]:
    """The raw points, faint, and the smoothed line before them; what is not finite at the upper edge."""
    domain = [f"{split}/{metric}" for split in ("train", "val")]
    domain = domain if set(series) & set(domain) else list(series)
    legend = {"title": None, "orient": "bottom", "values": list(series)} if len(series) > 1 else None
    colour = {"field": "curve", "type": "nominal", "scale": {"domain": domain, "range": "category"}, "legend": legend}
    dash = {
        "field": "curve",
        "type": "nominal",
        "scale": {"domain": domain, "range": [[1, 0], [7, 2]]},
        "legend": legend,
    }
    shape = {
        "field": "curve",
        "type": "nominal",
        "scale": {"domain": domain, "range": ["circle", "diamond"]},
        "legend": None,
    }
    across = {"field": x, "type": "quantitative", "axis": _x_axis(x, points), "scale": {"nice": False, "zero": False}}
    kind = _scale(log_y, points)
    up = {
        "type": "quantitative",
        "title": metric,
        "axis": {"format": "~g"} if kind["type"] != "linear" else {},
        "scale": kind,
    }
    tip = [{"field": "curve", "title": "curve"}, *_tips(points), {"field": "value", "format": ".5~g"}]
    smooth = [*tip, {"field": "smooth", "format": ".5~g", "title": "smoothed"}]
    base: Spec = {"data": {"name": "points"}}
    return [
        {
            **base,
            "name": "raw",
            "params": [{"name": "zoom", "select": "interval", "bind": "scales"}],
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "clip": True},
            "encoding": {"x": across, "y": {**up, "field": "value"}, "color": colour},
        },
        {
            **base,
            "mark": {"type": "point", "filled": True, "opacity": 0.45, "size": 16, "clip": True},
            "encoding": {
                "x": across,
                "y": {**up, "field": "value"},
                "color": colour,
                "shape": shape,
                "tooltip": smooth,
            },
        },
        {
            **base,
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {"x": across, "y": {**up, "field": "smooth"}, "color": colour, "strokeDash": dash},
        },
        {
            **base,
            "transform": [{"filter": "isValid(datum.said)"}],
            "mark": {"type": "point", "shape": "cross", "size": 40, "filled": True, "clip": False},
            "encoding": {"x": across, "y": {"value": 0}, "color": colour, "tooltip": [*tip[:-1], {"field": "said"}]},
        },
    ]


def _scale(log_y: bool, points: Sequence[Row]) -> Spec:
    """Logarithmic as asked, down to zero and below by the symmetric logarithm."""
    if not log_y:
        return {"type": "linear", "zero": False}
    numbers = [abs(value) for row in points if isinstance(value := row["value"], float) and value]
    above = all(row["value"] > 0 for row in points if isinstance(row["value"], float))
    return {"type": "log"} if above else {"type": "symlog", "constant": min(numbers, default=1.0)}


def _x_axis(x: Axis, points: Sequence[Row]) -> Spec:
    last = max((value for row in points if isinstance(value := row[x], float)), default=0.0)
    return {
        "title": _TITLES[x],
        "labelOverlap": True,
        "format": "~s" if last >= 1e5 else ",~g",
    }


def _tips(points: Sequence[Row]) -> list[Spec]:
    known = points[0] if points else {}
    return [{"field": name, "format": ",.6~g"} for name in ("step", "epoch", "time") if name in known]


def _behind(drawn: Notes) -> list[Spec]:
    """What lies behind the curves: flat stretches and the forecast."""
    across = {"type": "quantitative"}
    layers: list[Spec] = []
    if drawn.spans:
        layers.append(
            {
                "data": {"name": "spans"},
                "mark": {"type": "rect", "style": "flat", "clip": True},
                "encoding": {"x": {**across, "field": "from"}, "x2": {"field": "to"}, "tooltip": {"field": "text"}},
            }
        )
    if drawn.forecast:
        tip = [{"field": name, "format": ".4~g"} for name in ("at", "expected", "low", "high")]
        band = {
            "x": {**across, "field": "at"},
            "y": {**across, "field": "low"},
            "y2": {"field": "high"},
            "tooltip": tip,
        }
        line = {"x": {**across, "field": "at"}, "y": {**across, "field": "expected"}, "tooltip": tip}
        data = {"data": {"name": "forecast"}}
        layers.append({**data, "mark": {"type": "area", "style": "forecast-band", "clip": True}, "encoding": band})
        layers.append({**data, "mark": {"type": "line", "style": "forecast-line", "clip": True}, "encoding": line})
    return layers


def _in_front(drawn: Notes) -> list[Spec]:
    """What stands before the curves: a rule for each mark, a ring at the best step, and the labels above the plot."""
    across = {"field": "at", "type": "quantitative"}
    rules = [
        {
            "data": {"name": "marks"},
            "transform": [{"filter": f"datum.kind === '{kind}'"}],
            "mark": {"type": "rule", "style": kind, "clip": True},
            "encoding": {"x": across},
        }
        for kind in ("cut", "onset", "best")
        if any(row["kind"] == kind for row in drawn.marks)
    ]
    layers: list[Spec] = rules
    if drawn.best:
        ring = {"x": across, "y": {"field": "value", "type": "quantitative"}, "tooltip": {"field": "text"}}
        mark = {"type": "point", "style": "best-point", "size": 110, "clip": True, "opacity": 1}
        layers.append({"data": {"name": "best"}, "mark": mark, "encoding": ring})
    for lane in range(drawn.lanes):
        for align, dx in (("left", 2), ("right", -2)):
            if any(row["lane"] == lane and row["align"] == align for row in drawn.marks):
                layers.append(
                    {
                        "data": {"name": "marks"},
                        "transform": [
                            {"filter": f"datum.lane === {lane} && datum.align === '{align}' && datum.text !== ''"}
                        ],
                        "mark": {"type": "text", "style": "note", "align": align, "baseline": "bottom", "dx": dx},
                        "encoding": {"x": across, "y": {"value": -4 - _LINE * lane}, "text": {"field": "text"}},
                    }
                )
    return layers
