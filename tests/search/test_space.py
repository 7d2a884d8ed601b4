"""Spaces: what JSON is read and refused, and what samples, grids and narrowed spaces hold."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.search.parameters import as_number, same_value
from app.search.space import ABSENT, Choice, Integer, LogUniform, Space, Uniform, grid, narrowed, sample, value_at

SPACE = Space.parse(
    {
        "optimizer.lr": {"kind": "log_uniform", "low": 1e-5, "high": 1},
        "optimizer.weight-decay": {"kind": "choice", "options": [0, 1e-5, 1e-4]},
        "width": {"kind": "integer", "low": 16, "high": 256, "log": True},
        "dropout": {"kind": "uniform", "low": 0.0, "high": 0.5},
        "act": {"kind": "choice", "options": ["relu", "tanh", None, True]},
    }
)

numbers = st.floats(1e-6, 1e6, allow_nan=False)
ranges = st.tuples(numbers, numbers).filter(lambda ends: ends[0] < ends[1])
parameters = st.one_of(
    ranges.map(lambda ends: {"kind": "log_uniform", "low": ends[0], "high": ends[1]}),
    ranges.map(lambda ends: {"kind": "uniform", "low": -ends[1], "high": ends[0]}),
    st.tuples(st.integers(1, 50), st.integers(51, 10_000), st.booleans()).map(
        lambda ends: {"kind": "integer", "low": ends[0], "high": ends[1], "log": ends[2]}
    ),
    st.lists(st.one_of(st.booleans(), st.none(), st.text(max_size=3), st.integers(-9, 9)), min_size=1, max_size=5)
    .filter(lambda options: not any(same_value(a, b) for i, a in enumerate(options) for b in options[:i]))
    .map(lambda options: {"kind": "choice", "options": options}),
)
spaces = st.dictionaries(st.sampled_from(["a", "lr", "b.c", "b.wd", "deep.er.still"]), parameters, min_size=1)


@settings(max_examples=40)
@given(spaces, st.integers(0, 2**70), st.integers(0, 30))
def test_samples_lie_inside_and_are_the_same_however_many_are_asked_for(raw: Any, seed: int, skip: int) -> None:
    space = Space.parse(raw)
    drawn = sample(space, 40, seed)
    assert sample(space, 5, seed, skip=skip) == drawn[skip : skip + 5]
    for configuration in drawn:
        assert all(parameter.has(configuration[name]) for name, parameter in space.parameters.items())  # type: ignore[arg-type]
        assert space.read(space.nested(configuration)) == configuration


@settings(max_examples=40)
@given(spaces)
def test_a_space_survives_json(raw: Any) -> None:
    space = Space.parse(raw)
    assert Space.parse(json.loads(json.dumps(space.as_json()))) == space


@settings(max_examples=40)
@given(spaces, st.integers(0, 100))
def test_a_narrowed_space_holds_what_it_is_around_and_nothing_new(raw: Any, seed: int) -> None:
    space = Space.parse(raw)
    around = sample(space, 2, seed)
    inner = narrowed(space, around)
    for name, parameter in inner.parameters.items():
        assert all(parameter.has(one[name]) for one in around)  # type: ignore[arg-type]
    for configuration in sample(inner, 10, seed):
        assert all(parameter.has(configuration[name]) for name, parameter in space.parameters.items())  # type: ignore[arg-type]


def test_samples_cover_a_range_evenly_and_seeds_differ() -> None:
    drawn = [math.log10(float(str(one["optimizer.lr"]))) for one in sample(SPACE, 50, 7)]
    by_decade = [sum(low <= value < low + 1 for value in drawn) for low in range(-5, 0)]
    assert min(by_decade) >= 9
    assert max(by_decade) <= 11
    assert sample(SPACE, 3, 7) != sample(SPACE, 3, 8)


def test_a_grid_has_the_ends_and_every_option_once() -> None:
    made = grid(SPACE, 3)
    assert len(made) == 3 * 3 * 3 * 3 * 4 == len({tuple(map(repr, one.values())) for one in made})
    assert {one["optimizer.lr"] for one in made} == {1e-5, 0.003162, 1.0}
    assert {one["width"] for one in made} >= {16, 256}
    few = Space({"n": Integer(low=1, high=2), "x": Uniform(low=0, high=1)})
    assert {one["n"] for one in grid(few, 9)} == {1, 2}
    assert [one["x"] for one in grid(few, 1)] == [0.5]
    wide = Space({str(k): Choice(options=tuple(range(10))) for k in range(9)})
    assert len(grid(wide, 2)) == 10_000


def test_a_space_narrowed_to_one_whole_number_stays_a_range() -> None:
    space = Space({"n": Integer(low=1, high=3), "x": Uniform(low=0.0, high=6.0), "o": Choice(options=(1, 2))})
    inner = narrowed(space, [{"n": 2, "x": 3.0, "o": 9}, {"x": "no number"}])
    assert inner.parameters["n"] == Integer(low=1, high=3)
    assert inner.parameters["x"] == Uniform(low=2.0, high=4.0)
    assert inner.parameters["o"] == Choice(options=(1, 2))
    assert narrowed(space, [{"x": 99.0}]) == space
    assert narrowed(Space({"n": Integer(low=1, high=100)}), [{"n": 50}]).parameters["n"] == Integer(low=33, high=67)


def test_roles_are_declared_or_known_by_usual_names() -> None:
    assert (SPACE.rate, SPACE.decay) == ("optimizer.lr", "optimizer.weight-decay")
    declared = Space.parse(
        {
            "lr": {"kind": "log_uniform", "low": 1e-3, "high": 1},
            "eta": {"kind": "log_uniform", "low": 1e-3, "high": 1, "role": "learning_rate"},
            "wd": {"kind": "choice", "options": ["none", 0.1]},
        }
    )
    assert (declared.rate, declared.decay) == ("eta", None)
    assert declared.parameters["lr"].role is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "space: "),
        ([], "space: "),
        ({"a": {"kind": "sphere"}}, "space.a: "),
        ({"a": {"low": 1}}, "space.a: "),
        ({"a": {"kind": "uniform", "low": 2, "high": 1}}, "low must be below high"),
        ({"a": {"kind": "uniform", "low": -1.7e308, "high": 1.7e308}}, "too far apart"),
        ({"a": {"kind": "log_uniform", "low": 1e-300, "high": 1e300}}, "too far apart"),
        ({"a": {"kind": "log_uniform", "low": 0, "high": 1}}, "space.a.log_uniform.low"),
        ({"a": {"kind": "log_uniform", "low": 1, "high": math.inf}}, "space.a.log_uniform.high"),
        ({"a": {"kind": "integer", "low": 0, "high": 4, "log": True}}, "with log, low must be 1 or more"),
        ({"a": {"kind": "integer", "low": 1.5, "high": 4}}, "space.a.integer.low"),
        ({"a": {"kind": "choice", "options": []}}, "space.a.choice.options"),
        ({"a": {"kind": "choice", "options": [1, 1.0]}}, "1.0 is among the options twice"),
        ({"a": {"kind": "choice", "options": [1], "step": 2}}, "space.a.choice.step"),
        ({"a..b": {"kind": "choice", "options": [1]}}, "no part of it may be empty"),
        ({"a": {"kind": "choice", "options": [1]}, "a.b": {"kind": "choice", "options": [1]}}, "lies inside it"),
        ({"a": {"kind": "choice", "options": ["x"], "role": "learning_rate"}}, "takes numbers, above zero"),
        ({"a": {"kind": "choice", "options": [-1], "role": "weight_decay"}}, "takes numbers, zero or above"),
        (
            {k: {"kind": "choice", "options": [1], "role": "learning_rate"} for k in "ab"},
            "another parameter is the learning_rate already",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(raw: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match="space") as refused:
        Space.parse(raw)
    assert says in str(refused.value)


def test_a_configuration_is_read_by_name_or_path_and_what_is_no_value_is_left_out() -> None:
    config = {"optimizer": {"lr": 0.1, "weight-decay": "off"}, "width": None, "dropout": True, "act": None}
    assert SPACE.read(config) == {"optimizer.lr": 0.1, "optimizer.weight-decay": "off", "act": None}
    assert SPACE.read({"optimizer.lr": 0.2, "optimizer": 3, "width": 10**400, "act": [1]}) == {"optimizer.lr": 0.2}
    assert value_at({"a": {"b": 1}}, "a.c") is ABSENT
    assert value_at({"a": 1}, "a.c") is ABSENT


def test_numbers_are_the_same_to_six_digits_and_nothing_else_is() -> None:
    assert same_value(0.1, 0.1 + 1e-9)
    assert same_value(1, 1.0)
    assert not same_value(1, True)
    assert not same_value("1", 1)
    assert same_value(None, None)
    assert as_number(math.nan) is None


def test_every_whole_number_has_its_own_part_of_the_way() -> None:
    parameter = Integer(low=3, high=5)
    assert [parameter.at(share) for share in (0.0, 0.3, 0.4, 0.6, 0.7, 1.0)] == [3, 3, 4, 4, 5, 5]
    assert parameter.share(4) == pytest.approx(0.5)
    assert LogUniform(low=1e-4, high=1.0).share(1e-2) == pytest.approx(0.5)
    assert not parameter.has(3.5)
