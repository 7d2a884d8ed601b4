"""Which role a curve's name stands for: `train_loss`, `Loss/train` and `loss` are all `train/loss`. Pure.

A name is cut into words, and every word must be known: one that is not (`grad`, `box`, `best`, `ema`, `std`) means
another quantity, and the curve is stored and drawn but not judged. Leaving a curve out costs a verdict; taking a wrong
one costs the truth.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from app.curves.curve import Curve, Curves
from app.errors import InvalidInput

Split = Literal["train", "val"]
Metric = Literal["loss", "accuracy", "perplexity", "error", "lr", "epoch"]


@dataclass(frozen=True)
class Role:
    """What a curve is: its metric (None when the name says nothing we know) and the data it was measured on.

    stand_in: measured on a test split, so that it is judged as validation only in a run that logs no validation.
    """

    split: Split | None = None
    metric: Metric | None = None
    stand_in: bool = False

    @property
    def name(self) -> str | None:
        """The canonical name, such as `train/loss`, `val/error` or `lr`; None when unmapped."""
        return f"{self.split}/{self.metric}" if self.split and self.metric else self.metric


UNMAPPED = Role()
_ROLES = (
    *(Role(split, metric) for split in ("train", "val") for metric in ("loss", "accuracy", "perplexity", "error")),
    Role(None, "lr"),
    Role(None, "epoch"),
)
ROLES: Mapping[str, Role] = {role.name: role for role in _ROLES if role.name}

# fmt: off
_TRAIN = frozenset({"train", "training", "trn"})
_TEST = frozenset({"test", "testing"})
_VAL = frozenset({"val", "valid", "validation", "eval", "evaluation", "dev", "holdout", "heldout"})
_COLLECTION = frozenset({"metric", "metrics"})
_METRIC_WORDS: Mapping[str, Metric] = {
    "loss": "loss", "losses": "loss", "nll": "loss", "ce": "loss", "bce": "loss", "xent": "loss",
    "crossentropy": "loss", "logloss": "loss", "mlogloss": "loss",
    "acc": "accuracy", "accuracy": "accuracy", "err": "error", "error": "error", "merror": "error",
    "ppl": "perplexity", "perplexity": "perplexity", "lr": "lr",
}
# Words that only say how a metric was gathered ...
_GATHERED = frozenset({
    "step", "steps", "epoch", "epochs", "iter", "iteration", "iterations", "batch", "minibatch",
    "total", "overall", "mean", "avg", "average", "vs", "per", "current", "cur",
})
# ... or which variety of it this is, or whose.
_VARIETIES: Mapping[Metric, frozenset[str]] = {
    "loss": frozenset({"lm", "mlm"}),
    "accuracy": frozenset({"top1", "categorical", "sparse", "binary", "multiclass", "token", "score"}),
    "error": frozenset({"top1", "rate", "classification"}),
    "perplexity": frozenset(),
    "lr": frozenset({
        "base", "pg", "group", "param", "optimizer", "optim", "opt", "scheduler",
        "adam", "adamw", "sgd", "asgd", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "radam", "sparse", "lion",
        "lamb", "lars", "adafactor", "muon", "sophia", "lbfgs", "bit",
        "decoupled", "soap", "shampoo", "prodigy", "ademamix",
    }),
}
# fmt: on
# What is written in several words, or with a number that belongs to the name: any other number says another quantity.
_SPELLINGS = (
    (re.compile(r"\blearn(ing)? ?rate\b"), "lr"),
    (re.compile(r"\bcross ?entropy\b"), "ce"),
    (re.compile(r"\b(language|(sparse )?categorical|binary) ce\b"), "ce"),  # the loss by Keras' and Composer's names
    (re.compile(r"\blanguage perplexity\b"), "perplexity"),
    (re.compile(r"\b((binary|multi) )?log ?loss\b"), "logloss"),
    (re.compile(r"\bheld out\b"), "heldout"),
    (re.compile(r"\b(acc|accuracy|prec) 1\b"), "top1 accuracy"),
    (re.compile(r"\b(err|error) 1\b"), "top1 error"),
    (re.compile(r"\btop 1\b"), "top1"),
)
_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")  # trainLoss, but neither AdamW nor RMSprop
_LOADER = re.compile(r"dataloader_idx_\d+$")  # what a trainer appends when it has several validation sets


@lru_cache(maxsize=4096)
def role_of(raw_name: str) -> Role:
    """The role that a name as the job wrote it stands for; an unmapped Role when it stands for none of ours.

    Case, humps and the separators `/ _ - .` and space make no difference. A loss or accuracy that names no split is
    taken as train, as trainers mean it.
    """
    words = set(_words(raw_name))
    train, val = bool(words & _TRAIN), bool(words & (_VAL | _TEST))
    metric = _metric(words - _TRAIN - _VAL - _TEST - _COLLECTION)
    if metric is None or (train and val):
        return UNMAPPED
    if metric in ("lr", "epoch"):
        return UNMAPPED if val else Role(None, metric)
    if words & _COLLECTION and not (train or val):
        # Some call validation plain `metrics/accuracy_top1`, others train: without a split it says neither.
        return UNMAPPED
    return Role("val" if val else "train", metric, stand_in=bool(words & _TEST))


def names_split(raw: str) -> Split | None:
    """The split that a name or a folder says, whatever else it says; None when it says none, or both."""
    words = set(_words(raw))
    train, val = bool(words & _TRAIN), bool(words & (_VAL | _TEST))
    return None if train == val else "val" if val else "train"


def is_split(raw: str) -> bool:
    """Whether a name, such as a folder's, says a split and nothing else."""
    words = set(_words(raw))
    return bool(words) and words <= _TRAIN | _VAL | _TEST and names_split(raw) is not None


def _metric(words: set[str]) -> Metric | None:
    """The one metric that all of these words together describe; None when there is none, or one word is strange."""
    if "epoch" in words and words <= {"epoch", "current", "cur"}:
        return "epoch"
    named = {_METRIC_WORDS[word] for word in words if word in _METRIC_WORDS}
    if not named and "top1" in words:
        named = {"accuracy"}
    if len(named) != 1:
        return None
    metric = named.pop()
    strange = words - _METRIC_WORDS.keys() - _GATHERED - _VARIETIES[metric]
    if metric == "lr":
        strange = {word for word in strange if not word.isdigit()}  # the parameter group
    return None if strange else metric


def _words(name: str) -> list[str]:
    """A name in lower case, cut at separators, humps and digits, in one spelling."""
    text = " ".join(_WORD.findall(_HUMP.sub(" ", _LOADER.sub("", name)).lower()))
    for spelling, word in _SPELLINGS:
        text = spelling.sub(word, text)
    return text.split()


def to_roles(curves: Mapping[str, Curve], overrides: Mapping[str, str]) -> Curves:
    """Curves by raw name -> curves by role, for the rules: losses in nats, accuracies as fractions.

    overrides: raw name -> role name, or "" to leave that curve out. Raises InvalidInput for a role that does not exist.

    Where several curves have one role: one put there by an override, else one of exactly that name, else the one with
    the most finite points, else the one of the fewest words, else the first in the alphabet. Accuracy in per cent
    becomes a fraction. Error becomes accuracy, and perplexity loss, where the split has no curve of its own for it.
    """
    ready: dict[str, Curve] = {}
    for name, raw in choose(curves, overrides).items():  # a metric of its own comes before one made from another
        target, curve = _in_our_units(name, raw, curves[raw], raw in overrides)
        if curve is not None:
            ready.setdefault(target, Curve(target, curve.steps, curve.values))
    return Curves(ready)


def choose(curves: Mapping[str, Curve], overrides: Mapping[str, str]) -> dict[str, str]:
    """Role -> the raw name of the curve that is taken for it, in the order of ROLES: see to_roles.

    Raises InvalidInput for a role that does not exist.
    """
    check_overrides(overrides)
    roles = {raw: _role_under(raw, overrides) for raw, curve in curves.items() if len(curve)}
    validated = any(role.split == "val" and not role.stand_in for role in roles.values())
    chosen: dict[str, str] = {}
    for name in ROLES:
        candidates = [raw for raw, role in roles.items() if role.name == name and not (validated and role.stand_in)]
        if candidates:
            chosen[name] = min(candidates, key=lambda raw: _preference(raw, name, curves[raw], overrides))
    return chosen


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Raises InvalidInput when an override names a role that does not exist."""
    for raw, name in overrides.items():
        if name and name not in ROLES:
            known = ", ".join(ROLES)
            raise InvalidInput(f"roles: {raw!a} cannot be {name!a}; the roles are {known}, or empty to leave it out")


def _role_under(raw: str, overrides: Mapping[str, str]) -> Role:
    return ROLES.get(overrides[raw], UNMAPPED) if raw in overrides else role_of(raw)


def _preference(raw: str, name: str, curve: Curve, overrides: Mapping[str, str]) -> tuple[bool, bool, int, int, str]:
    return (raw not in overrides, raw != name, -int(np.isfinite(curve.values).sum()), len(_words(raw)), raw)


def _in_our_units(name: str, raw: str, curve: Curve, certain: bool) -> tuple[str, Curve | None]:
    """The role that the curve is judged in, and the curve in the unit of that role; None when it cannot be meant."""
    role = ROLES[name]
    match role.metric:
        case "accuracy":
            return name, _as_fraction(curve)
        case "error":
            return f"{role.split}/accuracy", _as_accuracy(curve, certain or bool({"top1", "rate"} & set(_words(raw))))
        case "perplexity":
            return f"{role.split}/loss", _as_loss(curve)
        case _:
            return name, curve


def _as_fraction(accuracy: Curve) -> Curve:
    """Accuracy [0 to 1] from a fraction or from per cent: a fraction is never above 1, and per cent soon is."""
    in_per_cent = accuracy.values[np.isfinite(accuracy.values)].max(initial=0.0) > 1.5
    if not in_per_cent:
        return accuracy
    with np.errstate(invalid="ignore"):  # a NaN may be a signalling one in the bytes of a log
        return Curve(accuracy.name, accuracy.steps, accuracy.values / 100)


def _as_accuracy(error: Curve, sure: bool) -> Curve | None:
    """Accuracy [0 to 1] from an error rate; None when it may be another error, such as a mean absolute one.

    sure: the name or an override says that it is a rate, so that values above 1 can only be per cent.
    """
    finite = error.values[np.isfinite(error.values)]
    lowest, highest = finite.min(initial=0.0), finite.max(initial=0.0)
    scale = 1.0 if highest <= 1.0 else 100.0
    if lowest < 0 or highest > 100 or (scale > 1 and not sure):
        return None
    return Curve(error.name, error.steps, 1.0 - error.values / scale)


def _as_loss(perplexity: Curve) -> Curve | None:
    """Loss [nats] from perplexity, its logarithm; None when it is no perplexity, which is above zero."""
    if (perplexity.values <= 0).any():
        return None
    return Curve(perplexity.name, perplexity.steps, np.log(perplexity.values))
