"""What is drawn on curves: of a diagnosis flat stretch, onset, best step, cuts of the rate and forecast; what was done.

Rows for a chart, with steps already on its axis; where the labels stand so that none covers another.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.curves.roles import to_roles
from app.diagnosis import Diagnosis
from app.reports import words
from app.reports.points import SMOOTHING, smoothed
from app.rules.verdict import Finding
from app.schedules import recognise
from app.signals.rate import drops

Row = dict[str, float | str]
ToAxis = Callable[[FloatArray], FloatArray]

FLAT = frozenset({"CW001", "CW002", "CW009"})  # whose span is a stretch over which the loss is flat
MOST_CUTS = 6
_COLUMNS = 33  # of a forecast
_LABEL_WIDTH = (6.8, 12.0)  # of a character, and beside them [pixels]
_NARROWEST = 520.0  # plot that labels are laid out for [pixels]


@dataclass(frozen=True)
class Deed:
    """What somebody did about a run at a step, in a few words for its label [steps]."""

    step: float
    text: str


@dataclass(frozen=True)
class Notes:
    """Rows to draw. Steps are on the chart's axis in `at`, `from` and `to`.

    spans: {from, to, text}; marks: {at, kind, text, lane, align} with kind onset, best, cut or done, an empty text
    where the label stands at another mark of the same step; best: {at, value, text};
    forecast: {at, expected, low, high}.
    """

    spans: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    best: list[Row] = field(default_factory=list)
    forecast: list[Row] = field(default_factory=list)

    @property
    def lanes(self) -> int:
        """How many lines of labels there are."""
        return 1 + max((int(row["lane"]) for row in self.marks), default=-1)


def notes(
    diagnosis: Diagnosis,
    curves: Mapping[str, Curve],
    roles: Mapping[str, str],
    to_axis: ToAxis,
    deeds: Sequence[Deed] = (),
) -> Notes:
    """What is drawn on the loss. curves: by raw name; to_axis: steps [n] -> the chart's axis [n]."""
    known = to_roles({name: curve for name, curve in curves.items() if len(curve)}, roles)
    losses = [known[name] for name in ("val/loss", "train/loss") if name in known]
    found = Notes()
    points: list[tuple[float, str, str]] = []  # step, kind, text
    for finding in diagnosis.findings:
        if finding.code in FLAT:
            begin, end = to_axis(np.asarray(finding.span)).tolist()
            found.spans.append({"from": begin, "to": end, "text": f"{finding.code} {words.plain(finding.summary)}"})
        points.append((finding.onset_step, "onset", words.plain(finding.rule)))
        for step in _best_steps(finding):
            diverged = finding.code == "CW008"  # it names where to go back to, which need not be the best
            points.append((step, "best", f"{'last finite' if diverged else 'best'}: step {words.step(step)}"))
            found.best.extend([] if diverged else _ring(losses, step, to_axis))
    points += [(step, "cut", text) for step, text in _cuts(known.get("lr"))]
    points += [(deed.step, "done", words.plain(deed.text)) for deed in deeds]
    val = known["val/loss"].finite() if "val/loss" in known else None
    if val is not None and (forecast := _forecast(diagnosis, val, to_axis)):
        found.forecast.extend(forecast)
        points.append((float(val.steps[-1]), "forecast", "forecast"))
    last = max((float(c.steps[-1]) for c in losses if len(c)), default=0.0)
    right = float(found.forecast[-1]["at"]) if found.forecast else float(to_axis(np.asarray([last]))[0])
    found.marks.extend(_labelled(points, to_axis, right))
    return found


def _best_steps(finding: Finding) -> list[float]:
    steps = [r.args.get("best_step") for r in finding.recommendations if r.action == "stop"]
    return [float(step) for step in steps if isinstance(step, float | int)]


def _ring(losses: list[Curve], step: float, to_axis: ToAxis) -> list[Row]:
    """A point on the first of these curves that has one at the step."""
    for loss in losses:
        index = int(np.searchsorted(loss.steps, step))
        if index < len(loss) and loss.steps[index] == step:
            text = f"{loss.name} {words.number(float(loss.values[index]))} at step {words.step(step)}"
            return [{"at": float(to_axis(np.asarray([step]))[0]), "value": float(loss.values[index]), "text": text}]
    return []


def _cuts(rate: Curve | None) -> list[tuple[float, str]]:
    """The sudden cuts of the rate, the largest where there are many, and by how much each."""
    if rate is None or len(rate.finite()) < 2:
        return []
    schedule = recognise(rate.finite())
    cuts = (schedule.drops if schedule else ()) or drops(rate.finite())
    largest = sorted(sorted(cuts, key=lambda cut: cut.factor)[:MOST_CUTS], key=lambda cut: cut.step)
    return [(cut.step, f"rate \N{MULTIPLICATION SIGN} {words.number(round(cut.factor, 3))}") for cut in largest]


def _forecast(diagnosis: Diagnosis, val: Curve, to_axis: ToAxis) -> list[Row]:
    """The course of val loss that keep_training expects, to twice the steps, with its interval."""
    args = next((r.args for f in diagnosis.findings for r in f.recommendations if r.action == "continue"), None)
    if args is None or not len(val):
        return []
    gain, low, high = (float(args[name]) for name in ("expected_gain", "gain_low", "gain_high"))
    if not 0 < gain < 1:
        return []
    end, more = float(val.steps[-1]), float(args["steps"])
    level = float(smoothed(val, SMOOTHING).values[-1])
    steps = np.linspace(end, end + more, _COLUMNS)
    # The power law of the rule: at twice the steps it has made the gain, in between the part of it that is due there.
    made = (1 - (steps / end) ** math.log2(1 - gain)) / gain if end > 0 else np.linspace(0, 1, _COLUMNS)
    # A loss is above zero; the lowest edge stays drawable on a logarithmic axis.
    lowest = np.maximum(level * (1 - high * made), level * 0.02)
    columns = (to_axis(steps), level * (1 - gain * made), lowest, level * (1 - low * made))
    names = ("at", "expected", "low", "high")
    return [dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _labelled(points: list[tuple[float, str, str]], to_axis: ToAxis, right: float) -> list[Row]:
    """Marks in step order; those of one step share a label; a label stands on the first line that it fits on."""
    lines: list[float] = []  # per line, how far it is taken from the left [share of the width]
    found: list[Row] = []
    for step in sorted({step for step, _, _ in points}):
        here = list(dict.fromkeys((kind, text) for at, kind, text in points if at == step))
        x = float(to_axis(np.asarray([step]))[0])
        share = min(max(x / right, 0.0), 1.0) if right > 0 else 0.0
        label = ", ".join(text for _, text in here)
        width = (len(label) * _LABEL_WIDTH[0] + _LABEL_WIDTH[1]) / _NARROWEST
        to_left = share + width > 1
        begin = share - width if to_left else share
        lane = next((line for line, taken in enumerate(lines) if taken <= begin), len(lines))
        lines[lane : lane + 1] = [begin + width]
        for index, (kind, _) in enumerate(here):
            found.append(
                {
                    "at": x,
                    "kind": kind,
                    "lane": lane,
                    "align": "right" if to_left else "left",
                    "text": "" if index else label,
                }
            )
    return found
