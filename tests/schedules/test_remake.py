"""A schedule that was made and logged is recognised with the parameters that made it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.curves.curve import Curve, make_curve
from app.schedules import RateDrop, recognise
from app.schedules.kinds import Parameters
from app.schedules.make import course, parsed
from app.schedules.remake import NEAR_ENOUGH, Remade, remake
from app.schedules.shapes import rms
from tests.schedules.drawn import drawn

MADE: list[tuple[str, dict[str, Any]]] = [
    ("constant", {}),
    ("constant", {"warmup": 50}),
    ("step", {"every": 150}),
    ("step", {"every": 100, "factor": 0.5, "warmup": 30}),
    ("step", {"at": (200, 300), "factor": 0.2}),
    ("step", {"at": (200, 300, 350), "warmup": 20}),
    ("cosine", {}),
    ("cosine", {"warmup": 20}),
    ("cosine", {"warmup": 20, "min_lr": 0.02}),
    ("linear", {}),
    ("linear", {"warmup": 40}),
    ("inverse_sqrt", {}),
    ("inverse_sqrt", {"warmup": 40}),
    ("exponential", {"every": 150}),
    ("exponential", {"every": 400, "warmup": 20}),
    ("one_cycle", {}),
    ("one_cycle", {"warmup": 100, "start_lr": 0.01, "min_lr": 0.001}),
    ("warmup_stable_decay", {}),
    ("warmup_stable_decay", {"warmup": 40, "decay": 120, "shape": "cosine"}),
    ("warmup_stable_decay", {"warmup": 40, "decay": 120, "shape": "sqrt"}),
    ("cosine_restarts", {"cycle": 80}),
    ("cosine_restarts", {"cycle": 60, "growth": 2, "warmup": 10}),
    ("cosine_restarts", {"cycle": 100, "min_lr": 0.01}),
]


def logged(kind: str, p: Parameters, first: int = 0) -> Curve:
    t = np.arange(p.steps, dtype=np.float64)
    return make_curve("lr", t + first, course(kind, t, p))


def remade(rate: Curve) -> Remade | None:
    schedule = recognise(rate)
    assert schedule is not None
    return remake(rate, schedule)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("kind", "given"), MADE, ids=[f"{kind} {given}" for kind, given in MADE])
def test_the_parameters_come_back(kind: str, given: dict[str, Any], first: int) -> None:
    p = parsed(kind, lr=0.1, steps=400, **given)
    found = remade(logged(kind, p, first))
    assert found is not None
    assert found.kind == kind
    assert found.error < 1e-4
    if "at" in given or (kind == "constant" and not given):
        # The same from wherever it is counted.
        assert course(kind, np.arange(400.0), p) == pytest.approx(
            course(kind, np.arange(400.0) + first - found.first_step, found.parameters)
        )
        return
    assert found.first_step == first
    told = found.parameters.model_dump()
    for name, value in p.model_dump().items():
        assert told[name] == (pytest.approx(value, rel=1e-3, abs=1e-4) if isinstance(value, float) else value), name


@settings(deadline=None, max_examples=200)
@given(made=drawn(("constant", "cosine", "linear", "inverse_sqrt", "exponential"), fewest=30))
def test_what_has_one_explanation_is_made_again(made: tuple[str, Parameters]) -> None:
    """Thirty points or more; below, a few points may lie on another shape as well."""
    kind, p = made
    rate = logged(kind, p)
    found = remade(rate)
    assert found is not None
    # A floor of less than a hundredth may go untold.
    assert rms((course(found.kind, rate.steps, found.parameters) - rate.values) / p.lr) < NEAR_ENOUGH
    # A decay at every step is both a step and an exponential.
    assert found.kind == kind or (kind, found.kind) == ("exponential", "step")


@settings(deadline=None, max_examples=200)
@given(made=drawn())
def test_what_is_told_is_near_and_its_error_is_true(made: tuple[str, Parameters]) -> None:
    """Of any kind and length: where it cannot be told, it is not, as where cycles are a few points long."""
    kind, p = made
    rate = logged(kind, p)
    schedule = recognise(rate)
    found = schedule and remake(rate, schedule)
    if found:
        made_again = course(found.kind, rate.steps - found.first_step, found.parameters)
        assert found.error == pytest.approx(rms((made_again - rate.values) / rate.values.max()), abs=1e-12)
        assert found.error <= NEAR_ENOUGH


@pytest.mark.parametrize("every", [2, 10])
@pytest.mark.parametrize(("kind", "given"), [("cosine", {}), ("linear", {}), ("step", {"every": 150})])
def test_a_rate_that_was_logged_now_and_then(kind: str, given: dict[str, Any], every: int) -> None:
    p = parsed(kind, lr=0.1, steps=400, **given)
    whole = logged(kind, p)
    found = remade(make_curve("lr", whole.steps[::every], whole.values[::every]))
    assert found is not None
    told, meant = found.parameters.model_dump(), p.model_dump()
    if kind == "step":  # it has no end, so its steps are those that were logged
        told["steps"], told["at"], meant["at"] = 400, None, None
    assert told == pytest.approx(meant, abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        [0.1 * (1 - t / 100) ** 2 for t in range(100)],
        [0.1 * 0.5 ** sum(t >= cut for cut in (37, 52, 79, 91)) * (0.5 if t >= 52 else 1) for t in range(100)],
        [0.0] * 10,
        [0.1, 0.01],
    ],
    ids=["a square", "cuts by factors that differ", "no rate at all", "two points"],
)
def test_what_no_kind_makes_is_not_told(values: list[float]) -> None:
    assert remade(make_curve("lr", np.arange(float(len(values))), values)) is None


def test_more_cuts_than_can_be_listed_follow_a_rule_or_are_not_told() -> None:
    p = parsed("step", lr=0.1, steps=1200, every=9, factor=0.9)
    t = np.arange(1200.0)
    cut = Curve("lr", t, course("step", t, p))
    schedule = recognise(cut)
    assert schedule is not None
    many = replace(schedule, kind="step", horizon=None, drops=tuple(RateDrop(9.0 * k, 0.9) for k in range(1, 134)))
    found = remake(cut, many)
    assert found is not None
    assert found.parameters == p


@settings(deadline=None, max_examples=300)
@given(values=st.lists(st.floats(-1e6, 1e6) | st.floats(0, 1e-300), min_size=2, max_size=40))
def test_any_rates_are_told_or_not_told(values: list[float]) -> None:
    found = remade(make_curve("lr", np.arange(float(len(values))), values))
    assert found is None or found.error <= NEAR_ENOUGH


def test_a_first_rate_of_zero_is_a_warm_up_of_one_step() -> None:
    found = remade(make_curve("lr", np.arange(10_000.0), [0.0] + [0.1] * 9_999))
    assert found is not None
    assert (found.kind, found.parameters.warmup) == ("constant", 1)
    assert found.error > 0  # none of ours begins at zero
