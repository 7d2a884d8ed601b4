"""What an action does to a training, read from its machine-readable form alone, and the trainings that show it.

An action changes the configuration, and the run is trained again from scratch; or it goes on from the run's last
checkpoint (`decay_lr`, `continue`); or it takes an earlier one (`stop`). Beside each stands a control that was left
alone, of the same budget and other seeds:

- from scratch: the unchanged configuration, as long;
- `decay_lr`: from the same checkpoint on for as long as the action says, else for half the run's length, once at the
  rate that the action says and once at the rate that the run had, each in other orders of the batches;
- `continue`: the control runs themselves, each trained on for the steps that the action says, against where it stood;
- `stop`: the control runs themselves, each at the step that the action names, against its end. The step was chosen on
  another run's validation data, so nothing here was selected on what it is measured by.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from app.schedules.make import rates
from prescribing.configurations import Configuration
from prescribing.real_tasks import REAL
from prescribing.trainers import Checkpoint, make_trainer
from prescribing.training import Course, evaluation_steps

Args = Mapping[str, Any]

SEEDS = {"numpy": 10, "torch": 6}  # a side, by form; the torch form trains them one after the other
REPORTED = [0]
ONWARDS = 0.5  # how much longer a run goes on after its rate was lowered [share of its length]
CLOSING, CLOSING_EVALUATIONS = 0.1, 4  # the level at the end: mean over the last tenth, as the rules read it


def controls(c: Configuration) -> list[int]:
    """Seeds of the side that is left alone."""
    return list(range(1, 1 + SEEDS[c.form]))


def cures(c: Configuration) -> list[int]:
    """Seeds of the side that is cured."""
    return list(range(101, 101 + SEEDS[c.form]))


@dataclass(frozen=True)
class Sides:
    """Levels of test loss, one a seed; paired: whether the k-th of both is the same run."""

    cure: list[float]
    control: list[float]
    paired: bool


@dataclass(frozen=True)
class Original:
    """The run that is reported and its controls of other seeds, as trained. test: [control seeds, evaluations]."""

    steps: list[int]
    test: list[list[float]]
    levels: list[float]


def closing(first: int, last: int) -> list[int]:
    """The steps whose evaluations make the level at the end."""
    begin = last - max(round(CLOSING * (last - first)), 1)
    return evaluation_steps(begin, last, CLOSING_EVALUATIONS - 1)


def levels(course: Course, at: Sequence[int]) -> list[float]:
    """The mean test loss of each replica over the evaluations at those steps; NaN where one of them is."""
    chosen = [test for step, test in zip(course.steps, course.test, strict=True) if step in set(at)]
    return [float(level) for level in np.mean(chosen, axis=0)]


def changed(c: Configuration, action: str, args: Args) -> Configuration | None:
    """The configuration as the action wants it; None where it wants something that a program cannot do."""
    change = CHANGES.get(action)
    return change(c, args) if change else None


def _regularised(c: Configuration, args: Args) -> Configuration:
    weight_decay = args.get("weight_decay", c.weight_decay * args.get("weight_decay_factor", 1.0))
    dropout = args.get("dropout", c.dropout * args.get("dropout_factor", 1.0))
    return replace(c, weight_decay=float(weight_decay), dropout=float(dropout))


def _reinitialised(c: Configuration, args: Args) -> Configuration | None:
    if args["scheme"] == "kaiming":  # each layer by its fan-in, and the head is one
        return replace(c, init_scale=1.0, head_scale=1.0, head_bias=0.0)
    if args["scheme"] == "small_output_layer+kaiming":
        return replace(c, init_scale=1.0, head_scale=float(args["output_factor"]), head_bias=0.0)
    if args["scheme"] == "small_output_layer":
        return replace(c, head_scale=c.head_scale * float(args["factor"]))
    return None


def _delayed(c: Configuration, args: Args) -> Configuration | None:
    return replace(c, cut_at=float(args["until_step"]) / c.updates) if c.schedule == "cut" else None


def _available(c: Configuration, rows: int) -> int:
    """Of real data there are only so many."""
    return min(rows, REAL[c.task].rows) if c.form == "torch" else rows


CHANGES: dict[str, Callable[[Configuration, Args], Configuration | None]] = {
    "lower_lr": lambda c, args: replace(c, lr=c.lr * float(args["factor"])),
    "raise_lr": lambda c, args: replace(c, lr=c.lr * float(args["factor"])),
    "grow_model": lambda c, args: replace(c, width=max(round(c.width * float(args["factor"])), c.width + 1)),
    "add_data": lambda c, args: replace(c, train_size=_available(c, round(c.train_size * float(args["factor"])))),
    "regularise": _regularised,
    "reinitialise": _reinitialised,
    "delay_decay": _delayed,
}


def treat(c: Configuration, original: Original, action: str, args: Args) -> Sides | None:
    """Apply an action as it is written, beside its control; None where no program can, or nothing would change."""
    if action == "stop":
        best = int(np.argmin(np.abs(np.array(original.steps) - float(args["best_step"]))))
        return Sides([seed[best] for seed in original.test], original.levels, paired=True)
    if action == "decay_lr":
        return _decayed(c, args)
    if action == "continue":
        return _continued(c, original, round(float(args["steps"])))
    other = changed(c, action, args)
    if other is None or other == c:
        return None
    at = closing(0, other.updates)
    return Sides(
        levels(make_trainer(other, cures(other)).run(other.updates, other.rate, at), at), original.levels, paired=False
    )


@lru_cache(maxsize=1)
def unchanged(c: Configuration) -> tuple[Course, Checkpoint]:
    """The run that is reported and its controls, as one stack of replicas, and their weights at the end.

    Kept for the cures that go on from there: products of stacks of other heights are rounded otherwise.
    """
    trainer = make_trainer(c, REPORTED + controls(c))
    at = evaluation_steps(0, c.updates, c.evaluations) + closing(0, c.updates)
    return trainer.run(c.updates, c.rate, at), trainer.checkpoint()


def _checkpoint(c: Configuration, step: int) -> Checkpoint:
    """The weights of the unchanged run after that many updates."""
    if step == c.updates:
        return unchanged(c)[1]
    trainer = make_trainer(c, REPORTED + controls(c))
    trainer.run(step, c.rate, ())
    return trainer.checkpoint()


def _decayed(c: Configuration, args: Args) -> Sides:
    begin = round(float(args["at_step"]))
    checkpoint = _checkpoint(c, begin).of([0] * SEEDS[c.form])
    rate = c.rate(max(begin - 1, 0))
    steps = round(float(args.get("steps", ONWARDS * c.updates)))
    last, at = begin + steps, closing(begin, begin + steps)
    course = [rate * float(args["factor"])] * steps
    if "steps" in args:
        course = rates(str(args["kind"]), float(args["lr"]), steps).tolist()
    cure = levels(make_trainer(c, cures(c), checkpoint).run(last, lambda step: course[step - begin], at), at)
    return Sides(
        cure, levels(make_trainer(c, controls(c), checkpoint).run(last, lambda _step: rate, at), at), paired=False
    )


def _continued(c: Configuration, original: Original, more: int) -> Sides:
    last = c.updates + more
    at = closing(c.updates, last)
    rate = c.rate(c.updates - 1)
    trainer = make_trainer(c, controls(c), _checkpoint(c, c.updates).of(controls(c)))
    return Sides(levels(trainer.run(last, lambda _step: rate, at), at), original.levels, paired=True)


# What a person tries who was told nothing: for runs in which nothing was found. Name -> (action, args).
STANDARD: dict[str, Callable[[Configuration], tuple[str, dict[str, float | str]]]] = {
    "a tenth of the rate from the end": lambda c: ("decay_lr", {"at_step": float(c.updates), "factor": 0.1}),
    "twice as long": lambda c: ("continue", {"steps": float(c.updates)}),
    "a third of the rate": lambda _c: ("lower_lr", {"factor": 1 / 3}),
    "three times the rate": lambda _c: ("raise_lr", {"factor": 3.0}),
    "more regularisation": lambda c: (
        "regularise",
        {"weight_decay": max(10 * c.weight_decay, 0.01), "dropout": max(c.dropout, 0.2)},
    ),
    "twice the width": lambda _c: ("grow_model", {"factor": 2.0}),
}
