"""What of a log is new, and when it is not the same log any more."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.growth import new_points, rewritten
from app.curves.curve import Curve, make_curve

NAN, INF = math.nan, math.inf


def curves(**points: dict[int, float]) -> dict[str, Curve]:
    return {name: make_curve(name, list(found), list(found.values())) for name, found in points.items()}


def test_only_what_is_not_stored_or_is_another_value_is_new() -> None:
    stored = curves(a={0: 1.0, 1: NAN, 2: INF})
    logged = curves(a={0: 1.0, 1: NAN, 2: -INF, 3: 4.0}, b={5: 1.0})
    fresh = new_points(logged, stored)
    assert {name: curve.steps.tolist() for name, curve in fresh.items()} == {"a": [2, 3], "b": [5]}
    assert new_points(stored, stored) == {}


@pytest.mark.parametrize(
    ("logged", "anew"),
    [
        ({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, False),  # grown
        ({0: 1.0, 1: 2.0}, False),  # just being written again, or cut
        ({}, False),  # emptied
        ({5: 1.0, 6: 1.0}, False),  # rotated: the file goes on
        ({0: 9.0}, True),  # another job
        ({0: 1.0, 1: 2.5, 2: 3.0, 3: 4.0}, False),  # a resumed job did a step again
        ({0: 1.0, 2: 3.0}, True),  # a step was taken back
        ({0: 1.0, 3: 3.0}, True),
    ],
)
def test_a_log_that_was_begun_anew(logged: dict[int, float], anew: bool) -> None:
    assert rewritten(curves(a=logged), curves(a={0: 1.0, 1: 2.0, 2: 3.0})) is anew


def test_nothing_stored_is_nothing_rewritten() -> None:
    assert not rewritten(curves(a={0: 1.0}), {})
    assert not rewritten(curves(a={0: 1.0}), curves(a={}))


@given(
    st.dictionaries(st.integers(0, 20), st.floats(allow_nan=True)),
    st.dictionaries(st.integers(0, 20), st.floats(allow_nan=True)),
)
def test_storing_what_is_new_makes_everything_logged_stored(logged: dict[int, float], stored: dict[int, float]) -> None:
    log, store = curves(a=logged), curves(a=stored)
    fresh = new_points(log, store).get("a", make_curve("a", [], []))
    steps, values = np.append(store["a"].steps, fresh.steps), np.append(store["a"].values, fresh.values)
    assert new_points(log, {"a": make_curve("a", steps, values)}) == {}
