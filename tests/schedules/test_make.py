"""Schedules are made by their formulas, whatever the parameters."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from app.errors import InvalidInput
from app.schedules.kinds import KINDS, MOST_STEPS, Parameters
from app.schedules.make import course, parsed, rates
from tests.schedules.drawn import drawn

LR, STEPS = 0.3, 90


def test_the_lectures_five() -> None:
    t = range(STEPS)
    assert rates("constant", LR, STEPS).tolist() == [LR] * STEPS
    assert rates("step", LR, STEPS, every=30).tolist() == pytest.approx([LR * 0.1 ** (k // 30) for k in t], rel=1e-14)
    cosine = [LR / 2 * (1 + math.cos(math.pi * k / STEPS)) for k in t]
    assert rates("cosine", LR, STEPS).tolist() == pytest.approx(cosine, rel=1e-14, abs=1e-16)
    assert rates("linear", LR, STEPS).tolist() == [LR * (1 - k / STEPS) for k in t]
    assert rates("inverse_sqrt", LR, STEPS).tolist() == [LR / math.sqrt(max(k, 1)) for k in t]


def test_those_beside_them() -> None:
    assert rates("exponential", 1, 4, factor=0.25, every=2).tolist() == [1, 0.5, 0.25, 0.125]
    assert rates("one_cycle", 1, 8, warmup=4, start_lr=0, min_lr=0)[[0, 2, 4, 6]] == pytest.approx([0, 0.5, 1, 0.5])
    stable = rates("warmup_stable_decay", 1, 8, warmup=1, decay=4)
    assert stable.tolist() == [0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    rooted = rates("warmup_stable_decay", 1, 8, warmup=1, decay=4, shape="sqrt")
    assert rooted[-1] == 1 - math.sqrt(0.75)
    curved = rates("warmup_stable_decay", 1, 8, warmup=1, decay=4, shape="cosine")
    assert curved[6] == pytest.approx(0.5)
    assert rates("cosine_restarts", 1, 8, cycle=4)[[0, 2, 4, 6]] == pytest.approx([1, 0.5, 1, 0.5])
    doubling = rates("cosine_restarts", 1, 14, cycle=2, growth=2)
    assert np.flatnonzero(np.diff(doubling) > 0).tolist() == [1, 5]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one_cycle"])
def test_a_warm_up_is_linear_never_zero_and_ends_at_the_rate(kind: str) -> None:
    made = rates(kind, LR, STEPS, warmup=9)
    assert made[:10] == pytest.approx(LR * np.arange(1, 11) / 10)
    # What follows is the schedule that begins there, but for the root, which goes on from its own clock.
    if kind == "inverse_sqrt":
        assert made[36] == pytest.approx(LR / 2)
    elif kind in {"constant", "cosine", "linear"}:
        assert made[9:] == pytest.approx(rates(kind, LR, STEPS - 9))


@settings(deadline=None, max_examples=300)
@given(made=drawn())
def test_rates_stay_between_the_lowest_and_the_highest(made: tuple[str, Parameters]) -> None:
    kind, p = made
    values = course(kind, np.arange(p.steps, dtype=np.float64), p)
    assert values.shape == (p.steps,)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= p.lr * (1 + 1e-12)
    # From the peak on nothing rises but restarts.
    if kind != "cosine_restarts":
        after = values[math.ceil(p.warmup) :]
        assert (np.diff(after) <= 1e-12 * p.lr).all()
    low = getattr(p, "min_lr", 0.0)
    ends = kind in {"cosine", "linear", "one_cycle", "warmup_stable_decay"}
    if ends:
        assert course(kind, np.array([p.steps, 10.0 * p.steps]), p) == pytest.approx([low, low], abs=1e-12 * p.lr)


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_are_numbers(kind: str) -> None:
    for lr in (5e-324, 1.7e308):
        for steps in (1, 2, 1000):
            assert np.isfinite(rates(kind, lr, steps, warmup=steps // 2)).all()


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("parabola", {}, "there is no schedule 'parabola'; there are constant, step"),
        ("cosine", {"lr": math.nan}, "lr: Input should be a finite number"),
        ("cosine", {"steps": 0}, "steps: Input should be greater than or equal to 1"),
        ("cosine", {"steps": MOST_STEPS + 1}, "steps: Input should be less than or equal to"),
        ("cosine", {"warmup": 90}, "a warmup of 90 steps leaves none of 90"),
        ("cosine", {"min_lr": 1.0}, "min_lr 1 is above lr 0.3"),
        ("cosine", {"factor": 0.5}, "factor: no such parameter"),
        ("step", {"at": (5, 4)}, "later than the one before"),
        ("step", {"at": (5,), "warmup": 5}, "not after the warm-up"),
        ("step", {"at": (5,), "every": 5}, "not both"),
        ("one_cycle", {"start_lr": 1.0}, "start_lr 1 is above lr 0.3"),
        ("one_cycle", {"steps": -1}, "one_cycle: steps: Input should be greater than or equal to 1"),
        ("warmup_stable_decay", {"warmup": 50, "decay": 50}, "do not fit into 90"),
    ],
)
def test_what_cannot_be_meant_is_told(kind: str, given: dict[str, float], says: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        rates(kind, **{"lr": LR, "steps": STEPS, **given})  # type: ignore[arg-type]
    assert says in str(raised.value)


def test_defaults_fit_any_number_of_steps() -> None:
    for kind in KINDS:
        for steps in range(1, 50):
            parsed(kind, lr=1.0, steps=steps)
