"""Whether a data set is small or large for training a network from random weights.

Source
    He, Girshick and Dollar, Rethinking ImageNet Pre-training (ICCV 2019): on COCO, with its 80 classes, training from
    scratch caught up with pre-training from 10,000 images on, and fell far behind on 1,000. Those are 125 and 12.5
    images a class. One study of detectors is an order of magnitude, not a law: between its two sizes nothing is
    judged, and a data set counts as large only when it is so in all and for each class.
"""

from dataclasses import dataclass
from typing import Literal

Data = Literal["small", "large"]

SMALL, LARGE = 1_000, 10_000  # examples in all
_CLASSES = 80  # of the study
SMALL_A_CLASS, LARGE_A_CLASS = SMALL / _CLASSES, LARGE / _CLASSES  # examples of one class

_STUDY = "in a study of detectors, training from scratch fell far behind pre-training on 1,000 images (12.5 a class)"
_CAUGHT_UP = "in a study of detectors, training from scratch caught up from 10,000 images on (125 a class)"


@dataclass(frozen=True)
class Amount:
    """small, large, or None where that cannot be told; and why."""

    data: Data | None
    reason: str


def amount_of(examples: int, num_classes: int | None = None) -> Amount:
    """Judge a number of examples. num_classes: how many classes share them, None when not known or none."""
    each = examples / num_classes if num_classes else None
    have = f"{examples:,} examples" + (f", {each:,.3g} a class" if each is not None else "")
    if examples <= SMALL or (each is not None and each <= SMALL_A_CLASS):
        return Amount("small", f"{have}: {_STUDY}")
    if examples >= LARGE and (each is None or each >= LARGE_A_CLASS):
        return Amount("large", f"{have}: {_CAUGHT_UP}")
    return Amount(None, f"{have}: between what is known to be small and to be large")
