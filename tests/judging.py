"""How a test asks one rule."""

from collections.abc import Callable, Mapping

import numpy as np

from app.curves.curve import Curves, make_curve
from app.diagnosis import diagnose
from app.rules.context import Context
from app.rules.verdict import Clear, Finding, Skipped, Verdict
from tests.builders import Shape, build, run

SEEDS = range(20)


def verdict(rule: str, curves: Curves, context: Context, params: Mapping[str, object] | None = None) -> Verdict:
    """What one rule answers in the diagnosis of a run."""
    diagnosis = diagnose(curves, context, {rule: params or {}})
    return next(v for v in diagnosis.verdicts if v.rule == rule)


def finding(rule: str, curves: Curves, context: Context, params: Mapping[str, object] | None = None) -> Finding:
    """The finding of one rule; fails when it found nothing."""
    answer = verdict(rule, curves, context, params)
    assert isinstance(answer, Finding), answer
    return answer


def findings_on(rule: str, shape: str, *, per_update: bool = True) -> list[Finding]:
    """The rule's finding on each seed of a named shape; fails when it misses one."""
    return [finding(rule, *run(shape, seed, per_update=per_update)) for seed in SEEDS]


def clear_on(rule: str, shape: str, *, per_update: bool = True) -> bool:
    """Whether the rule is clear on each seed of a named shape."""
    return all(isinstance(verdict(rule, *run(shape, seed, per_update=per_update)), Clear) for seed in SEEDS)


def clear_on_drawn(rule: str, draw: Callable[[np.random.Generator], Shape]) -> bool:
    """Whether the rule is clear on each seed of a shape drawn in the test."""
    drawn = (build(draw(np.random.default_rng([seed, 0])), seed) for seed in SEEDS)
    return all(isinstance(verdict(rule, *made), Clear) for made in drawn)


def skip_reason(rule: str, curves: Curves, context: Context) -> str:
    """Why the rule skipped; fails when it did not."""
    answer = verdict(rule, curves, context)
    assert isinstance(answer, Skipped), answer
    return answer.reason


def without(curves: Curves, *names: str) -> Curves:
    """The run as if some curves had not been logged."""
    return Curves({name: curve for name, curve in curves.items() if name not in names})


def curves_of(**values: list[float] | np.ndarray) -> Curves:
    """Curves from values at steps 1, 2, 3...; `train_loss` is named `train/loss`."""
    named = {name.replace("_", "/"): np.asarray(points, dtype=float) for name, points in values.items()}
    return Curves({name: make_curve(name, np.arange(1.0, len(v) + 1), v) for name, v in named.items()})
