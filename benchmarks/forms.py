"""The ways in which jobs log the same run, each with the labels that such a log can show.

A form turns a labelled run into curves by the names that some trainer writes, so that judging it also tests how names
become roles. `shows` leaves out what the log cannot tell whatever looks at it: without validation there is no gap, and
without the number of classes the right start is unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.signal import lfilter

from app.curves.curve import Curve, FloatArray
from app.diagnosis import Diagnosis, judge
from app.rules.context import Context
from labelled import LABELS, LabelledRun, per_epoch, per_update

Logged = tuple[dict[str, Curve], Context]
ALL = frozenset(LABELS)
WITHOUT_VAL = ALL - {"keep_training", "overfitting", "underfitting"}
WITHOUT_CLASSES = ALL - {"wrong_initial_loss"}
_ACCURACIES = ("train/accuracy", "val/accuracy")
_EMA_DECAY = 0.98  # what fastai smooths its reported train loss with
_LEAST_EVALUATIONS = 6


@dataclass(frozen=True)
class Form:
    """One way of logging.

    log: run -> curves by raw name, and what the job told. unit: what a step counts. shows: labels that it can show.
    applies: whether a run can be logged so at all (perplexity needs a language model).
    """

    name: str
    log: Callable[[LabelledRun], Logged]
    unit: Literal["epoch", "update"]
    shows: frozenset[str] = ALL
    applies: Callable[[LabelledRun], bool] = lambda _: True

    def steps_per_epoch(self, run: LabelledRun) -> int:
        """Steps of this form in an epoch of the run."""
        return int(run["steps_per_epoch"]) if self.unit == "update" else 1

    def judge(self, run: LabelledRun) -> Diagnosis:
        """The diagnosis of the finished run, logged so."""
        return judge(*self.log(run))


def epochs(run: LabelledRun) -> Logged:
    """Everything, one point an epoch, as Keras names it."""
    curves, context = per_epoch(run)
    return _renamed(curves, "loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"), context


def updates(run: LabelledRun) -> Logged:
    """Train loss and rate every update, the rest every epoch, as Lightning names it."""
    curves, context = per_update(run)
    return _renamed(curves, "train_loss_step", "val_loss", "train_acc_epoch", "val_acc", "lr-AdamW"), context


def running_means(run: LabelledRun) -> Logged:
    """Train loss as the mean of every max(5, n / 100) updates, val every third epoch (every epoch of a short run)."""
    curves, context = per_update(run)
    train, rate = curves["train/loss"], curves["lr"]
    window = max(5, len(train) // 100)
    means = len(train) // window
    ends = slice(window - 1, means * window, window)
    values = train.values[: means * window].reshape(means, window).mean(axis=1)
    logged = {**curves, "train/loss": Curve("train/loss", train.steps[ends], values), "lr": _at(rate, ends)}
    total = len(curves["val/loss"])
    every = 3 if total >= 3 * _LEAST_EVALUATIONS else 1
    logged = _val_at(logged, slice((total - 1) % every, None, every))
    return _renamed(logged, "loss", "eval_loss", "train_accuracy", "eval_accuracy", "learning_rate"), context


def exponential_mean(run: LabelledRun) -> Logged:
    """Train loss as an exponential mean of the updates' losses, corrected for its start, every update."""
    curves, context = per_update(run)
    train = curves["train/loss"]
    weights = 1.0 - _EMA_DECAY ** np.arange(1, len(train) + 1)
    means = np.asarray(lfilter([1.0 - _EMA_DECAY], [1.0, -_EMA_DECAY], train.values)) / weights
    logged = {**curves, "train/loss": Curve("train/loss", train.steps, means)}
    return _renamed(logged, "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "lr"), context


def val_at_start(run: LabelledRun) -> Logged:
    """Per epoch, with an evaluation before the first update."""
    curves, context = per_epoch(run)
    val = curves["val/loss"]
    values: FloatArray = np.append(float(run["curve"]["init_val_loss"]), val.values)
    logged = {**curves, "val/loss": Curve("val/loss", np.append(0.0, val.steps), values)}
    return _renamed(logged, "train/loss", "eval/loss", "train/acc", "eval/acc", "lr"), context


def sparse_val(run: LabelledRun) -> Logged:
    """Train loss every update, val every fifth epoch, or every second where that leaves fewer than 6 evaluations."""
    curves, context = per_update(run)
    every = 5 if len(curves["val/loss"]) >= 5 * _LEAST_EVALUATIONS else 2
    logged = _val_at(dict(curves), slice(every - 1, None, every))
    return _renamed(logged, "Loss/train", "Loss/valid", "Accuracy/train", "Accuracy/valid", "lr"), context


def per_cent(run: LabelledRun) -> Logged:
    """Per epoch, with accuracies from 0 to 100."""
    curves, context = per_epoch(run)
    scaled = {n: Curve(n, c.steps, c.values * 100) if n in _ACCURACIES else c for n, c in curves.items()}
    return _renamed(scaled, "train_loss", "eval_loss", "train_top1", "eval_top1", "lr"), context


def perplexity(run: LabelledRun) -> Logged:
    """Per epoch, with perplexity in place of both losses; it overflows to Infinity as `exp` does."""
    curves, context = per_epoch(run)
    with np.errstate(over="ignore"):
        logged = {
            f"{split}/ppl": Curve(f"{split}/ppl", curve.steps, np.exp(curve.values))
            for split, curve in (("train", curves["train/loss"]), ("val", curves["val/loss"]))
        }
    return {**{name: curve for name, curve in curves.items() if not name.endswith("loss")}, **logged}, context


def without(log: Callable[[LabelledRun], Logged], *patterns: str) -> Callable[[LabelledRun], Logged]:
    """The form `log` less the curves whose names hold one of the patterns."""

    def logged(run: LabelledRun) -> Logged:
        curves, context = log(run)
        return {name: c for name, c in curves.items() if not any(p in name for p in patterns)}, context

    return logged


def told(log: Callable[[LabelledRun], Logged], less: Callable[[Context], Context]) -> Callable[[LabelledRun], Logged]:
    """The form `log` from a job that tells `less` of its context."""

    def logged(run: LabelledRun) -> Logged:
        curves, context = log(run)
        return curves, less(context)

    return logged


def _has_accuracy(run: LabelledRun) -> bool:
    return "val/accuracy" in per_epoch(run)[0]


def _no_classes(context: Context) -> Context:
    return replace(context, num_classes=None)


def _no_plan(context: Context) -> Context:
    return replace(context, planned_steps=None)


_FORMS = (
    Form("per epoch", epochs, "epoch"),
    Form("per update", updates, "update"),
    Form("running means", running_means, "update"),
    Form("exponential mean", exponential_mean, "update"),
    Form("val at step 0", val_at_start, "epoch"),
    Form("sparse val", sparse_val, "update"),
    Form("per cent", per_cent, "epoch", applies=_has_accuracy),
    Form("perplexity", perplexity, "epoch", applies=lambda run: run["kind"] == "lm"),
    Form("no rate", without(epochs, "rate"), "epoch"),
    Form("no rate, per update", without(updates, "lr"), "update"),
    Form("no rate, running means", without(running_means, "rate"), "update"),
    Form("no accuracy", without(epochs, "accuracy"), "epoch", applies=_has_accuracy),
    Form("train and rate", without(epochs, "val", "accuracy"), "epoch", WITHOUT_VAL),
    Form("train and rate, per update", without(updates, "val", "acc"), "update", WITHOUT_VAL),
    Form("train alone", without(epochs, "val", "accuracy", "rate"), "epoch", WITHOUT_VAL),
    Form("no classes", told(epochs, _no_classes), "epoch", WITHOUT_CLASSES, lambda run: bool(run["num_classes"])),
    Form("no plan", told(epochs, _no_plan), "epoch"),
)
FORMS: Mapping[str, Form] = {form.name: form for form in _FORMS}
FULL = ("per epoch", "per update")  # the forms in which everything is logged


def _renamed(curves: Mapping[str, Curve], *names: str) -> dict[str, Curve]:
    """Roles -> a trainer's names, in the order train loss, val loss, train accuracy, val accuracy, rate."""
    roles = ("train/loss", "val/loss", *_ACCURACIES, "lr")
    return {
        raw: Curve(raw, curves[role].steps, curves[role].values)
        for role, raw in zip(roles, names, strict=True)
        if role in curves
    }


def _at(curve: Curve, points: slice) -> Curve:
    return Curve(curve.name, curve.steps[points], curve.values[points])


def _val_at(curves: Mapping[str, Curve], points: slice) -> dict[str, Curve]:
    return {name: _at(curve, points) if name.startswith("val/") else curve for name, curve in curves.items()}
