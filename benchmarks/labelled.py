"""Labelled runs on disk, and the forms in which a job could have logged them. Fields: benchmarks/data/README.md."""

import gzip
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.curves.curve import Curve, Curves, make_curve
from app.rules.context import Context

LABELS = (
    "bad_init_plateau",
    "decay_needed",
    "decay_too_early",
    "keep_training",
    "overfitting",
    "underfitting",
    "wrong_initial_loss",
    "exploding",
    "not_decreasing",
)
SAMPLE = Path(__file__).parent / "data" / "labelled.jsonl.gz"

LabelledRun = dict[str, Any]
Form = Callable[[LabelledRun], tuple[Curves, Context]]


def load(path: Path) -> Iterator[LabelledRun]:
    """The runs of a labelled file, plain or gzipped, in file order."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        yield from map(json.loads, lines)


def per_epoch(run: LabelledRun) -> tuple[Curves, Context]:
    """One point an epoch; the step is the epoch, train values are means over its batches."""
    steps = np.asarray(run["curve"]["epoch"], dtype=float)
    curves = _common(run, steps)
    curves["train/loss"] = _curve("train/loss", steps, run["curve"]["train_loss"])
    curves["lr"] = _curve("lr", steps, run["curve"]["lr"])
    return Curves(curves), _context(run, 1)


def per_update(run: LabelledRun) -> tuple[Curves, Context]:
    """Train loss and rate every update, validation at the end of each epoch; the step is the update."""
    curves = _common(run, np.asarray(run["curve"]["epoch"], dtype=float) * run["steps_per_epoch"])
    updates = np.arange(1, len(run["curve"]["step_loss"]) + 1, dtype=float)
    curves["train/loss"] = _curve("train/loss", updates, run["curve"]["step_loss"])
    curves["lr"] = _curve("lr", updates, run["curve"]["step_lr"])
    return Curves(curves), _context(run, run["steps_per_epoch"])


FORMS: dict[str, Form] = {"per epoch": per_epoch, "per update": per_update}


def _common(run: LabelledRun, steps: Any) -> dict[str, Curve]:
    named = {"val/loss": "val_loss", "train/accuracy": "train_acc", "val/accuracy": "val_acc"}
    logged = {name: run["curve"].get(field) for name, field in named.items()}
    return {
        name: _curve(name, steps, values)
        for name, values in logged.items()
        if values and any(v is not None for v in values)
    }


def _context(run: LabelledRun, steps_per_epoch: int) -> Context:
    planned = run["config"]["epochs"] * steps_per_epoch
    return Context(num_classes=run["num_classes"], planned_steps=planned, state="finished")


def _curve(name: str, steps: Any, values: list[float | None]) -> Curve:
    return make_curve(name, steps, [math.nan if v is None else float(v) for v in values])
