"""Every kind of schedule is recognised however it was logged, and goes on as it would have."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from app.curves.curve import Curve, FloatArray, make_curve
from app.curves.thinning import for_rules
from app.schedules import Schedule, recognise

Shape = Callable[[FloatArray], FloatArray]
PLAN = 1000


def cosine(x: FloatArray) -> FloatArray:
    return (1 + np.cos(np.pi * np.clip(x, 0, 1))) / 2


def warmed(after: Shape, share: float = 0.1) -> Shape:
    return lambda x: np.where(x < share, (x + 1e-3) / (share + 1e-3), after(np.maximum(x - share, 0) / (1 - share)))


def cuts(factor: float, *at: float) -> Shape:
    return lambda x: factor ** sum((x >= a).astype(float) for a in at)


def stairs(shape: Shape, count: int) -> Shape:
    return lambda x: shape(np.floor(x * count + 1e-9) / count)


SHAPES: dict[str, tuple[Shape, str]] = {
    "constant": (np.ones_like, "constant"),
    "constant after a warm-up": (warmed(np.ones_like), "constant"),
    "one cut": (cuts(0.1, 0.5), "step"),
    "three planned cuts": (cuts(0.2, 0.3, 0.6, 0.8), "step"),
    "cuts after a warm-up": (warmed(cuts(0.5, 0.5, 0.75)), "step"),
    "four cuts at odd times": (cuts(0.5, 0.371, 0.523, 0.787, 0.913), "reduce_on_plateau"),
    "cuts by different factors at odd times": (
        lambda x: cuts(0.5, 0.371, 0.913)(x) * cuts(0.1, 0.523)(x),
        "step",
    ),
    "exponential": (lambda x: np.exp(-3 * x), "exponential"),
    "exponential by the epoch": (stairs(lambda x: np.exp(-3 * x), 40), "exponential"),
    "exponential by halves": (cuts(0.5, 0.2, 0.4, 0.6, 0.8), "step"),
    "cosine": (cosine, "cosine"),
    "cosine after a warm-up": (warmed(cosine), "cosine"),
    "cosine times a warm-up": (lambda x: np.minimum(1, (x + 1e-3) / 0.1) * cosine(x), "cosine"),
    "cosine by the epoch": (stairs(cosine, 40), "cosine"),
    "cosine to a floor": (lambda x: 0.1 + 0.9 * cosine(x), "cosine"),
    "cosine to a floor, and on": (warmed(lambda x: 0.1 + 0.9 * cosine(x / 0.8)), "cosine"),
    "linear": (lambda x: 1 - x, "linear"),
    "linear after a warm-up": (warmed(lambda x: 1 - x), "linear"),
    "linear to a floor, and on": (lambda x: np.maximum(1 - 1.2 * x, 0.1), "linear"),
    "inverse square root": (lambda x: 1 / np.sqrt(1 + 1000 * x), "inverse_sqrt"),
    "inverse square root after a warm-up": (
        lambda x: np.minimum((x + 1e-3) / 0.1, np.sqrt(0.101 / (x + 1e-3))),
        "inverse_sqrt",
    ),
    "held, then linear": (warmed(lambda x: np.minimum(1, (1 - x) / 0.2), 0.05), "warmup_stable_decay"),
    "held, then cosine": (lambda x: cosine((x - 0.6) / 0.4), "warmup_stable_decay"),
    "held, then a root": (lambda x: 1 - np.sqrt(np.clip((x - 0.7) / 0.3, 0, 1)), "warmup_stable_decay"),
    "one cycle": (lambda x: np.where(x < 0.3, 1.04 - cosine(x / 0.3), 1.04 * cosine((x - 0.3) / 0.7)), "cyclic"),
    "triangles": (lambda x: 1.1 - np.abs((x * 4) % 1 * 2 - 1), "cyclic"),
    "shrinking triangles": (lambda x: 0.1 + (1 - np.abs((x * 4) % 1 * 2 - 1)) * 0.5 ** np.floor(x * 4), "cyclic"),
    "waves": (lambda x: 0.55 + 0.45 * np.cos(8 * np.pi * x), "cyclic"),
    "restarts": (lambda x: cosine(x * 3 % 1), "cyclic"),
    "restarts that double": (
        lambda x: cosine(np.where(x < 1 / 7, x * 7, np.where(x < 3 / 7, x * 3.5 - 0.5, x * 1.75 - 0.75))),
        "cyclic",
    ),
    "restarts after a warm-up": (warmed(lambda x: cosine(x * 3 % 1)), "cyclic"),
    "a square": (lambda x: (1 - x) ** 2, "unknown"),
    "held, then a cube": (lambda x: (1 - np.clip(x - 0.5, 0, 1)) ** 3, "unknown"),
    "a climb": (lambda x: 0.1 + x, "warmup"),
}


def log(shape: Shape, points: int = PLAN, through: float = 1.0, offset: int = 1, digits: int = 16) -> Curve:
    """A rate of 0.003 logged at `points` of the planned steps, `offset` later than it was set."""
    steps = np.arange(0, PLAN * through, PLAN / points)
    values = [float(f"{v:.{digits}g}") for v in 0.003 * shape(steps / PLAN)]
    return make_curve("lr", steps + offset, values)


def recognised(curve: Curve, planned_steps: float | None = None) -> Schedule:
    schedule = recognise(curve, planned_steps)
    assert schedule is not None
    return schedule


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("digits", [4, 16])
@pytest.mark.parametrize("name", SHAPES)
def test_a_schedule_is_recognised_and_drawn(name: str, digits: int, offset: int) -> None:
    shape, kind = SHAPES[name]
    curve = log(shape, offset=offset, digits=digits)
    schedule = recognised(curve)
    assert schedule.kind == kind
    assert schedule.peak == curve.values.max()
    assert schedule.now == pytest.approx(curve.values[-1] / schedule.peak)
    drawn = schedule.at(curve.steps) / schedule.peak
    # Stairs are drawn as the smooth fall through their first points.
    allowed = 0.1 if "by the epoch" in name else 0.05 if kind == "cyclic" else 0.02
    assert np.sqrt(np.mean((drawn - curve.values / schedule.peak) ** 2)) < allowed
    assert schedule.fit_error < 0.05


FALLING = [name for name, (_, kind) in SHAPES.items() if kind in ("cosine", "linear", "exponential", "inverse_sqrt")]


@pytest.mark.parametrize("points", [20, 100, PLAN])
@pytest.mark.parametrize("through", [0.4, 0.6])
@pytest.mark.parametrize("name", [name for name in FALLING if "by the epoch" not in name])
def test_a_run_that_was_cut_off_shows_how_it_would_have_gone_on(name: str, through: float, points: int) -> None:
    shape, kind = SHAPES[name]
    if "floor" in name or (points == 20 and "warm-up" in name):
        through = 0.8  # a floor shows late, and so does the shape of a few points
    schedule = recognised(log(shape, points, through, digits=6))
    assert schedule.kind == kind
    ahead = np.arange(through, 0.95, 0.05)
    if "and on" not in name:  # where a floor not yet reached lies, no one knows
        assert schedule.at(ahead * PLAN + 1) / schedule.peak == pytest.approx(shape(ahead), abs=0.06)


@pytest.mark.parametrize("name", FALLING)
def test_units_of_steps_and_rates_make_no_difference(name: str) -> None:
    curve = log(SHAPES[name][0])
    schedule, scaled = recognised(curve), recognised(Curve("lr", curve.steps / 64, curve.values * 1024))
    assert (scaled.kind, scaled.falling_now) == (schedule.kind, schedule.falling_now)
    assert scaled.warmup_end == pytest.approx(schedule.warmup_end / 64)
    assert (scaled.horizon or 0) == pytest.approx((schedule.horizon or 0) / 64, rel=1e-4)


@pytest.mark.parametrize("name", ["one cut", "three planned cuts", "cosine by the epoch", "exponential by the epoch"])
def test_a_thinned_rate_is_the_same_schedule(name: str) -> None:
    shape, kind = SHAPES[name]
    steps = np.arange(20_011.0)
    curve = make_curve("lr", steps, shape(steps / 20_011))
    thinned, whole = recognised(for_rules(curve)), recognised(curve)
    assert thinned.kind == whole.kind == kind
    assert [d.factor for d in thinned.drops] == pytest.approx([d.factor for d in whole.drops])
    assert [d.step for d in thinned.drops] == pytest.approx([d.step for d in whole.drops], abs=10)


def test_cuts_are_where_they_were_logged() -> None:
    schedule = recognised(log(warmed(cuts(0.1, 0.5))))
    assert [(d.step, round(d.factor, 9)) for d in schedule.drops] == [(551, 0.1)]
    assert schedule.warmup_end == 101


def test_a_line_that_was_logged_a_few_times_is_no_staircase() -> None:
    steps = np.arange(0.0, 1001, 20)
    for begin in (900.0, 893.0):
        held = np.clip((1000 - steps) / (1000 - begin), 0.0, 1.0)
        found = recognise(make_curve("lr", steps, 0.1 * held), 1000.0)
        assert found is not None
        assert (found.kind in ("warmup_stable_decay", "unknown"), found.drops) == (True, ()), "few points may not tell"


def test_a_fall_ends_where_it_would_reach_zero_or_its_floor() -> None:
    assert recognised(log(cosine, through=0.4)).horizon == pytest.approx(1001, rel=0.01)
    assert recognised(log(lambda x: 1 - x, through=0.4)).horizon == pytest.approx(1001, rel=1e-6)
    assert recognised(log(SHAPES["linear to a floor, and on"][0])).horizon == pytest.approx(751, rel=0.01)
    assert recognised(log(SHAPES["cosine to a floor, and on"][0])).horizon == pytest.approx(821, rel=0.01)
    assert recognised(log(SHAPES["held, then a root"][0])).horizon == pytest.approx(1001, rel=0.01)
    assert recognised(log(SHAPES["exponential"][0])).horizon is None


def test_few_points_are_enough_where_only_one_shape_passes_through_them() -> None:
    for kind, shape in {"cosine": cosine, "linear": lambda x: 1 - x}.items():
        for begin in (0, 1):
            curve = make_curve("lr", np.arange(6.0) + begin, shape(np.arange(6.0) / 10))
            assert recognised(curve).kind == kind
            assert recognised(curve).horizon == pytest.approx(10 + begin, rel=0.01)
    planned = recognised(make_curve("lr", np.arange(6.0), cosine(np.arange(6.0) / 10)), planned_steps=10)
    assert planned.horizon == 10


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.01], "unknown"),
        ([0.1, 0.1, 0.01], "step"),
        ([0.1, 0.01, 0.01], "step"),
        ([0.1, 0.1, 0.097], "unknown"),
        ([0.1, 0.1, 0.1, 0.1, 0.097, 0.093, 0.06], "unknown"),
        ([0.1, 0.1], "constant"),
        ([0.0, 0.0], "constant"),
        ([-0.1, -0.2], "constant"),
        ([0.1, 0.05, 0.02, -0.3, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.4], "unknown"),
        ([0.01, 0.1], "warmup"),
        ([0.1, 0.05, 0.1], "unknown"),
        ([0.1, 0.08, 0.01, 0.1, 0.08, 0.01, 0.03, 0.09, 0.01, 0.05], "unknown"),
        ([1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.9, 0.7, 0.5, 0.3, 0.9, 0.6, 0.9, 0.8, 0.7], "unknown"),
        ([1.0, 0.0, 0.0, 1e-200, 0.0], "step"),
        ([1.0, 0.9, 0.9, 0.9, 0.89, 0.6, 0.6, 0.5, 0.1, 0.1], "unknown"),
        ([1.0, 0.99, 0.9, 0.65, 0.4, 0.31, 0.3], "unknown"),
    ],
)
def test_what_cannot_be_told_is_not(values: list[float], kind: str) -> None:
    schedule = recognised(make_curve("lr", np.arange(1.0, len(values) + 1), values))
    assert schedule.kind == kind
    assert np.isfinite(schedule.at([0.0, 1.0, 100.0])).all()


def test_a_rate_logged_late_in_a_long_run_is_drawn() -> None:
    schedule = recognised(make_curve("lr", [474333.5, 474334.5, 474335.5], [0.96, 0.43, 0.29]))
    assert schedule.kind == "unknown"
    assert schedule.at([474334.5]) == [0.43]
    fading = recognised(make_curve("lr", [565174.5, 565175.5, 565176.5], [0.4, 0.2, 0.1]))
    assert fading.kind == "exponential"
    assert np.isfinite(fading.at([0.0])).all()


def test_one_point_shows_no_schedule() -> None:
    assert recognise(make_curve("lr", [1.0], [0.1])) is None


def test_a_schedule_that_lowers_the_rate_now_says_so() -> None:
    assert not recognised(log(cosine, through=0.08)).falling_now
    assert recognised(log(cosine, through=0.2)).falling_now
    assert recognised(log(SHAPES["exponential"][0])).falling_now
    assert recognised(log(SHAPES["inverse square root"][0])).falling_now
    assert recognised(log(SHAPES["held, then linear"][0], through=0.9)).falling_now
    assert not recognised(log(SHAPES["held, then linear"][0], through=0.7)).falling_now
    assert not recognised(log(SHAPES["cosine to a floor, and on"][0])).falling_now
    assert not recognised(log(cuts(0.1, 0.5), through=0.51)).falling_now
    assert not recognised(log(SHAPES["triangles"][0], through=0.6)).falling_now
    assert recognised(log(SHAPES["triangles"][0], through=0.7)).falling_now


@pytest.mark.parametrize(
    ("shape", "through", "expected"),
    [
        (np.ones_like, 0.5, None),
        (cosine, 0.4, True),
        (cosine, 1.0, False),
        (lambda x: np.exp(-0.3 * x), 0.5, False),
        (SHAPES["restarts"][0], 0.5, True),
        (SHAPES["a square"][0], 0.5, None),
        (SHAPES["a climb"][0], 0.5, None),
        (SHAPES["four cuts at odd times"][0], 0.93, None),
        (cuts(0.1, 0.3), 0.5, None),
        (cuts(0.1, 0.3, 0.6), 0.7, True),
        (cuts(0.1, 0.4, 0.8), 0.9, None),  # the next would come after the end
        (cuts(0.1, 0.2, 0.6), 0.7, None),  # no period
        (cuts(0.8, 0.3, 0.6), 0.7, None),  # cuts that leave more than half
        (cuts(0.1, 0.1, 0.2), 0.9, None),  # the period was not kept
    ],
)
def test_whether_the_rate_will_still_be_lowered(shape: Shape, through: float, expected: bool | None) -> None:
    assert recognised(log(shape, through=through)).will_decay(PLAN, PLAN * through) is expected


def test_cycles_go_on_in_their_rhythm() -> None:
    schedule = recognised(log(SHAPES["restarts"][0], through=0.9, offset=0))
    ahead = np.array([1.1, 1.5, 1.9]) * PLAN
    assert schedule.at(ahead) / schedule.peak == pytest.approx(cosine(ahead / PLAN * 3 % 1), abs=0.05)
    doubling = recognised(log(SHAPES["restarts that double"][0], offset=0))
    assert doubling.at([PLAN * 11 / 7]) / doubling.peak == pytest.approx(cosine(np.array([0.5])), abs=0.05)
    assert math.isfinite(doubling.at([1e12])[0])
