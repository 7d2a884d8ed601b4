import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.attempts import AttemptPoints, resolve


def part(attempt: int, steps: list[float], value: float) -> AttemptPoints:
    return AttemptPoints(attempt, np.array(steps), np.full(len(steps), value))


def seen(parts: list[AttemptPoints], first_steps: dict[int, float]) -> list[tuple[float, float]]:
    curve = resolve("loss", parts, first_steps)
    assert curve.name == "loss"
    return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def test_nothing_written_is_an_empty_curve():
    assert seen([], {}) == []


def test_a_later_attempt_hides_the_earlier_one_from_its_first_step_on():
    parts = [part(1, [0, 1, 2, 3, 4], 1.0), part(2, [2, 3], 2.0)]
    assert seen(parts, {1: 0.0, 2: 2.0}) == [(0, 1.0), (1, 1.0), (2, 2.0), (3, 2.0)]


def test_an_attempt_that_trained_nothing_hides_nothing():
    parts = [part(1, [0, 10, 20], 1.0), part(2, [10], 2.0)]
    assert seen(parts, {1: 0.0}) == [(0, 1.0), (10, 2.0), (20, 1.0)]


def test_old_steps_of_the_latest_attempt_hide_nothing_but_their_own_step():
    # An evaluator posts step 0 into attempt 2, which trained from step 5 on.
    parts = [part(1, [0, 1, 2], 1.0), part(2, [1], 2.0)]
    assert seen(parts, {1: 0.0, 2: 5.0}) == [(0, 1.0), (1, 2.0), (2, 1.0)]


def test_the_earliest_of_all_later_attempts_decides():
    parts = [part(1, [0, 1, 2, 3], 1.0), part(2, [3, 4], 2.0), part(3, [1], 3.0)]
    assert seen(parts, {1: 0.0, 2: 3.0, 3: 1.0}) == [(0, 1.0), (1, 3.0)]


def test_parts_of_one_attempt_win_in_the_order_given():
    assert seen([part(1, [1, 0], 1.0), part(1, [1], 2.0)], {1: 0.0}) == [(0, 1.0), (1, 2.0)]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.lists(st.integers(0, 12), min_size=1, max_size=6), st.booleans()), max_size=8
    )
)
def test_every_point_is_judged_as_the_rule_is_written(written: list[tuple[int, list[int], bool]]):
    parts, first_steps = [], {}
    for order, (attempt, steps, trains) in enumerate(written):
        parts.append(part(attempt, [float(step) for step in steps], float(order)))
        if trains:
            first_steps[attempt] = min(float(min(steps)), first_steps.get(attempt, np.inf))
    expected: dict[float, tuple[int, float]] = {}
    for one in parts:
        for step, value in zip(one.steps.tolist(), one.values.tolist(), strict=True):
            hidden = any(later > one.attempt and step >= first for later, first in first_steps.items())
            if not hidden and one.attempt >= expected.get(step, (0, 0.0))[0]:
                expected[step] = (one.attempt, value)
    assert seen(parts, first_steps) == [(step, expected[step][1]) for step in sorted(expected)]


def test_a_step_that_is_no_step_is_refused():
    with pytest.raises(ValueError, match="steps must be finite"):
        resolve("loss", [part(1, [np.nan], 1.0)], {})
