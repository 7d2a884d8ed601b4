"""The promises that every rule of the catalogue keeps, asked of all of them over seeded curves of every shape.

A rule is in here by being in the catalogue. Each test runs over 20 seeds of each shape and names the rules, seeds and
verdicts that broke a promise.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.curve import Curve, Curves, FloatArray, make_curve
from app.curves.points import read_rows
from app.curves.roles import ROLES
from app.curves.thinning import for_rules
from app.diagnosis import Diagnosis, diagnose
from app.rules.catalogue import CATALOGUE
from app.rules.caveats import Lie
from app.rules.context import Context
from app.rules.rule import Rule
from app.rules.verdict import Finding, Skipped
from tests.builders import SHAPES, run

SEEDS = range(20)
FORMS = [(shape, per_update) for shape in SHAPES for per_update in (True, False)]
OF_EVERY_FORM = pytest.mark.parametrize(
    ("shape", "per_update"), FORMS, ids=[f"{shape}-{'updates' if form else 'epochs'}" for shape, form in FORMS]
)
Change = Callable[[Curves, Context], tuple[Curves, Context]]
LONG = 100  # points: a curve that is longer may be thinned without losing what it shows


@cache
def judged(shape: str, seed: int, per_update: bool) -> tuple[Curves, Context, Diagnosis]:
    curves, context = run(shape, seed, per_update=per_update)
    return curves, context, diagnose(curves, context)


def kinds(diagnosis: Diagnosis) -> dict[str, str]:
    return {verdict.rule: verdict.verdict for verdict in diagnosis.verdicts}


def changed(shape: str, per_update: bool, change: Change, *, classes_known: bool = True) -> list[str]:
    """Which verdicts a change turns into another kind, over all seeds."""
    broken = []
    for seed in SEEDS:
        curves, context, _ = judged(shape, seed, per_update)
        context = context if classes_known else replace(context, num_classes=None)
        before, after = kinds(diagnose(curves, context)), kinds(diagnose(*change(curves, context)))
        broken += [f"{r} seed {seed}: {before[r]} became {after[r]}" for r in before if before[r] != after[r]]
    return broken


def mapped(curves: Curves, change: Callable[[Curve], tuple[FloatArray, FloatArray]]) -> Curves:
    return Curves({name: make_curve(name, *change(curve)) for name, curve in curves.items()})


@OF_EVERY_FORM
@pytest.mark.parametrize("factor", [1e-3, 1 / math.log(2), 1e4])
def test_no_verdict_changes_when_the_loss_is_multiplied(shape: str, per_update: bool, factor: float) -> None:
    # Without the number of classes: with it, log C says where a loss must begin, and another unit is another loss.
    def scaled(curves: Curves, context: Context) -> tuple[Curves, Context]:
        return mapped(curves, lambda c: (c.steps, c.values * (factor if "loss" in c.name else 1))), context

    assert changed(shape, per_update, scaled, classes_known=False) == []


@OF_EVERY_FORM
@pytest.mark.parametrize("updates", [1 / 20, 390.0])
def test_no_verdict_changes_when_steps_are_counted_otherwise(shape: str, per_update: bool, updates: float) -> None:
    def recounted(curves: Curves, context: Context) -> tuple[Curves, Context]:
        planned = None if context.planned_steps is None else context.planned_steps * updates
        return mapped(curves, lambda c: (c.steps * updates, c.values)), replace(context, planned_steps=planned)

    assert changed(shape, per_update, recounted) == []


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("first", [0, 1])
def test_no_verdict_changes_when_long_curves_are_thinned(shape: str, first: int) -> None:
    def thinned(curves: Curves, context: Context) -> tuple[Curves, Context]:
        halved = slice(first, None, 2)
        return mapped(
            curves, lambda c: (c.steps[halved], c.values[halved]) if len(c) > LONG else (c.steps, c.values)
        ), (context)

    assert changed(shape, True, thinned) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_no_verdict_changes_when_long_curves_are_binned(shape: str) -> None:
    def binned(curves: Curves, context: Context) -> tuple[Curves, Context]:
        return Curves({name: for_rules(curve, 300) for name, curve in curves.items()}), context

    assert changed(shape, True, binned) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_points_one_at_a_time_in_any_order_are_the_run_all_at_once(shape: str) -> None:
    for seed in SEEDS[:5]:
        curves, context, diagnosis = judged(shape, seed, False)
        rows = [
            {"step": step, curve.name: value}
            for curve in curves.values()
            for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True)
        ]
        rng = np.random.default_rng(seed)
        rng.shuffle(rows)
        # Some steps are written twice, the first time wrong: the last write is the one that counts.
        rows = [row | {name: 7.0 for name in row if name != "step"} for row in rows[:20]] + rows
        received: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
        for row in rows:
            for points in read_rows([row])[0]:
                received.setdefault(points.name, []).append((points.steps, points.values))
        again = Curves(
            {
                name: make_curve(name, *(np.concatenate(column) for column in zip(*batches, strict=True)))
                for name, batches in received.items()
            }
        )
        assert diagnose(again, context) == diagnosis


@OF_EVERY_FORM
def test_an_answer_is_finite_within_the_run_and_always_the_same(shape: str, per_update: bool) -> None:
    for seed in SEEDS:
        curves, context, diagnosis = judged(shape, seed, per_update)
        assert diagnose(Curves({name: curves[name] for name in reversed(list(curves))}), context) == diagnosis
        check_answer(curves, diagnosis)


@pytest.mark.parametrize("shape", [shape for shape, (_, rule) in SHAPES.items() if rule is None])
@pytest.mark.parametrize("per_update", [True, False])
def test_a_healthy_run_raises_no_alarm(shape: str, per_update: bool) -> None:
    alarms = [
        f"seed {seed}: {finding.summary}"
        for seed in SEEDS
        for finding in judged(shape, seed, per_update)[2].findings
        if finding.severity != "info"
    ]
    assert alarms == []


@OF_EVERY_FORM
def test_a_spoiled_run_is_named(shape: str, per_update: bool) -> None:
    _, expected = SHAPES[shape]
    for seed in SEEDS:
        diagnosis = judged(shape, seed, per_update)[2]
        assert expected is None or kinds(diagnosis)[expected] == "finding", seed
        # What an expert names at a glance leads the answer: the rest follows from it or is milder.
        assert expected is None or expected == diagnosis.findings[0].rule, seed


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.name)
def test_nothing_logged_is_skipped_with_a_reason(rule: Rule) -> None:
    empty = make_curve("x", [], [])
    for curves in (Curves({}), Curves(dict.fromkeys(ROLES, empty)), Curves({"grad_norm": make_curve("g", [1], [1.0])})):
        verdict = next(v for v in diagnose(curves, Context()).verdicts if v.rule == rule.name)
        assert isinstance(verdict, Skipped)
        assert verdict.code == rule.code
        assert "was not logged" in verdict.reason


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.name)
def test_a_missing_or_too_short_curve_is_skipped_with_its_name(rule: Rule) -> None:
    whole, context, _ = judged("healthy_cosine", 0, True)
    for need in rule.needs:
        short = need.min_points - 1
        cut = Curves({**whole, need.curve: make_curve(need.curve, range(short), np.ones(short))})
        for curves in (cut, Curves({name: whole[name] for name in whole if name != need.curve})):
            verdict = next(v for v in diagnose(curves, context).verdicts if v.rule == rule.name)
            assert isinstance(verdict, Skipped)
            assert need.curve in verdict.reason


@OF_EVERY_FORM
def test_a_run_is_judged_at_any_moment_of_it(shape: str, per_update: bool) -> None:
    for seed in SEEDS[:3]:
        curves, context, _ = judged(shape, seed, per_update)
        last = curves.last_step() or 0.0
        for share in np.linspace(0, 1, 15):
            then = curves.through(share * last)
            check_answer(then, diagnose(then, replace(context, state="running")))


values = st.one_of(
    st.floats(),
    st.floats(0, 5),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 5e-324, 1.8e308]),
)


@st.composite
def junk_curves(draw: st.DrawFn) -> Curves:
    """Curves that no training made: constant, all NaN, huge, tiny, negative, few points, steps with giant gaps."""
    built = {}
    for name in draw(st.lists(st.sampled_from(sorted(ROLES)), unique=True)):
        points = draw(st.integers(0, 40))
        gaps = draw(
            st.one_of(
                st.just([1.0] * points),
                st.lists(st.sampled_from([1.0, 1e-9, 1e3, 2.0**46]), min_size=points, max_size=points),
            )
        )
        one = draw(values)
        level = draw(st.one_of(st.just([one] * points), st.lists(values, min_size=points, max_size=points)))
        built[name] = make_curve(name, np.cumsum(gaps) - draw(st.sampled_from([0.0, 1e-9])), level)
    return Curves(built)


contexts = st.builds(
    Context,
    num_classes=st.one_of(st.none(), st.integers(2, 10_000_000)),
    planned_steps=st.one_of(st.none(), st.sampled_from([5e-324, 1.0, 40.0, 1e308])),
    state=st.sampled_from(["running", "finished", "failed"]),
    caveats=st.lists(st.sampled_from([*Lie, "train/loss is a running mean"]), unique=True).map(tuple),
)


@given(curves=junk_curves(), context=contexts)
def test_junk_gets_an_answer(curves: Curves, context: Context) -> None:
    diagnosis = diagnose(curves, context)
    check_answer(curves, diagnosis)
    assert diagnose(curves, context) == diagnosis


def check_answer(curves: Curves, diagnosis: Diagnosis) -> None:
    """One verdict a rule, every number in it finite and every step in it one of the run."""
    assert sorted(v.code for v in diagnosis.verdicts) == [rule.code for rule in CATALOGUE]
    json.dumps(asdict(diagnosis), allow_nan=False)
    first = min((float(c.steps[0]) for c in curves.values() if len(c)), default=0.0)
    last = curves.last_step() or 0.0
    for finding in diagnosis.findings:
        assert 0 <= finding.confidence <= 1, finding
        assert first <= finding.onset_step <= last, finding
        assert first <= finding.span[0] <= finding.span[1] <= last, finding
        assert finding.evidence, finding
        assert finding.recommendations, finding
    for number in numbers_in(diagnosis):
        assert math.isfinite(number), diagnosis


def numbers_in(diagnosis: Diagnosis) -> Iterator[float]:
    for verdict in diagnosis.verdicts:
        if not isinstance(verdict, Skipped):
            for evidence in verdict.evidence:
                yield from (n for n in (evidence.value, evidence.limit) if n is not None)
        if isinstance(verdict, Finding):
            for recommendation in verdict.recommendations:
                yield from (n for n in recommendation.args.values() if not isinstance(n, str))


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("planned", [True, False])
def test_steps_may_be_counted_from_zero(shape: str, planned: bool) -> None:
    curves, context = run(shape, 0)
    curves = Curves(
        {name: make_curve(name, np.maximum(curve.steps - 1, 0.0), curve.values) for name, curve in curves.items()}
    )
    context = context if planned else replace(context, planned_steps=None)
    for through in (0.0, 7.0, 20.0, 300.0, curves.last_step() or 0.0):
        assert diagnose(curves.through(through), context).verdicts
