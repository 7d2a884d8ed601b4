"""Why a rule found nothing, in words: the condition of a finding that was furthest from being met, with its number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.reports import words
from app.rules.verdict import Clear, Evidence


@dataclass(frozen=True)
class Condition:
    """What a finding takes of one piece of evidence: at least its limit, or at most it.

    says: the measured number in words, with a place for it; below_zero: the same for the size of a negative one.
    """

    name: str
    least: bool
    says: str
    below_zero: str = ""

    def margin(self, item: Evidence) -> float:
        """How far the condition is from being met: below 1 it is not [ratio]."""
        limit = item.limit or 0.0
        value = abs(item.value) if self.name == "slowed" else item.value
        if value >= limit if self.least else value <= limit:
            return 1.0
        smaller, larger = (value, limit) if self.least else (limit, value)
        return max(smaller, 0.0) / larger if larger > 0 else 0.0


def says(verdict: Clear) -> str:
    """One clause; where every number would allow a finding, what stood against it."""
    evidence = {item.name: item for item in verdict.evidence}
    if said := next((said for name, said in _PLAINLY.items() if name in evidence and evidence[name].value == 0), None):
        return said
    missed = _furthest(_CONDITIONS.get(verdict.code, ()), evidence)
    if missed is None:
        return (
            _ALTHOUGH.get(verdict.code) or words.evidence(verdict.evidence, most=1) or "judged, and nothing was found"
        )
    item = evidence[missed.name]
    sentence, value = (
        (missed.below_zero, -item.value) if missed.below_zero and item.value < 0 else (missed.says, item.value)
    )
    limit, beyond = _number(item.limit or 0.0, item.unit), "or more" if missed.least else "or less"
    return f"{sentence.format(_number(value, item.unit))} (a finding takes {limit} {beyond})"


def _furthest(conditions: Sequence[Condition], evidence: Mapping[str, Evidence]) -> Condition | None:
    measured = [c for c in conditions if c.name in evidence and evidence[c.name].limit is not None]
    missed = [c for c in measured if c.margin(evidence[c.name]) < 1]
    return min(missed, key=lambda c: c.margin(evidence[c.name]), default=None)


def _number(value: float, unit: str) -> str:
    """Shares in per cent, everything else as it is: the sentence around it names the unit."""
    value += 0.0  # -0 becomes 0
    return words.per_cent(value) if unit.startswith(("share", "relative")) else words.number(value)


# Evidence that is plain when it is none.
_PLAINLY = {
    "cuts": "the rate was never cut",
    "non_finite_points": "every point is finite, and none is far above the start",
}
# What a rule weighs beside its numbers.
_ALTHOUGH = {
    "CW002": "the loss is flat and bounces, but the schedule brings the rate down anyway",
    "CW004": "val loss still falls, but it bounces at a high rate, which decay_needed judges",
    "CW006": "train and val loss are alike and high, but the loss never fell or it bounces, which not_decreasing and "
    "decay_needed judge",
    "CW009": "train loss is where it began, but val loss fell below its start",
}
_RATE = Condition("rate", True, "the rate has come down to {} of its highest")
# In the order of what says most: of two that are missed alike the first is named.
_CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "CW001": (
        Condition("plateau_length", True, "the flat stretch at the start is {} of the run"),
        Condition("suddenness", True, "the first twentieth of the fall took {} of the time that half of it took"),
        Condition("fall_after", True, "the loss fell by {} of its start"),
        Condition("fall_in_noise", True, "the loss fell by {} noise units"),
    ),
    "CW002": (
        Condition("bounce", True, "the loss bounces by {} around its trend"),
        Condition("fall", False, "the loss still falls, by {} noise units over the last third"),
        Condition("train_left", True, "train loss is down to {} of its start"),
        _RATE,
    ),
    "CW003": (
        Condition("cut_at", False, "the first cut came at {} of the run"),
        Condition(
            "pace_before",
            True,
            "before the cut the loss fell by {} per doubling of the steps",
            "before the cut the loss rose by {} per doubling of the steps",
        ),
        Condition("certainty", True, "the fall before the cut is {} standard errors"),
        Condition("slowed", False, "after the cut the loss fell at {} times the pace before it"),
        Condition("gap", False, "the gap at the end is {} of val loss"),
    ),
    "CW004": (
        Condition(
            "val_fall", True, "val loss fell by {} over the last third", "val loss rose by {} over the last third"
        ),
        Condition("certainty", True, "the fall of val loss is {} normal deviates from none"),
        Condition("shared", True, "val loss fell at {} times the pace of train loss"),
        Condition("above_best", False, "val loss is {} above its best"),
        _RATE,
    ),
    "CW005": (
        Condition("val_rise", True, "val loss is {} above its best"),
        Condition("weight", True, "val loss is above its best by {} standard errors, weighed by the gap"),
        Condition("val_rise_share", True, "val loss rose by {} of its fall"),
        Condition("gap", True, "the gap is {} of val loss", "val loss is below train loss, by {} of it"),
    ),
    "CW006": (
        Condition("gap", False, "val loss stands apart from train loss, by {} of it"),
        Condition("loss_left", True, "{} of the loss at the start is left"),
    ),
    "CW007": (Condition("ratio", True, "the first loss is {} times that of a blind guess"),),
    "CW008": (
        Condition("peak", True, "the loss peaked at {} times its start"),
        Condition("end", True, "the loss ended at {} times its start"),
    ),
    "CW009": (Condition("fall", False, "train loss fell by {} of its start"),),
}
