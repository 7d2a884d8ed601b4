"""Train the demo's runs for real and record them: `python -m app.demo.train` writes runs.jsonl.gz anew.

Each run but three is spoiled on purpose, in a way that a beginner could have chosen. That it is spoiled is not a matter
of taste: its cure is trained too, from the same seeds, and what the cure bought is printed. The file serves the demo
only; no rule was tuned on it.
"""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.demo.glyphs import NUM_CLASSES, SIDE, draw
from app.demo.network import make_network
from app.demo.schedules import Schedule, constant, cosine, drops, warmup_linear

RUNS_FILE = Path(__file__).with_name("runs.jsonl.gz")
_LOG_EVERY = 5  # updates behind one point of train/loss
_SEED = 20_261_123
_VAL = draw(2_000, seed=_SEED + 1)
_SCORED_TRAIN_SAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained."""

    name: str
    how: str
    rate: Schedule
    updates: int = 3_000
    hidden: tuple[int, ...] = (64,)
    init_scale: float = 1.0
    head_scale: float = 0.3
    train_samples: int = 40_000
    batch: int = 32
    weight_decay: float = 1e-4
    val_every: int = 50
    cures: dict[str, dict[str, Any]] = field(default_factory=dict)  # name of the cure -> changed fields


RECIPES = (
    Recipe(name="mlp-cosine", how="a cosine schedule from 0.03", rate=cosine(0.03)),
    Recipe(
        name="mlp-step-decay", how="0.03, a tenth of it from 60 %, a hundredth from 85 %", rate=drops(0.03, 0.6, 0.85)
    ),
    Recipe(name="mlp-warmup-linear", how="5 % warm-up to 0.03, then linear to zero", rate=warmup_linear(0.03)),
    Recipe(
        name="mlp-tiny-init",
        how="four layers whose weights start at three tenths of the sane size",
        hidden=(64, 64, 64),
        init_scale=0.3,
        rate=cosine(0.03),
        cures={"sane start": {"init_scale": 1.0}},
    ),
    Recipe(
        name="mlp-rate-0.06-b8",
        how="a high constant rate on batches of 8",
        rate=constant(0.06),
        batch=8,
        cures={
            "half as long again at the same rate": {"updates": 4_500},
            "half as long again at a tenth": {"updates": 4_500, "rate": drops(0.06, 2 / 3)},
        },
    ),
    Recipe(
        name="mlp-drop-at-0.08",
        how="the rate falls to a twentieth at 8 % of the run",
        rate=drops(0.02, 0.08, factor=0.05),
        cures={"the drop at 60 %": {"rate": drops(0.02, 0.6, factor=0.05)}},
    ),
    Recipe(
        name="mlp-800-updates",
        how="3,000 images at a modest constant rate, stopped after 800 updates",
        rate=constant(0.01),
        updates=800,
        train_samples=3_000,
        val_every=20,
        cures={"twice as long": {"updates": 1_600}},
    ),
    Recipe(
        name="mlp-300-samples",
        how="a wide network on 300 images, no weight decay",
        hidden=(256,),
        train_samples=300,
        weight_decay=0.0,
        rate=constant(0.01),
        cures={"40,000 images": {"train_samples": 40_000}},
    ),
    Recipe(
        name="mlp-2-units",
        how="two hidden units",
        hidden=(2,),
        rate=cosine(0.03),
        cures={"64 hidden units": {"hidden": (64,)}},
    ),
    Recipe(
        name="mlp-head-x20",
        how="the head starts at twenty times the sane scale",
        head_scale=6.0,
        rate=cosine(0.01),
        cures={"sane head": {"head_scale": 0.3}},
    ),
    Recipe(
        name="mlp-rate-3.0",
        how="four layers at a constant rate of 3",
        hidden=(64, 64, 64),
        rate=constant(3.0),
        updates=600,
        cures={"a hundredth of the rate": {"rate": constant(0.03)}},
    ),
    Recipe(
        name="mlp-rate-1e-6",
        how="a constant rate of one millionth",
        rate=constant(1e-6),
        updates=1_500,
        cures={"a rate of 0.03": {"rate": constant(0.03)}},
    ),
)


def train(recipe: Recipe, seed: int = _SEED) -> dict[str, Any]:
    """Train one network; its record is the JSON line that the demo replays. seed: of its weights and batches alone."""
    images, labels = draw(recipe.train_samples, seed=_SEED)
    scored = slice(0, _SCORED_TRAIN_SAMPLES)
    network = make_network((SIDE * SIDE, *recipe.hidden, NUM_CLASSES), recipe.init_scale, recipe.head_scale, seed)
    batches = np.random.default_rng(seed + 2)
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    window: list[float] = []
    for update in range(recipe.updates + 1):
        batch = batches.choice(recipe.train_samples, size=recipe.batch, replace=False)
        rate = recipe.rate(update / recipe.updates)
        if update % recipe.val_every == 0:
            val_loss, val_accuracy = network.loss_and_accuracy(*_VAL)
            points["val/loss"].append((update, val_loss))
            points["val/accuracy"].append((update, val_accuracy))
            points["train/accuracy"].append((update, network.loss_and_accuracy(images[scored], labels[scored])[1]))
            points["lr"].append((update, rate))
        if update % _LOG_EVERY == 0:
            # Step 0 is the loss before the first update; every later point is the mean since the one before.
            loss = np.mean(window) if window else network.loss_and_accuracy(images[batch], labels[batch])[0]
            points["train/loss"].append((update, float(loss)))
            window.clear()
        window.append(network.update(images[batch], labels[batch], rate, recipe.weight_decay))
    curves = {
        name: {"steps": [step for step, _ in column], "values": [float(f"{value:.4g}") for _, value in column]}
        for name, column in points.items()
    }
    context = {"num_classes": NUM_CLASSES, "planned_steps": recipe.updates}
    return {"run": recipe.name, "how": recipe.how, "context": context, "curves": curves}


def main() -> None:
    """Train every recipe and its cures, print what the cures bought, and write the recorded runs."""
    lines = []
    with np.errstate(all="ignore"):  # one recipe overflows on purpose
        for recipe in RECIPES:
            record = train(recipe)
            lines.append(json.dumps(record, separators=(",", ":")))
            print(f"{recipe.name:<24}{_outcome(record)}  {recipe.how}")
            for cure, changes in recipe.cures.items():
                print(f"{'':<24}{_outcome(train(replace(recipe, **changes)))}    cure: {cure}")
    RUNS_FILE.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    print(f"{RUNS_FILE.name}: {len(lines)} runs, {RUNS_FILE.stat().st_size} bytes")


def _outcome(record: dict[str, Any]) -> str:
    train_loss, val_loss = (record["curves"][name]["values"] for name in ("train/loss", "val/loss"))
    late = float(np.mean(train_loss[-40:]))
    return f"val {val_loss[0]:7.3f} -> {val_loss[-1]:7.3f} (best {min(val_loss):6.3f}), train {late:7.3f}"


if __name__ == "__main__":
    main()
