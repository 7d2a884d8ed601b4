"""What a rule is: a plain value, and the one guard that decides whether it can judge."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.rules.caveats import Lie
from app.rules.context import Context
from app.rules.verdict import Clear, Evidence, Finding, Skipped, Verdict
from app.signals.noise import quantum
from app.signals.smoothing import tail_mean
from app.signals.view import View

LARGEST_EVIDENCE = 1e100
COARSE = 0.01  # rounding beside which the least scatter that a rule acts on does not show [share of the level]
LEAST_SURE = 0.5  # confidence below which nobody is warned: it is likelier wrong than right


class Params(BaseModel):
    """The tunable numbers of a rule. Each field states its default, bound, unit and meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Need:
    """A curve that a rule cannot do without.

    min_points: how many points of it; NaN and infinities count unless `finite`.
    positive: whether every finite value must be above zero, for rules that reason in relative changes.
    """

    curve: str
    min_points: int = 1
    finite: bool = True
    positive: bool = False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What recognises one pathology. `check` is called only when every need is met.

    min_pairs: at how many steps train and validation loss must meet [evaluations].
    judges_exploded: whether the rule still means something on a run that diverged.
    reads_scatter: whether it weighs changes against the scatter of the curves that it needs.
    """

    code: str
    name: str
    doc: str
    needs: tuple[Need, ...]
    params: type[Params]
    check: Callable[[View, Context, Any], Finding | Clear | Skipped]
    min_pairs: int = 0
    judges_exploded: bool = False
    reads_scatter: bool = False

    def judge(self, view: View, context: Context, params: Params, exploded_at: float | None = None) -> Verdict:
        """The verdict on one run, with the rule's code and name filled in.

        exploded_at: the step at which the run diverged for good, None when it did not.
        """
        if exploded_at is not None and not self.judges_exploded:
            reason: str | None = f"the run diverged at step {exploded_at:g}, which is the finding to act on first"
        else:
            reason = self.missing(view) or self.blurred(view, context)
        outcome = Skipped(reason=reason) if reason else self.check(view, context, params)
        if not isinstance(outcome, Skipped):
            outcome = replace(outcome, evidence=tuple(map(_bounded, outcome.evidence)))
        if isinstance(outcome, Finding) and outcome.severity == "warning" and outcome.confidence < LEAST_SURE:
            outcome = replace(outcome, severity="info")
        return replace(outcome, code=self.code, rule=self.name)

    def missing(self, view: View) -> str | None:
        """Why the rule cannot judge these curves, None when it can."""
        for need in self.needs:
            curve = view.curves.get(need.curve)
            if curve is None or len(curve) == 0:
                return f"{need.curve} was not logged"
            have = len(curve.finite() if need.finite else curve)
            if have < need.min_points:
                kind = "finite points" if need.finite else "points"
                return f"{need.curve} has {have} of the {need.min_points} {kind} that this rule needs"
            if need.positive and float(curve.finite().values.min()) <= 0:
                return f"{need.curve} is not positive throughout, so relative changes of it mean nothing"
        if len(view.pair) < self.min_pairs:
            met = f"{len(view.pair)} of the {self.min_pairs} steps"
            return f"train/loss and val/loss meet at {met} that this rule needs"
        return None

    def blurred(self, view: View, context: Context) -> str | None:
        """Why the rule cannot weigh changes of curves that were rounded, None when it can or need not."""
        if not self.reads_scatter or Lie.ROUNDED not in context.lies:
            return None
        for need in self.needs:
            late = view.curves[need.curve].finite().values
            late = late[late.size // 2 :]
            level = abs(tail_mean(late)) if late.size else 0.0
            if (jump := quantum(late)) > COARSE * level:
                return f"{need.curve} is rounded to {jump:.2g} at a level of {level:.2g}: its scatter does not show"
        return None


def _bounded(evidence: Evidence) -> Evidence:
    """Evidence as it can be written down: a ratio to next to nothing is cut off at 1e100. NaN is left to be seen."""
    if math.isinf(evidence.value):
        return replace(evidence, value=math.copysign(LARGEST_EVIDENCE, evidence.value))
    return evidence
