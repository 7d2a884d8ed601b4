"""What acting on a finding is expected to bring, in words: as far as the numbers of its rule say so, and no further.

A rule measures what is wrong, which is seldom what a cure brings. Where no number says it, that is said, and why.
"""

from collections.abc import Callable

from app.reports import words
from app.rules.verdict import Finding


def gain(finding: Finding) -> str:
    """One clause: what is gained, in the metric's own unit or in per cent of it; or why that is not estimated."""
    if finding.caused_by:
        return f"not estimated: it follows from {finding.caused_by}, and may be gone once that is acted on"
    return _GAINS.get(finding.code, _not_estimated)(finding)


def _not_estimated(_finding: Finding) -> str:
    return "not estimated: the rule measures what is wrong, not what a cure brings"


def _bad_init_plateau(finding: Finding) -> str:
    flat = _value(finding, "plateau_length")
    if flat is None:
        return _not_estimated(finding)
    return (
        f"up to {words.per_cent(flat)} of the run saved, the flat stretch; what the loss ends at is not estimated: "
        "the run learned in the end"
    )


def _decay_needed(finding: Finding) -> str:
    bounce = _value(finding, "bounce")
    if bounce is None:
        return _not_estimated(finding)
    return (
        f"the bounce of {words.per_cent(bounce)} of the loss averaged out; how far the loss falls below its middle is "
        "not estimated: no lower rate was tried from here"
    )


def _decay_too_early(_finding: Finding) -> str:
    return "not estimated: how the loss would have gone on at the higher rate was not seen"


def _keep_training(finding: Finding) -> str:
    args = finding.recommendations[0].args if finding.recommendations else {}
    numbers = [args.get(name) for name in ("expected_gain", "gain_low", "gain_high", "steps")]
    expected, low, high, steps = (number if isinstance(number, float | int) else None for number in numbers)
    if expected is None or low is None or high is None or steps is None:
        return _not_estimated(finding)
    interval = f"{words.per_cent(low).removesuffix(' %')} to {words.per_cent(high)}"
    return f"val loss {words.per_cent(expected)} ({interval}) lower after {words.step(float(steps))} more steps"


def _overfitting(finding: Finding) -> str:
    rise = _value(finding, "val_rise")
    if rise is None or rise <= 0:
        return _not_estimated(finding)
    return (
        f"val loss lower by {words.per_cent(rise)} of its best, with the checkpoint of step "
        f"{words.step(finding.onset_step)} in place of the last; what regularisation adds is not estimated"
    )


def _underfitting(_finding: Finding) -> str:
    return "not estimated: the lowest loss that the task allows is not known"


def _wrong_initial_loss(finding: Finding) -> str:
    first, sane, unit = _value(finding, "initial_loss"), _value(finding, "log_num_classes"), " nats"
    if sane is None:
        sane, unit = _value(finding, "target_variance"), ""
    if first is None or sane is None or first <= sane:
        return "not estimated: the start may be right, for a model that was trained before"
    return (
        f"the run starts {words.number(first - sane)}{unit} lower, at about {words.number(sane)}; what it ends at is "
        "not estimated"
    )


def _exploding(finding: Finding) -> str:
    if finding.severity == "error":
        since = words.step(finding.onset_step)
        return f"the run itself: no loss after step {since} is of use; how low it gets is not estimated"
    return "not estimated: the run came back, and how it would have gone without the blow-up was not seen"


def _not_decreasing(_finding: Finding) -> str:
    return "not estimated: the run learned nothing, so there is no course to extend"


def _value(finding: Finding, name: str) -> float | None:
    return next((item.value for item in finding.evidence if item.name == name), None)


_GAINS: dict[str, Callable[[Finding], str]] = {
    "CW001": _bad_init_plateau,
    "CW002": _decay_needed,
    "CW003": _decay_too_early,
    "CW004": _keep_training,
    "CW005": _overfitting,
    "CW006": _underfitting,
    "CW007": _wrong_initial_loss,
    "CW008": _exploding,
    "CW009": _not_decreasing,
}
