"""What to log so that a rule can judge which could not: one instruction for each reason that rules give."""

import re
from re import Match

from app.rules.catalogue import CATALOGUE
from app.rules.verdict import Skipped

_NEEDED = {rule.code: rule for rule in CATALOGUE}
_NOTHING_MORE = "nothing more: "


def log_this(verdict: Skipped) -> str:
    """One clause that names the metric or the fact and how to send it; or why nothing more is to be logged."""
    for pattern, instruction in _INSTRUCTIONS:
        if match := pattern.search(verdict.reason):
            return instruction.format(*match.groups(), often=_often(verdict.code, match))
    return "see what the rule needs in docs/rules.md"


def _often(code: str, match: Match[str]) -> str:
    """How often a curve that was not logged has to be, as far as the rule says."""
    rule = _NEEDED.get(code)
    if rule is None or not match.groups():
        return ""
    points = max((need.min_points for need in rule.needs if need.curve == match.group(1)), default=1)
    points = max(points, rule.min_pairs)
    return f", at {points} steps or more" if points > 1 else ""


_INSTRUCTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instruction)
    for pattern, instruction in (
        (
            r"num_classes is not known",
            "open the run with context.num_classes (curvewise diagnose: --num-classes 10), or target_variance",
        ),
        (
            r"planned_steps of the running job is not known",
            "open the run with context.planned_steps (curvewise diagnose: --planned-steps 12000)",
        ),
        (
            r"lr was not logged",
            'log the learning rate as "lr" beside train/loss: {{"step": 100, "train/loss": 0.5, "lr": 0.1}}',
        ),
        (
            r"val/loss at step 0 was not logged",
            'evaluate before the first update and log it: {{"step": 0, "val/loss": 2.3}}',
        ),
        (
            r"^(val/loss) was not logged",
            'evaluate on held-out data while training and log it as "{0}"{often}',
        ),
        (r"^(\S+) was not logged", 'log "{0}"{often}: {{"step": 100, "{0}": 0.5}}'),
        (
            r"(\S+) is a moving average",
            "log validation loss as val/loss, or {0} as it is before the average is taken",
        ),
        (r"(\S+) is rounded to", "log {0} with all its digits, as the floating-point number that it is"),
        (
            r"(\S+) is averages from step",
            "open the run with context.num_classes, or log an evaluation before the first update as val/loss at step 0",
        ),
        (
            r"the source of (\S+) replaces or drops NaN|as after NaN that its source replaces",
            "log val/loss up to the end, or log with a tracker that keeps NaN: send the bare tokens NaN and Infinity",
        ),
        (
            r"the first (\S+) is at step \S+: the start was not logged",
            'log {0} from the first update on, or an evaluation before it: {{"step": 0, "val/loss": 2.3}}',
        ),
        (r"(\S+) has \d+ of the (\d+) ", "log {0} more often, at {1} finite points or more"),
        (
            r"meet at \d+ of the (\d+) steps",
            "log train/loss at the steps of the evaluations too, {0} of them or more",
        ),
        (
            r"a late course needs (\d+) points or evaluations",
            "log val/loss at {0} evaluations or more; where none is validated, train/loss at {0} steps or more",
        ),
        (
            r"no points on both sides of the cut at (step \S+)",
            "log train/loss more often: at least two points before {0} and two after it",
        ),
        (
            r"(\S+) (?:is not positive throughout|does not start above zero)",
            'log a loss that stays above zero as "{0}": a cross-entropy or a squared error, with nothing taken off it',
        ),
        (
            r"the run diverged at|is not finite from step",
            _NOTHING_MORE + "act on CW008, and the run that follows is judged",
        ),
        (r"at step \S+ of \S+ ", _NOTHING_MORE + "it is judged once the run is further"),
    )
)
