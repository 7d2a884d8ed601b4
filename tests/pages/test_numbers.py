"""Which steps a table of numbers shows."""

import numpy as np

from app.curves.curve import Curve
from app.pages.numbers import rows_of


def curve(name: str, steps: list[int]) -> Curve:
    return Curve(name, np.asarray(steps, float), np.asarray(steps, float) / 10)


def test_every_step_where_there_are_few_with_gaps_where_a_curve_has_no_point() -> None:
    rows = rows_of({"a": curve("a", [0, 1, 2]), "b": curve("b", [0, 2])}, 10)
    assert rows == [(0, [0, 0]), (1, [0.1, None]), (2, [0.2, 0.2])]


def test_the_evaluations_and_both_ends_where_there_are_many() -> None:
    rows = rows_of({"train": curve("train", list(range(1000))), "val": curve("val", [100, 500, 900])}, 10)
    assert [step for step, _ in rows] == [0, 100, 500, 900, 999]
    assert rows[1] == (100, [10, 10])


def test_never_more_than_asked_and_nothing_of_nothing() -> None:
    many = {name: curve(name, list(range(0, 5000, 3))) for name in "ab"}
    assert len(rows_of(many, 60)) == 60
    assert rows_of({}, 60) == rows_of({"a": curve("a", [])}, 60) == []
