"""The layers of a chart that show curves: raw points, faint, and the smoothed line before them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.reports import words
from app.reports.points import Axis, Row

Spec = dict[str, Any]

_TITLES: Mapping[Axis, str] = {"step": "step", "epoch": "epoch", "time": "seconds since the run began"}
_BARE: Spec = {"labels": False, "ticks": False, "grid": False}
_DASHES = [[1, 0], [7, 2]]
_FLAT = 0.2  # of its lowest value: a curve that changes by less is drawn from zero up
_HIGHEST = 1000.0  # times its first value: a curve that goes beyond has left the picture


@dataclass(frozen=True)
class Look:
    """Which field of a row tells curves apart by colour, and which by dash and shape; the values of each in order.

    shown: those of the colour's that the legend lists.
    """

    colour: str
    colours: Sequence[str]
    dash: str
    dashes: Sequence[str]
    shown: Sequence[str]


def layers(look: Look, points: Sequence[Row], x: Axis, y_title: str, log_y: bool, small: bool = False) -> list[Spec]:
    """Four layers over the dataset `points`; what is not finite stands as a cross at the upper edge.

    The first carries the param `zoom`, an interval of both axes, unless the chart is small.
    """
    across = {"field": x, "type": "quantitative", **_across(x, points)}
    up = {"type": "quantitative", **_up(points, y_title, log_y)}
    if small:
        across, up = ({**channel, "axis": {"title": channel["title"], **_BARE}} for channel in (across, up))
    colour = _nominal(look.colour, look.colours, "category", None)
    legend = {"title": None, "orient": "bottom", "symbolType": "stroke", "columns": 2, "values": list(look.shown)}
    keyed = {**colour, "legend": legend if len(look.shown) > 1 and not small else None}
    one_legend = look.colour == look.dash
    dash = _nominal(
        look.dash, look.dashes, _DASHES, keyed["legend"] if one_legend else {"title": None, "orient": "top"}
    )
    tip = _tips(look, points)
    raw = {"x": across, "y": {**up, "field": "value"}, "color": colour}
    base: Spec = {"data": {"name": "points"}}
    return [
        {
            **base,
            "name": "raw",
            **({"params": [{"name": "zoom", "select": "interval", "bind": "scales"}]} if not small else {}),
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "clip": True},
            "encoding": {**raw, "detail": {"field": "curve"}},
        },
        {
            **base,
            "mark": {"type": "point", "filled": True, "opacity": 0.45, "size": 16, "clip": True},
            "encoding": {**raw, "tooltip": tip},
        },
        {
            **base,
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {"x": across, "y": {**up, "field": "smooth"}, "color": keyed, "strokeDash": dash},
        },
        {
            **base,
            "transform": [{"filter": "isValid(datum.said)"}],
            "mark": {"type": "point", "shape": "cross", "size": 36, "opacity": 0.8, "clip": True},
            "encoding": {"x": across, "y": {"value": 5}, "color": colour, "tooltip": [*tip[:-2], {"field": "said"}]},
        },
    ]


def _nominal(field: str, domain: Sequence[str], values: object, legend: Spec | None) -> Spec:
    scale = {"domain": list(domain), "range": values}
    return {"field": field, "type": "nominal", "scale": scale, "legend": legend}


def _up(points: Sequence[Row], title: str, log_y: bool) -> Spec:
    """Axis and scale: as asked, and by the symmetric logarithm where a value is not above zero.

    Of a curve that blew up the picture holds a thousand times where it began; the line leaves it at the top.
    """
    numbers = [value for row in points if isinstance(value := row["value"], float)]
    # What hardly changes is not blown up to fill the picture.
    flat = bool(numbers) and 0 <= max(numbers) - min(numbers) < _FLAT * min(numbers)
    scale: Spec = {"type": "linear", "zero": flat}
    if log_y and numbers:
        sizes = [abs(value) for value in numbers if value]
        scale = (
            {"type": "log", "nice": False}
            if min(numbers) > 0
            else {"type": "symlog", "constant": min(sizes, default=1.0)}
        )
    firsts = {row["curve"]: row["value"] for row in reversed(points) if isinstance(row["value"], float)}
    start = max((abs(value) for value in firsts.values() if isinstance(value, float)), default=0.0)
    if numbers and max(numbers) > _HIGHEST * start > 0:
        scale["domainMax"] = _HIGHEST * start
    return {"title": words.title(title), "scale": scale, "axis": {} if scale["type"] == "linear" else {"format": "~g"}}


def _across(x: Axis, points: Sequence[Row]) -> Spec:
    """Axis and scale of the steps, in full up to a hundred thousand."""
    last = max((value for row in points if isinstance(value := row[x], float)), default=0.0)
    axis = {"labelOverlap": True, "labelSeparation": 4, "labelFlush": False, "format": ".3~s" if last >= 1e5 else ",~f"}
    return {"title": _TITLES[x], "axis": axis, "scale": {"nice": False, "zero": False}}


def _tips(look: Look, points: Sequence[Row]) -> list[Spec]:
    """What a tooltip says of a point: which curve, where, and both values."""
    known = points[0] if points else {}
    names = [{"field": field, "title": field} for field in dict.fromkeys((look.colour, "curve"))]
    places = [{"field": name, "format": ",.6~g"} for name in ("step", "epoch", "time") if name in known]
    values = [{"field": "value", "format": ".5~g"}, {"field": "smooth", "format": ".5~g", "title": "smoothed"}]
    return [*names, *places, *values]
