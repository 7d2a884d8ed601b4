"""A schedule to look at: rows, a drawing for a terminal, and a chart."""

import csv
import io
import math
from typing import Any

import numpy as np

from app.curves.curve import FloatArray
from app.reports.theme import Theme, config
from app.schedules.kinds import KINDS, Parameters

Spec = dict[str, Any]

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_COLUMNS, _LINES = 60, 10
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MOST_POINTS = 2000  # of a line that is drawn
_SAID = 11  # steps whose rate is said beside the drawing


def title(kind: str, p: Parameters) -> str:
    """The kind and every parameter that is set, in one line."""
    said = (f"{name} {_said(value)}" for name, value in p.model_dump().items() if value not in (0.0, ()))
    return f"{kind}: {', '.join(said)}"


def text(kind: str, p: Parameters, values: FloatArray) -> str:
    """The rate drawn over the steps, and a few of its values. values: [steps]."""
    lines = [title(kind, p), KINDS[kind].formula, ""]
    heights = values[_spread(values.size, min(_COLUMNS, values.size))] / p.lr * _LINES * 8
    for line in range(_LINES, 0, -1):
        # What is above zero shows.
        eighths = [min(max(math.ceil(height) - 8 * (line - 1), 0), 8) for height in heights.tolist()]
        label = f"{p.lr:>10.4g}" if line == _LINES else f"{0:>10}" if line == 1 else " " * 10
        lines.append(f"{label} |{''.join(_EIGHTHS[eighth] for eighth in eighths)}".rstrip())
    width = max(heights.size, len(str(values.size - 1)) + 2)
    lines += [f"{'':>10} +{'-' * heights.size}", f"{'':>12}0{values.size - 1:>{width - 1}}", ""]
    lines += [f"{'step':>10}  rate"]
    lines += [f"{step:>10}  {values[step]:.6g}" for step in _spread(values.size, min(_SAID, values.size)).tolist()]
    return "\n".join(lines) + "\n"


def to_csv(values: FloatArray) -> str:
    """A row a step; every number reads back the same. values: [steps]."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("step", "lr"))
    writer.writerows(enumerate(values.tolist()))
    return out.getvalue()


def chart(kind: str, p: Parameters, values: FloatArray, *, theme: Theme = "light") -> Spec:
    """The rate over the steps as a Vega-Lite spec, with as many points as a picture shows. values: [steps].

    Drawn from step to step, as a rate is: level until the next one.
    """
    shown = _spread(values.size, min(values.size, _MOST_POINTS))
    # Both sides of a jump stay, or a thinned cut would be a slope.
    jumps = np.flatnonzero(np.abs(np.diff(values)) > p.lr / 50)
    if jumps.size <= _MOST_POINTS:
        shown = np.union1d(shown, np.concatenate((jumps, jumps + 1)))
    points = [{"step": int(step), "lr": float(values[step])} for step in shown]
    across = {"field": "step", "type": "quantitative", "title": "step", "scale": {"nice": False}}
    up = {"field": "lr", "type": "quantitative", "title": "learning rate", "axis": {"format": ".3~g"}}
    return {
        "$schema": _SCHEMA,
        "description": title(kind, p),
        "title": {"text": kind.replace("_", " "), "subtitle": title(kind, p).partition(": ")[2]},
        "width": "container",
        "height": 260,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 5, "right": 20, "top": 8, "bottom": 5},
        "config": config(theme),
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
        "encoding": {"x": across, "y": up, "color": {"datum": "lr", "type": "nominal", "legend": None}},
    }


def _spread(size: int, count: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """`count` indices from the first to the last."""
    return np.rint(np.linspace(0, size - 1, count)).astype(np.intp)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
