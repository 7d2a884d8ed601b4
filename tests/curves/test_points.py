"""A bad point never costs a good one, and nothing is coerced."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.points import MAX_NAME_LENGTH, MAX_STEP, Column, name_problem, read_column, read_rows

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**60),
    st.floats(),
    st.text(),
    st.sampled_from(["NaN", "Infinity", "-inf", 10**400, -(10**4000), np.float32(1.5), np.int64(3), np.bool_(True)]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


def codes(steps: Column, values: Column) -> list[tuple[int, str]]:
    return [(r.index, r.code) for r in read_column("a", steps, values)[1]]


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([0, 1, 2], [0.5, math.nan, -math.inf]),
        ([0.5, 1, 2], [1, 2, 3]),
        (np.arange(3), np.array([1.5, np.nan, np.inf])),
        (np.arange(3, dtype=np.uint8), np.arange(3, dtype=np.float32)),
        ((0, 1), (1e-320, 1.7e308)),
        ([0, 1, 2], ["NaN", 1, 2**53]),
        ([], []),
    ],
)
def test_good_columns_are_taken_whole(steps: Column, values: Column) -> None:
    points, rejected, not_measured = read_column("a", steps, values)
    assert (rejected, not_measured, points.name) == ([], 0, "a")
    np.testing.assert_array_equal(points.steps, [float(str(step)) for step in steps])
    np.testing.assert_array_equal(points.values, [float(str(value)) for value in values])
    assert points.steps.dtype == points.values.dtype == np.float64


def test_a_column_is_a_copy() -> None:
    steps, values = np.arange(3.0), np.ones(3)
    points, _, _ = read_column("a", steps, values)
    steps[0] = values[0] = 99
    assert (points.steps[0], points.values[0]) == (0, 1)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (None, "step_missing"),
        ("1", "step_not_a_number"),
        (True, "step_not_a_number"),
        (np.bool_(False), "step_not_a_number"),
        ([1], "step_not_a_number"),
        ({}, "step_not_a_number"),
        (1j, "step_not_a_number"),
        (math.nan, "step_not_finite"),
        (np.float32("inf"), "step_not_finite"),
        (-math.inf, "step_not_finite"),
        (-1, "step_negative"),
        (-1e-300, "step_negative"),
        (-(10**400), "step_negative"),
        (2**53 + 1, "step_too_large"),
        (2.0**53 + 2, "step_too_large"),
        (1e300, "step_too_large"),
        (10**400, "step_too_large"),
    ],
)
def test_a_bad_step_costs_its_point_alone(step: object, code: str) -> None:
    points, rejected, _ = read_column("a", [0, step, 2], [1.0, 2.0, 3.0])
    assert points.steps.tolist() == [0, 2]
    assert points.values.tolist() == [1, 3]
    assert [(r.index, r.curve, r.code) for r in rejected] == [(1, "a", code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0.5", "value_not_a_number"),
        ("", "value_not_a_number"),
        ("nan ", "value_not_a_number"),
        ("1e999", "value_not_a_number"),
        ("\ud800\x00" * 100, "value_not_a_number"),
        (True, "value_not_a_number"),
        ([0.5], "value_not_a_number"),
        ({"a": 1}, "value_not_a_number"),
        (10**400, "value_out_of_range"),
        (-(10**4000), "value_out_of_range"),
        (2**53 + 1, "value_out_of_range"),
        (-(2**63) - 1, "value_out_of_range"),
        (np.int64(2**53 + 1), "value_out_of_range"),
    ],
)
def test_a_bad_value_costs_its_point_alone(value: object, code: str) -> None:
    points, rejected, _ = read_column("a", [0, 1, 2], [1.0, value, 3.0])
    assert points.steps.tolist() == [0, 2]
    assert [(r.index, r.curve, r.code) for r in rejected] == [(1, "a", code)]
    assert len(rejected[0].reason) < 300
    rejected[0].reason.encode()


def test_large_integers_are_taken_where_a_float_holds_them() -> None:
    points, rejected, _ = read_column("a", [0, 1, MAX_STEP], [2**60, -(2**1000), 2**53 + 2])
    assert rejected == []
    assert points.steps.tolist() == [0, 1, 2.0**53]
    assert points.values.tolist() == [2.0**60, -(2.0**1000), 2.0**53 + 2]


def test_numpy_integers_that_a_float_would_round_are_refused() -> None:
    assert codes(np.arange(2), np.array([1, 2**53 + 1])) == [(1, "value_out_of_range")]
    assert codes(np.array([2**53 + 1]), np.ones(1)) == [(0, "step_too_large")]


@pytest.mark.parametrize("values", [np.array([True]), np.ones((1, 1)), np.array(["a"]), np.array([1j])])
def test_arrays_of_anything_else_are_refused(values: Any) -> None:
    assert codes([0], values) == [(0, "value_not_a_number")]


@pytest.mark.parametrize("word", ["NaN", "nan", "NAN", "Infinity", "inf", "-Infinity", "-inf", "-INF"])
def test_words_for_what_is_not_finite(word: str) -> None:
    points, rejected, _ = read_column("a", [0], [word])
    assert rejected == []
    np.testing.assert_array_equal(points.values, [float(word)])


def test_null_is_not_measured() -> None:
    points, rejected, not_measured = read_column("a", [0, 1, None], [None, 1.0, None])
    assert (points.steps.tolist(), not_measured) == ([1], 1)
    assert [r.code for r in rejected] == ["step_missing"]


@pytest.mark.parametrize("steps", [[-0.0], [-0.0, None]])
def test_step_minus_zero_is_zero_but_a_value_keeps_its_sign(steps: list[object]) -> None:
    points, _, _ = read_column("a", steps, [-0.0] * len(steps))
    assert not np.signbit(points.steps[0])
    assert np.signbit(points.values[0])


def test_columns_of_different_lengths_are_refused_point_by_point() -> None:
    points, rejected, _ = read_column("a", [1, 2, 3], [1.0])
    assert points.steps.size == 0
    assert [(r.index, r.code) for r in rejected] == [
        (0, "lengths_differ"),
        (1, "lengths_differ"),
        (2, "lengths_differ"),
    ]


@pytest.mark.parametrize("name", ["", "x" * 251, "a\x00b", "a\nb", "a\x7f", "a\x85", "\ud800", "a\udfff"])
def test_a_name_that_is_no_name_refuses_its_points(name: str) -> None:
    points, rejected, _ = read_column(name, [0, 1], [1.0, 2.0])
    assert points.steps.size == 0
    assert [(r.index, r.code) for r in rejected] == [(0, "name_invalid"), (1, "name_invalid")]
    assert rejected[0].curve is not None
    assert len(rejected[0].curve) <= MAX_NAME_LENGTH
    assert rejected[0].curve.isascii()


@pytest.mark.parametrize("name", ["x", "x" * 250, "train/loss", "Verlust ü 损失 📉", "a b"])
def test_any_printable_name_will_do(name: str) -> None:
    assert name_problem(name) is None


def test_rows_become_curves() -> None:
    rows = [{"step": 1, "train/loss": 0.5, "epoch": 0.1}, {"step": 2, "train/loss": "NaN"}, {"step": 3, "lr": None}]
    points, rejected, not_measured = read_rows(rows)
    assert (rejected, not_measured) == ([], 1)
    assert [(p.name, p.steps.tolist()) for p in points] == [("train/loss", [1, 2]), ("epoch", [1])]
    assert math.isnan(points[0].values[1])


def test_a_bad_row_is_one_rejection_and_costs_no_other() -> None:
    rows = [
        {"step": -1, "a": 1, "b": 2},
        {"step": 1, "a": 1, "b": "x"},
        7,
        {"a": 1},
        {"step": -0.0, "a": 2},
        {"step": 5},
    ]
    points, rejected, _ = read_rows(rows)
    assert [(p.name, p.steps.tolist(), p.values.tolist()) for p in points] == [("a", [1, 0], [1, 2])]
    assert [(r.index, r.curve, r.code) for r in rejected] == [
        (0, None, "step_negative"),
        (1, "b", "value_not_a_number"),
        (2, None, "row_not_an_object"),
        (3, None, "step_missing"),
    ]
    assert not np.signbit(points[0].steps[1])


def test_rows_are_named_by_the_indices_given() -> None:
    rows: list[object] = [{"step": 1, "a": "x", "b\x00": 1}, [], {"step": None}]
    _, rejected, _ = read_rows(rows, [10, 20, 30])
    assert [(r.index, r.curve) for r in rejected] == [(10, "a"), (10, "b\\x00"), (20, None), (30, None)]


@given(st.lists(st.tuples(junk, junk), max_size=20))
def test_no_column_raises_and_every_point_is_accounted_for(pairs: list[tuple[object, object]]) -> None:
    steps, values = [s for s, _ in pairs], [v for _, v in pairs]
    points, rejected, not_measured = read_column("a", steps, values)
    assert points.steps.size + len(rejected) + not_measured == len(pairs)
    assert points.steps.size == points.values.size
    assert ((points.steps >= 0) & (points.steps <= MAX_STEP)).all()
    json.dumps([r.reason for r in rejected]).encode()
    # Each point fares alone as it fares among others.
    alone = [read_column("a", [s], [v])[0].values for s, v in pairs]
    np.testing.assert_array_equal(np.concatenate([*alone, np.empty(0)]), points.values)


@given(st.lists(st.one_of(junk, st.dictionaries(st.one_of(st.just("step"), st.text(max_size=3)), junk)), max_size=10))
def test_no_row_raises_and_none_is_lost(rows: list[object]) -> None:
    points, rejected, not_measured = read_rows(rows)
    whole = {r.index for r in rejected if r.curve is None}
    cells = sum(len(row.keys() - {"step"}) for i, row in enumerate(rows) if isinstance(row, dict) and i not in whole)
    assert sum(p.steps.size for p in points) + not_measured + sum(r.curve is not None for r in rejected) == cells
    assert [r.index for r in rejected] == sorted(r.index for r in rejected)
