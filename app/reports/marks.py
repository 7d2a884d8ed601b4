"""The layers of a chart that show a diagnosis: what stands behind the curves and what before them."""

from typing import Any

from app.reports.notes import Notes
from app.reports.points import Axis

Spec = dict[str, Any]

LINE = 16  # of labels above the plot [pixels]


def behind(drawn: Notes) -> list[Spec]:
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


def in_front(x: Axis, drawn: Notes, zoom: bool) -> list[Spec]:
    """What stands before the curves: a rule for each mark, a ring at the best step, and the labels above the plot."""
    across = {"field": "at", "type": "quantitative"}
    rules = [
        {
            "data": {"name": "marks"},
            "transform": [{"filter": f"datum.kind === '{kind}'"}],
            "mark": {"type": "rule", "style": kind, "clip": True},
            "encoding": {"x": across},
        }
        for kind in ("cut", "onset", "best", "done")
        if any(row["kind"] == kind for row in drawn.marks)
    ]
    layers: list[Spec] = rules
    if drawn.best:
        ring = {"x": across, "y": {"field": "value", "type": "quantitative"}, "tooltip": {"field": "text"}}
        mark = {"type": "point", "style": "best-point", "size": 110, "clip": True, "opacity": 1}
        layers.append({"data": {"name": "best"}, "mark": mark, "encoding": ring})
    return [
        *layers,
        *(
            _labels(x if zoom else None, lane, align, drawn)
            for lane in range(drawn.lanes)
            for align in ("left", "right")
        ),
    ]


def _labels(zoomed: Axis | None, lane: int, align: str, drawn: Notes) -> Spec:
    """The labels of one line above the plot; those of marks that a zoom has put outside are not shown."""
    texts = [r for r in drawn.marks if r["lane"] == lane and r["align"] == align and r["text"]]
    inside = {"test": f"!isValid(zoom.{zoomed}) || inrange(datum.at, zoom.{zoomed})", "value": 1}
    return {
        "data": {"values": texts},
        "mark": {"type": "text", "style": "note", "align": align, "baseline": "bottom", "clip": False},
        "encoding": {
            "x": {"field": "at", "type": "quantitative"},
            "y": {"value": -4 - LINE * lane},
            "text": {"field": "text"},
            "opacity": {"condition": inside, "value": 0} if zoomed else {"value": 1},
        },
    }
