"""Pictures of a search: its configurations over one parameter, and how much each parameter matters.

Specs for Vega's interpreter, like those of chart.py. Parameters are called what somebody called them: their names are
texts in the data, never fields or expressions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.importance.importance import Importance
from app.reports import words
from app.reports.chart import SCHEMA, Spec
from app.reports.theme import Theme, config
from app.search.answers import Ranked
from app.search.parameters import Choice, Integer, LogUniform, Parameter, Value, as_number
from app.search.search import Search
from app.search.space import Space, value_at

MOST_DRAWN = 500  # configurations: more are a blot
_SLICE_HEIGHT, _BAR = 190, 38  # [pixels]
_TINY = 1e-3  # below it, zeros after the point are not counted any more
_LOG_FROM = 20.0  # times the least level: what spans more is drawn on a logarithmic axis
_GOOD, _WORSE = "as good as the best", "worse, beyond noise"
# Best to worst; told apart by the colour blind, and by day and night from their ground.
_RAMP: Mapping[Theme, Sequence[str]] = {
    "light": ["#0b5d8f", "#5b96bd", "#c98a4b", "#b5480f"],
    "dark": ["#62b0f5", "#5f8fb8", "#b9854f", "#fb9a5b"],
}
_MEDIUM: Mapping[Theme, str] = {"light": "#8a929c", "dark": "#6b7481"}


@dataclass(frozen=True)
class Drawn:
    """A configuration that is drawn. place: 0 is the best."""

    place: int
    values: Mapping[str, object]
    ranked: Ranked
    level: float


def looks(theme: Theme) -> dict[str, object]:
    """The config of a search's charts."""
    usual: dict[str, Any] = config(theme)
    kinds = {
        "end": {"color": usual["axis"]["labelColor"], "fontSize": 12},
        "axis-line": {"color": _MEDIUM[theme], "strokeWidth": 1},
        "interval": {"color": _MEDIUM[theme], "strokeWidth": 1.5},
    }
    return {**usual, "range": {**usual["range"], "ramp": _RAMP[theme]}, "style": {**usual["style"], **kinds}}


def drawn_of(search: Search, ranking: Sequence[Ranked], search_step: int) -> list[Drawn]:
    """The configurations of one step of the procedure, best first: those of another length have other levels."""
    ours = [one for one in ranking if one.search_step == search_step and math.isfinite(one.level)][:MOST_DRAWN]
    return [
        Drawn(place, {name: value_at(one.config, name) for name in search.space.parameters}, one, one.level)
        for place, one in enumerate(ours)
    ]


def slice_chart(search: Search, drawn: Sequence[Drawn], name: str) -> Spec:
    """The level of each configuration over one parameter, with the interval for noise over seeds where it is known."""
    parameter = search.space.parameters[name]
    points = []
    for one in drawn:
        value = one.values[name]
        shown: object = value_text(value) if isinstance(parameter, Choice) else as_number(value)
        if shown is not None and parameter.has(value):  # type: ignore[arg-type]
            low, high = one.ranked.interval or (one.level, one.level)
            points.append(
                {
                    "x": shown,
                    "level": one.level,
                    "low": low,
                    "high": high,
                    "kind": _GOOD if one.ranked.equivalent_to_best else _WORSE,
                    "said": configuration_text(search.space, one.values),
                    "says": words.number(one.level),
                }
            )
    log = suits_log([one.level for one in drawn])
    up = {
        "type": "quantitative",
        "title": words.title(search.metric),
        "scale": {"type": "log"} if log else {"zero": False},
        "axis": {"tickCount": 4},
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "style": "interval"},
            "encoding": {"x": _across(parameter, name), "y": {**up, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.85},
            "encoding": {
                "x": _across(parameter, name),
                "y": {**up, "field": "level"},
                "color": {"field": "kind", "type": "nominal", "legend": None, "scale": {"domain": [_GOOD, _WORSE]}},
                "shape": {"field": "kind", "type": "nominal", "legend": None, "scale": {"domain": [_GOOD, _WORSE]}},
                "tooltip": [
                    {"field": "said", "type": "nominal", "title": "configuration"},
                    {"field": "says", "type": "nominal", "title": words.title(search.metric)},
                    {"field": "kind", "type": "nominal", "title": "within noise"},
                ],
            },
        },
    ]
    description = f"{words.plain(search.metric)} of {len(points)} configurations over {words.plain(name)}."
    return whole(description, layers, {"points": points}, _SLICE_HEIGHT, data="points")


def importance_chart(found: Importance) -> Spec:
    """A bar a parameter, with its interval; the whole width where nothing is known."""
    points = [
        {
            "name": words.plain(one.name),
            "share": one.importance,
            "low": one.interval[0],
            "high": one.interval[1],
            "says": words.plain(one.says),
        }
        for one in found.parameters
    ]
    down = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 120, "domain": False, "ticks": False, "labelPadding": 8},
    }
    scale = {"domain": [0, 1]}
    axis = {"format": "%", "tickCount": 5}
    along = {
        "type": "quantitative",
        "title": "share of the variance that it explains alone",
        "scale": scale,
        "axis": axis,
    }
    tooltip = {"field": "says", "type": "nominal", "title": "importance"}
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "height": 14, "opacity": 0.85},
            "encoding": {"x": {**along, "field": "share"}, "y": down, "tooltip": [tooltip]},
        },
        {
            "mark": {"type": "rule", "style": "note", "strokeWidth": 2},
            "encoding": {
                "x": {**along, "field": "low"},
                "x2": {"field": "high"},
                "y": down,
                "tooltip": [tooltip],
            },
        },
    ]
    layers += [
        {
            "mark": {"type": "tick", "style": "note", "thickness": 2, "size": 10},
            "encoding": {"x": {**along, "field": end}, "y": down},
        }
        for end in ("low", "high")
    ]
    description = words.plain(f"{found.says}. " + "; ".join(one.says for one in found.parameters))
    spec = whole(description, layers, {"points": points}, _BAR * len(points) + 10, data="points")
    return {**spec, "usermeta": {"says": f"{words.plain(found.says)}."}}


def _across(parameter: Parameter, name: str) -> Spec:
    title = words.title(name)
    if isinstance(parameter, Choice):
        options = [value_text(option) for option in parameter.options]
        axis: dict[str, object] = {"labelAngle": 0, "labelLimit": 70}
        return {"field": "x", "type": "nominal", "title": title, "scale": {"domain": options}, "axis": axis}
    scale: dict[str, object] = {"domain": [parameter.low, parameter.high], "nice": False}
    if isinstance(parameter, LogUniform) or (isinstance(parameter, Integer) and parameter.log):
        scale["type"] = "log"
    axis = {"tickCount": 4, "format": "~e" if parameter.low and abs(parameter.low) < _TINY else "~g"}
    return {"field": "x", "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def suits_log(levels: Sequence[float]) -> bool:
    """Whether levels span so much that a logarithmic axis shows them better."""
    return bool(levels) and min(levels) > 0 and max(levels) > _LOG_FROM * min(levels)


def configuration_text(space: Space, values: Mapping[str, object]) -> str:
    """A configuration on one line."""
    return ", ".join(f"{words.plain(name)} {value_text(values[name])}" for name in space.parameters)


def value_text(value: Value | object) -> str:
    """A value as it stands on an axis."""
    number = as_number(value)
    return words.number(number) if number is not None else words.plain(str(value))


def whole(
    description: str,
    layers: Sequence[Spec],
    datasets: Mapping[str, Sequence[Mapping[str, object]]],
    height: int,
    data: str | None = None,
) -> Spec:
    """A spec of these layers; data: the dataset of layers that name none."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 5, "right": 12, "top": 8, "bottom": 5},
        "config": looks("light"),
        "datasets": {name: list(rows) for name, rows in datasets.items()},
        **({"data": {"name": data}} if data else {}),
        "layer": list(layers),
    }
