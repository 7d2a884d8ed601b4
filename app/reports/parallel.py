"""Parallel coordinates: each configuration of a search a line across all parameters to the level that it reached."""

import math
from collections.abc import Sequence

from app.reports import words
from app.reports.chart import Spec
from app.reports.search_charts import Drawn, configuration_text, suits_log, value_text, whole
from app.search.parameters import Choice, Parameter, as_number
from app.search.search import Search

_HEIGHT, _LABEL = 300, 130  # [pixels]


def parallel_chart(search: Search, drawn: Sequence[Drawn]) -> Spec:
    """Each configuration a line across all parameters to its level; the worst first, so that the best lies on top."""
    names = list(search.space.parameters)
    levels = [one.level for one in drawn]
    log = suits_log(levels)
    low, high = (min(levels), max(levels)) if levels else (0.0, 1.0)
    points = []
    for one in reversed(drawn):
        shares = [_share(search.space.parameters[name], one.values[name]) for name in names]
        shares.append(_between(one.level, low, high, log))
        said = configuration_text(search.space, one.values)
        for place, share in enumerate(shares):
            if share is not None:
                points.append(
                    {
                        "config": one.place,
                        "place": place,
                        "share": share,
                        "rank": one.place / max(1, len(drawn) - 1),
                        "good": 1 if one.ranked.equivalent_to_best else 0,
                        "level": words.number(one.level),
                        "said": said,
                    }
                )
    axes = [
        {"place": place, "name": words.plain(name), "low": ends[0], "high": ends[1], "bottom": 0, "top": 1}
        for place, name in enumerate(names)
        for ends in [_ends(search.space.parameters[name])]
    ]
    metric = words.title(search.metric)
    axes.append(
        {
            "place": len(names),
            "name": metric,
            "low": words.number(low),
            "high": words.number(high),
            "bottom": 0,
            "top": 1,
        }
    )
    across = {
        "field": "place",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [-0.35, len(names) + 0.35], "nice": False},
    }
    up = {"type": "quantitative", "axis": None, "scale": {"domain": [0, 1]}}
    label = {"type": "text", "limit": _LABEL, "fontSize": 12}
    layers: list[Spec] = [
        {
            "data": {"name": "axes"},
            "mark": {"type": "rule", "style": "axis-line"},
            "encoding": {"x": across, "y": {**up, "field": "bottom"}, "y2": {"field": "top"}},
        },
        {
            "data": {"name": "points"},
            "params": [
                {
                    "name": "hover",
                    "select": {"type": "point", "fields": ["config"], "on": "pointerover", "clear": "pointerout"},
                }
            ],
            "mark": {"type": "line", "interpolate": "monotone", "strokeJoin": "round", "clip": False},
            "encoding": {
                "x": across,
                "y": {**up, "field": "share"},
                "detail": {"field": "config", "type": "nominal"},
                "color": {"field": "rank", "type": "quantitative", "legend": None, "scale": {"domain": [0, 1]}},
                "strokeWidth": {
                    "field": "good",
                    "type": "quantitative",
                    "legend": None,
                    "scale": {"domain": [0, 1], "range": [1.2, 3]},
                },
                "opacity": {"condition": {"param": "hover", "value": 0.85}, "value": 0.08},
                "tooltip": [
                    {"field": "said", "type": "nominal", "title": "configuration"},
                    {"field": "level", "type": "nominal", "title": metric},
                ],
            },
        },
    ]
    for field, shown, offset, style in (
        ("top", "name", -22, "note"),
        ("top", "high", -7, "end"),
        ("bottom", "low", 13, "end"),
    ):
        mark = {**label, "dy": offset, "style": style}
        layers.append(
            {
                "data": {"name": "axes"},
                "mark": mark,
                "encoding": {
                    "x": across,
                    "y": {**up, "field": field},
                    "text": {"field": shown, "type": "nominal"},
                },
            }
        )
    good = sum(one.ranked.equivalent_to_best for one in drawn)
    spec = whole(
        f"{len(drawn)} configurations of {words.plain(search.name)} as lines across {len(names)} parameters and "
        f"{metric}; {good} of them are as good as the best within noise.",
        layers,
        {"points": points, "axes": axes},
        _HEIGHT,
    )
    spec["padding"] = {"left": 5, "right": 5, "top": 40, "bottom": 24}
    return spec


def _share(parameter: Parameter, value: object) -> float | None:
    """How far up its axis a value lies [0 to 1]; None for one that is not of the space."""
    if isinstance(parameter, Choice):
        place = next((k for k, option in enumerate(parameter.options) if value_text(option) == value_text(value)), None)
        return None if place is None else 0.5 if len(parameter.options) == 1 else place / (len(parameter.options) - 1)
    number = as_number(value)
    return min(max(parameter.share(number), 0.0), 1.0) if number is not None and parameter.has(number) else None


def _ends(parameter: Parameter) -> tuple[str, str]:
    if isinstance(parameter, Choice):
        return value_text(parameter.options[0]), value_text(parameter.options[-1])
    return words.number(parameter.low), words.number(parameter.high)


def _between(level: float, low: float, high: float, log: bool) -> float:
    if high <= low:
        return 0.5
    return math.log(level / low) / math.log(high / low) if log else (level - low) / (high - low)
