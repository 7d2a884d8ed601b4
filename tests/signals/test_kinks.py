"""A cut of the learning rate is seen in the losses, and nothing else is taken for one."""

import numpy as np
import pytest

from app.curves.curve import Curve, make_curve
from app.signals.kinks import infer_drop, infer_early_cut
from app.signals.matching import Pair, match
from tests.builders import SHAPES, correlated, run

SEEDS = range(20)
EPOCHS = 60


def cut_run(seed: int, at: int, updates: int = 1) -> tuple[Curve, Curve]:
    """Bounces at a flat level until epoch `at`, then lies a third lower and quiet, and creeps on."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1.0, EPOCHS * updates + 1)
    after = np.ceil(steps / updates) > at
    level = np.log(0.5 + 2 * np.exp(-steps / updates / 6)) - np.where(after, 0.45, 0.0)
    noise = np.where(after, 0.1, 1.0)
    train = np.exp(level + 0.02 * noise * np.sqrt(updates) * correlated(rng, steps.size, 0.3))
    ends = slice(updates - 1, None, updates)
    val = np.exp(level[ends] + 0.1 + 0.05 * noise[ends] * correlated(rng, EPOCHS, 0.3))
    return make_curve("train/loss", steps, train), make_curve("val/loss", steps[ends], val)


@pytest.mark.parametrize("updates", [1, 20])
@pytest.mark.parametrize("at", [15, 30, 48])
def test_a_cut_shows_in_both_losses(at: int, updates: int) -> None:
    found = [infer_drop(*cut_run(seed, at, updates)) for seed in SEEDS]
    seen = [drop for drop in found if drop is not None]
    assert len(seen) >= 14
    for drop in seen:
        assert drop.step / updates == pytest.approx(at + 1, abs=1)
        assert drop.fall == pytest.approx(1 - np.exp(-0.45), abs=0.2)
        assert drop.certainty > 1


def test_a_cut_shows_in_train_loss_alone_when_it_is_plain() -> None:
    found = [infer_drop(cut_run(seed, 30)[0], None) for seed in SEEDS]
    seen = [drop for drop in found if drop is not None]
    assert len(seen) >= 10
    assert all(drop.step == pytest.approx(31, abs=1) for drop in seen)


def test_both_losses_must_show_it() -> None:
    for seed in SEEDS:
        train, val = cut_run(seed, 30)
        _, later = cut_run(seed, 45)
        elsewhere = infer_drop(train, later)
        assert elsewhere is None or elsewhere.step != pytest.approx(31, abs=1)
        assert infer_drop(train, Curve("val/loss", val.steps, np.full(len(val), 0.7))) is None


@pytest.mark.parametrize("per_update", [True, False])
@pytest.mark.parametrize("name", [name for name in SHAPES if name not in ("healthy_steps", "early_cut", "explodes")])
def test_a_run_without_a_cut_shows_none(name: str, per_update: bool) -> None:
    for seed in SEEDS:
        curves, _ = run(name, seed, per_update=per_update)
        assert infer_drop(curves["train/loss"], curves["val/loss"]) is None


def test_a_run_that_explodes_shows_none() -> None:
    for seed in SEEDS:
        curves, _ = run("explodes", seed)
        assert infer_drop(curves["train/loss"].finite(), curves["val/loss"].finite()) is None


def test_the_scale_of_loss_and_steps_makes_no_difference() -> None:
    train, val = cut_run(1, 30)
    drop = infer_drop(train, val)
    scaled = infer_drop(
        Curve("train/loss", train.steps * 50, train.values * 64), Curve("val/loss", val.steps * 50, val.values * 64)
    )
    assert drop is not None
    assert scaled is not None
    assert scaled.step == drop.step * 50
    assert (scaled.fall, scaled.certainty) == pytest.approx((drop.fall, drop.certainty))


def test_what_cannot_be_compared_shows_none() -> None:
    train, val = cut_run(1, 30)
    assert infer_drop(train.through(12), None) is None
    assert infer_drop(train, val.through(12)) is None
    assert infer_drop(Curve("train/loss", train.steps, train.values - 1), None) is None
    assert infer_drop(train, Curve("val/loss", val.steps, val.values - 1)) is None
    assert infer_drop(make_curve("train/loss", [], []), None) is None
    flat = Curve("train/loss", train.steps, np.ones(len(train)))
    assert infer_drop(flat, flat) is None


def early_cut(seed: int, at: int = 8, noise: float = 0.002, gap: float = 0.05) -> Pair:
    """Falls fast until evaluation `at`, then at a thirtieth of the pace and quietly."""
    rng = np.random.default_rng(seed)
    k = np.arange(1.0, 41)
    level = np.log(2.3) - 0.08 * (np.minimum(k, at) + np.clip(k - at, 0, None) / 30)
    unrest = noise * np.where(k <= at, 5.0, 0.2)
    train, val = (np.exp(level + shift + unrest * rng.normal(size=40)) for shift in (0.0, gap))
    return Pair(k, train, val)


def test_an_early_cut_is_seen_where_it_was() -> None:
    found = [infer_early_cut(early_cut(seed), 2.3, 16.0) for seed in SEEDS]
    seen = [cut for cut in found if cut is not None]
    assert len(seen) >= 18
    for cut in seen:
        assert cut.step == pytest.approx(8, abs=1)
        assert cut.slowed < 0.2
    assert all(infer_early_cut(early_cut(seed, at=20), 2.3, 16.0) is None for seed in SEEDS)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"early_cut", "diverging", "to_nan"}))
def test_no_early_cut_where_there_was_none(shape: str) -> None:
    for seed in SEEDS:
        curves, _ = run(shape, seed)
        pair = match(curves["train/loss"].finite(), curves["val/loss"].finite())
        assert infer_early_cut(pair, 2.3, 0.4 * pair.steps[-1]) is None


def test_no_early_cut_without_points_or_below_zero() -> None:
    pair = early_cut(0)
    assert infer_early_cut(Pair(pair.steps[:7], pair.train[:7], pair.val[:7]), 2.3, 16.0) is None
    assert infer_early_cut(Pair(pair.steps, pair.train - 2, pair.val), 2.3, 16.0) is None
    assert infer_early_cut(pair, 0.0, 16.0) is None
    assert infer_early_cut(pair, 2.3, 1.0) is None
