"""What is known of a function is found again, within the interval; and what cannot be known is said."""

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from app.errors import MissingExtra
from app.importance import importance as room
from app.importance.importance import FEWEST, Importance, Row, importance_of
from app.search.space import Space

SPACE = Space.parse(
    {
        "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0},
        "wd": {"kind": "choice", "options": [0, 1e-5, 1e-4]},
        "opt.width": {"kind": "integer", "low": 16, "high": 256, "log": True},
    }
)
NOISE = 0.05


def level(lr: float, wd: float) -> float:
    """Best at a rate of 10**-2, and slightly better with more decay."""
    return 0.25 * (math.log10(lr) + 2) ** 2 + {0: 0.3, 1e-5: 0.15, 1e-4: 0.0}[wd]


def truth() -> tuple[float, float]:
    """Share of the variance that the rate and the decay explain, over the space."""
    of_rate = float(np.var(0.25 * (np.linspace(-5, 0, 100_001) + 2) ** 2))
    of_decay = float(np.var([0.3, 0.15, 0.0]))
    total = of_rate + of_decay + NOISE**2
    return of_rate / total, of_decay / total


def rows(count: int, seed: int, made: Callable[[float, float], float] = level) -> list[Row]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        lr, wd = float(10 ** random.uniform(-5, 0)), [0, 1e-5, 1e-4][random.integers(3)]
        width = round(16 * 16 ** random.random())
        found.append(Row({"lr": lr, "wd": wd, "opt.width": width}, made(lr, wd) + NOISE * random.standard_normal()))
    return found


def by_name(found: Importance) -> dict[str, room.ParameterImportance]:
    return {one.name: one for one in found.parameters}


@pytest.mark.parametrize(("seed", "unit"), [(0, 1.0), (1, 1000.0)])
def test_a_known_function_is_found_again(seed: int, unit: float) -> None:
    found = importance_of(SPACE, [Row(row.configuration, unit * row.level) for row in rows(60, seed)], seed)
    assert (found.judged, found.configurations, found.left_out) == (True, 60, 0)
    shares = by_name(found)
    assert [one.name for one in found.parameters][:2] == ["lr", "wd"]
    for name, share in zip(("lr", "wd", "opt.width"), (*truth(), 0.0), strict=True):
        low, high = shares[name].interval
        assert low <= share <= high, (name, share, shares[name])
        assert low <= (shares[name].importance or 0.0) <= high
        assert high - low < 0.6
    assert shares["lr"].interval[0] > shares["opt.width"].interval[1]
    assert "lr matters most" in found.says
    assert "may be nothing" in shares["opt.width"].says


def test_what_diverged_counts_as_bad_and_not_as_everything() -> None:
    def diverging(lr: float, wd: float) -> float:
        return math.inf if lr > 0.3 else 1e9 if lr > 0.2 else math.nan if lr > 0.19 else level(lr, wd)

    shares = by_name(importance_of(SPACE, rows(40, 4, diverging), 0))
    assert (shares["lr"].importance or 0) > 0.6
    assert shares["opt.width"].interval[0] < 0.01


def test_too_few_configurations_say_nothing() -> None:
    found = importance_of(SPACE, rows(FEWEST - 1, 0), 0)
    assert not found.judged
    assert f"fewer than {FEWEST}" in found.says
    assert [one.interval for one in found.parameters] == [(0.0, 1.0)] * 3
    assert {one.importance for one in found.parameters} == {None}
    assert not importance_of(SPACE, [], 0).judged


def test_what_was_not_varied_or_lies_outside_is_told_apart() -> None:
    drawn = [Row({**row.configuration, "wd": 0}, row.level) for row in rows(15, 5)]
    odd = [Row({}, 1.0), Row({"lr": 5.0, "wd": 0, "opt.width": 16}, 1.0), Row({"lr": "x", "wd": 0, "opt.width": 16}, 1)]
    found = importance_of(SPACE, [*drawn, *odd], 0)
    assert (found.configurations, found.left_out) == (15, 3)
    assert by_name(found)["wd"].says == "wd was not varied"
    assert by_name(found)["wd"].interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: Row(row.configuration, 1.0), "same level"),
        (lambda row: Row(row.configuration, math.nan), "same level"),
        (lambda row: Row({"lr": 0.1, "wd": 0, "opt.width": 16}, row.level), "all configurations are the same"),
    ],
)
def test_where_nothing_differs_nothing_is_said(change: Callable[[Row], Row], says: str) -> None:
    found = importance_of(SPACE, [change(row) for row in rows(20, 0)], 0)
    assert not found.judged
    assert says in found.says


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: None if name == "optuna" else find_spec(name))
    with pytest.raises(MissingExtra, match=r"curvewise\[search\]"):
        importance_of(SPACE, rows(20, 0), 0)
