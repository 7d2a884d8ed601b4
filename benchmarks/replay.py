"""A run judged again and again while it goes on: whether verdicts flicker, come early, or alarm for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray
from app.curves.roles import to_roles
from app.diagnosis import Diagnosis, judge
from app.rules.context import Context
from forms import Form
from labelled import LABELS, LabelledRun
from scores import true_onset

PREFIXES = 200
MOST_CHANGES = 2
EARLY_SHARE = 0.1  # of the run's length, after the true onset
NAMED_EARLY = {"overfitting": ("train/loss", "val/loss"), "exploding": ("train/loss",)}  # rule -> where it shows


@dataclass(frozen=True, eq=False)
class Replay:
    """What was said of a run at each of its prefixes.

    ends: float64 [prefixes], the last step of each. found: rule -> bool [prefixes], whether it was a finding.
    alarmed: bool [prefixes], whether any finding was a warning or above.
    due: rule -> its true onset and the step by which it has to be named, for rules of NAMED_EARLY that the run has.
    """

    run: LabelledRun
    ends: FloatArray
    found: Mapping[str, NDArray[np.bool_]]
    alarmed: NDArray[np.bool_]
    due: Mapping[str, tuple[float, float]]

    def changes(self, rule: str) -> int:
        """How often the verdict turned to or from a finding after it first was one."""
        return max(0, int(np.count_nonzero(np.diff(self.found[rule]))) - (0 if self.found[rule][0] else 1))

    def named_early(self, rule: str) -> bool:
        """Whether the rule found its pathology at a prefix from the true onset to the step at which it was due."""
        first, last = np.searchsorted(self.ends, self.due[rule])
        return bool(self.found[rule][first : last + 1].any())


def replay(run: LabelledRun, form: Form, prefixes: int = PREFIXES) -> Replay:
    """Judge the run at `prefixes` equally spaced steps as a live job of planned length, and at the last as finished."""
    raw, context = form.log(run)
    last = max(float(curve.steps[-1]) for curve in raw.values() if len(curve))
    ends = np.arange(1, prefixes + 1) * last / prefixes
    said = _diagnoses(raw, context, ends)
    return Replay(
        run,
        ends,
        {rule: np.array([any(f.rule == rule for f in d.findings) for d in said]) for rule in LABELS},
        np.array([any(f.severity != "info" for f in d.findings) for d in said]),
        _due(run, form, raw, last),
    )


def _diagnoses(raw: Mapping[str, Curve], context: Context, ends: FloatArray) -> list[Diagnosis]:
    """One a prefix; a prefix with no point more than the one before it is not judged again."""
    said: list[Diagnosis] = []
    points = -1
    for end in ends[:-1]:
        prefix = {name: curve.through(float(end)) for name, curve in raw.items()}
        grown = sum(map(len, prefix.values()))
        said.append(said[-1] if grown == points else judge(prefix, replace(context, state="running")))
        points = grown
    return [*said, judge(raw, context)]


def _due(run: LabelledRun, form: Form, raw: Mapping[str, Curve], last: float) -> dict[str, tuple[float, float]]:
    """True onset, and a tenth of the run later or the first step at which there is anything of it to see."""
    curves = to_roles(raw, {})
    due = {}
    for rule, roles in NAMED_EARLY.items():
        onset = true_onset(run, form, rule)
        if onset is None or run["labels"].get(rule) != "yes" or not set(roles) <= set(curves):
            continue
        shown = [curves[role].steps[curves[role].steps > onset] for role in roles]
        if all(steps.size for steps in shown):
            due[rule] = (onset, max(onset + EARLY_SHARE * last, *(float(steps[0]) for steps in shown)))
    return due
