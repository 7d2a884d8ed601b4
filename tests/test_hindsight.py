"""Verdicts on cut runs are scored by what followed, and only where that can tell."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from afterwards import fell_further, paid_to_decay, realised_gain, stayed_risen, why_not
from app.curves.curve import Curve, Curves
from app.rules.verdict import Finding, Recommendation
from hindsight import CUTS, Forecast, Hindsight, Recorded, figures, forecasts, look_back, recorded
from labelled import SAMPLE, load

HINDSIGHT = Path(__file__).parent.parent / "benchmarks" / "hindsight.py"
STEPS = np.arange(1.0, 101.0)
FALLING = 0.5 + 2 * STEPS**-0.5
FLAT = np.full(100, 0.5)


def made(noise: float = 0.002, seed: int = 0, **values: np.ndarray) -> Curves:
    """Curves of a hundred steps: `val` and `train` losses with noise, `lr` without."""
    scatter = np.random.default_rng(seed)
    names = {"val": "val/loss", "train": "train/loss", "lr": "lr"}
    return Curves(
        {
            names[key]: Curve(names[key], STEPS, v + (0 if key == "lr" else noise * scatter.standard_normal(100)))
            for key, v in values.items()
        }
    )


@pytest.mark.parametrize("seed", range(20))
def test_to_keep_training_was_right_when_val_fell_further(seed: int) -> None:
    assert fell_further(made(val=FALLING, train=FALLING, seed=seed), 50) is True
    assert fell_further(made(val=FLAT, train=FALLING, seed=seed), 50) is False
    assert fell_further(made(train=FALLING, seed=seed), 50) is True  # train counts where no val was logged


def test_a_fall_within_the_noise_is_too_close_to_call() -> None:
    said = {fell_further(made(noise=0.02, val=np.where(STEPS > 50, 0.48, 0.5), seed=seed), 50) for seed in range(20)}
    assert "too close to call" in said


@pytest.mark.parametrize("seed", range(20))
def test_overfitting_was_right_when_val_stayed_above_its_best(seed: int) -> None:
    climbing = 0.5 + np.maximum(0, STEPS - 30) * 0.005
    recovering = np.where(STEPS < 70, climbing, 0.45)
    assert stayed_risen(made(val=climbing, train=FALLING, seed=seed), 60) is True
    assert stayed_risen(made(val=recovering, train=FALLING, seed=seed), 60) is False
    assert stayed_risen(made(val=FLAT, train=FALLING, seed=seed), 60) is False
    assert stayed_risen(made(val=climbing, train=climbing, seed=seed), 60) is False  # it diverged
    assert stayed_risen(made(val=climbing, train=FALLING, seed=seed), 25) == "rose only later"
    assert stayed_risen(made(val=climbing, seed=seed), 60) == "train or val not logged"


def test_a_rise_of_a_few_per_cent_is_too_close_to_call() -> None:
    rise = np.where(STEPS < 40, 0.5, 0.52)
    assert stayed_risen(made(val=rise, train=FALLING), 60) == "too close to call"


@pytest.mark.parametrize("seed", range(20))
def test_decay_was_needed_when_the_cut_of_a_steady_rate_beat_the_trend(seed: int) -> None:
    stepped = np.where(STEPS > 70, 0.01, 0.1)
    paid, idle = np.where(STEPS > 70, 0.4, 0.5), FLAT
    assert paid_to_decay(made(val=paid, lr=stepped, seed=seed), 60) is True
    assert paid_to_decay(made(val=idle, lr=stepped, seed=seed), 60) is False
    assert paid_to_decay(made(val=paid, seed=seed), 60) == "rate not logged"
    assert paid_to_decay(made(val=paid, lr=FLAT, seed=seed), 60) == "rate not cut later"
    assert paid_to_decay(made(val=paid, lr=1 / STEPS, seed=seed), 60) == "rate not steady at the cut"
    assert paid_to_decay(made(val=2 / STEPS, lr=stepped, noise=1e-4, seed=seed), 60) == "still falling at the cut"


def test_what_cannot_be_told_has_its_reason() -> None:
    assert why_not(made(val=FALLING), 50) is None
    assert why_not(made(lr=FLAT), 50) == "no loss"
    assert why_not(made(val=FALLING), 4) == "too few evaluations"
    assert why_not(made(val=FALLING), 98) == "too few evaluations"
    assert why_not(made(val=np.where(STEPS > 90, np.nan, FALLING)), 50) == "diverged later"
    assert why_not(made(val=FALLING - 2), 50) == "loss not positive"


def test_the_gain_that_came_is_measured_as_far_as_the_run_goes() -> None:
    whole = made(noise=0.0, val=FALLING)
    now, later = FALLING[47:50].mean(), FALLING[77:80].mean()
    assert realised_gain(whole, 50, 30) == pytest.approx((now - later) / now)
    assert realised_gain(whole, 50, 60) is None


def test_a_forecast_is_held_against_what_came() -> None:
    whole = made(noise=0.0, val=FALLING)
    finding = Finding(
        rule="keep_training", severity="info", confidence=0.8, summary="", onset_step=1, span=(1, 50), evidence=(),
        recommendations=(
            Recommendation("Train on.", "continue", {"steps": 30.0, "gain_low": 0.05, "gain_high": 0.2}),
            Recommendation("Train on for long.", "continue", {"steps": 300.0, "gain_low": 0.1, "gain_high": 0.2}),
            Recommendation("Stop.", "stop", {"best_step": 10.0}),
        ),
    )  # fmt: skip
    short, long = forecasts(finding, Recorded("here", {}, None), whole, 50)
    assert long is None
    assert short is not None
    assert short.gain == realised_gain(whole, 50, 30)
    assert short.holds
    seen = Hindsight(forecasts=[short, Forecast("there", 0.3, 0.5, 0.1), Forecast("there", 0.3, 0.5, 0.6)], beyond=1)
    measured = figures(seen)["forecasts"]
    assert (measured["forecasts"], measured["beyond_the_end"]) == (3, 1)
    assert measured["coverage"] == measured["gain_above"] == pytest.approx(1 / 3)
    assert measured["by_source"]["there"]["coverage"] == 0


def test_verdicts_are_counted_once_a_cut_and_right_and_wrong_differ() -> None:
    runs = list(load(SAMPLE))
    measured = figures(look_back(runs))
    for rule in measured["rules"].values():
        scored = sum(c[name] for c in rule["cuts"].values() for name in ("tp", "fp", "fn", "tn", "skipped"))
        assert scored + sum(rule["untold"].values()) == len(runs) * len(CUTS)
    assert measured["rules"]["overfitting"]["f1"] > 0.6
    reverse = [{**r, "curve": {**r["curve"], "val_loss": r["curve"]["val_loss"][::-1]}} for r in runs]
    assert figures(look_back(reverse))["rules"]["keep_training"]["f1"] < measured["rules"]["keep_training"]["f1"]


def test_an_unlabelled_run_is_read_without_what_was_not_measured() -> None:
    run = {
        "source": "somebody/somewhere logs/1.csv",
        "num_classes": 10,
        "curve": {
            "step": [0, 1, 2],
            "train_loss": [None, 2.0, 1.0],
            "val_loss": [2.3, None, float("nan")],
            "lr": [None] * 3,
        },
    }
    read = recorded(run)
    assert (read.source, read.num_classes, set(read.raw)) == ("somebody/somewhere", 10, {"train_loss", "val_loss"})
    assert list(read.raw["train_loss"].steps) == [1, 2]
    assert list(read.raw["val_loss"].steps) == [0, 2]  # NaN was measured


def test_hindsight_prints_and_writes_json() -> None:
    printed = subprocess.run([sys.executable, HINDSIGHT], capture_output=True, text=True, check=True).stdout
    assert "verdicts at a cut, by what followed" in printed
    assert "overfitting: average F1" in printed
    done = subprocess.run([sys.executable, HINDSIGHT, "--json"], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {"runs", "rules", "forecasts"}
