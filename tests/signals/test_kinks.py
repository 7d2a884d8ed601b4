"""An early cut of the learning rate is seen in the losses, and nothing else is taken for one."""

import numpy as np
import pytest

from app.signals.kinks import infer_early_cut
from app.signals.matching import Pair, match
from tests.builders import SHAPES, run

SEEDS = range(20)


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
