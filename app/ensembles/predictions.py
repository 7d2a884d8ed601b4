"""What one checkpoint predicts for every validation example, checked: an array each of predictions and targets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from app.errors import InvalidInput

Kind = Literal["probabilities", "logits", "values"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TARGETS = "targets"
MOST_EXAMPLES = 1_000_000
SUM_TOLERANCE = 1e-3  # half precision rounds a thousand probabilities to within half of this
LARGEST = 1e30  # [the value's unit]; within single precision, and its square within double
_VALUES_AT_ONCE = 2**20

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Predictions:
    """kind: what `predictions` holds. predictions: [examples, classes], or [examples] or [examples, outputs] of values;
    float16, float32 or float64. targets: class numbers [examples], or values in the shape of `predictions`.
    """

    kind: Kind
    predictions: Array
    targets: Array

    @property
    def examples(self) -> int:
        """How many examples were predicted."""
        return int(self.targets.shape[0])

    @property
    def classes(self) -> int | None:
        """How many classes there are; None for values."""
        return None if self.kind == "values" else int(self.predictions.shape[1])

    @property
    def least(self) -> float:
        """What a probability of zero counts as, or its log loss would be infinite: the precision it was sent in."""
        dtype = np.float64 if self.kind == "logits" else self.predictions.dtype
        return float(np.finfo(dtype).eps)

    @property
    def plain_targets(self) -> Array:
        """Equal for equal targets, in whatever precision above single and order of bytes they were sent."""
        return np.ascontiguousarray(self.targets, dtype="<f4" if self.kind == "values" else "<i8")

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Some examples at a time, as float64: probabilities that add up to one, or values."""
        width = int(np.prod(self.predictions.shape[1:], dtype=np.int64))
        rows = max(1, _VALUES_AT_ONCE // max(width, 1))
        for begin in range(0, self.examples, rows):
            part = slice(begin, min(begin + rows, self.examples))
            block = self.predictions[part].astype(np.float64)
            if self.kind == "logits":
                block = np.exp(block - block.max(axis=1, keepdims=True))
            if self.kind != "values":
                block = block / block.sum(axis=1, keepdims=True)
            yield part, block


def checked(arrays: Mapping[str, Array]) -> Predictions:
    """Arrays by name -> predictions that mean something. Raises InvalidInput, naming the array and the place."""
    named = sorted(set(arrays) - {TARGETS})
    if TARGETS not in arrays or len(named) != 1 or named[0] not in KINDS:
        raise InvalidInput(
            f"the file holds the arrays {', '.join(sorted(arrays)) or 'none'}; it is to hold `targets` and one of "
            f"{', '.join(f'`{kind}`' for kind in KINDS)}"
        )
    (name,) = named
    predictions, targets = _real(name, arrays[name]), arrays[TARGETS]
    if predictions.ndim < 1 or not 1 <= predictions.shape[0] <= MOST_EXAMPLES or 0 in predictions.shape:
        raise InvalidInput(f"{name} has shape {predictions.shape}; send 1 to {MOST_EXAMPLES} examples, one a row")
    if name == "values":
        return Predictions("values", _finite(name, predictions, LARGEST), _values(targets, predictions))
    kind: Kind = "probabilities" if name == "probabilities" else "logits"
    return _of_classes(kind, predictions, targets)


def _of_classes(kind: Kind, predictions: Array, targets: Array) -> Predictions:
    if predictions.ndim != 2 or predictions.shape[1] < 2:
        raise InvalidInput(
            f"{kind} has shape {predictions.shape}; it is [examples, classes] with 2 classes or more: of the "
            "probability p of a second class alone, np.stack([1 - p, p], axis=1)"
        )
    _finite(kind, predictions, LARGEST)
    if kind == "probabilities":
        _add_up(predictions)
    if targets.dtype.kind not in "iu":
        raise InvalidInput(f"targets are {targets.dtype}; the targets of {kind} are class numbers, integers from 0")
    if targets.shape != predictions.shape[:1]:
        raise InvalidInput(
            f"targets have shape {targets.shape} beside {kind} of shape {predictions.shape}; they are one class number "
            "an example: of one-hot targets, targets.argmax(axis=1)"
        )
    classes = predictions.shape[1]
    if (wrong := (targets < 0) | (targets >= classes)).any():
        at = int(wrong.argmax())
        raise InvalidInput(f"targets[{at}] is {targets[at]}, and the classes are 0 to {classes - 1}")
    return Predictions(kind, predictions, targets)


def _values(targets: Array, predictions: Array) -> Array:
    if predictions.ndim > 2:
        raise InvalidInput(f"values have shape {predictions.shape}; they are [examples] or [examples, outputs]")
    if targets.shape != predictions.shape:
        raise InvalidInput(f"targets have shape {targets.shape} beside values of shape {predictions.shape}")
    real = targets if targets.dtype.kind in "iu" else _real(TARGETS, targets)
    return _finite(TARGETS, real, LARGEST)


def _real(name: str, array: Array) -> Array:
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise InvalidInput(f"{name} is {array.dtype}; send float16, float32 or float64")
    return array


def _finite(name: str, array: Array, most: float) -> Array:
    bad = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, dtype=np.bool_)
    if array.dtype.itemsize > 2:
        bad |= (array > most) | (array < -most)
    if bad.any():
        at = tuple(int(one) for one in np.unravel_index(int(bad.argmax()), array.shape))
        raise InvalidInput(f"{name}{list(at)} is {array[at]}; it is to be finite, and between -{most:g} and {most:g}")
    return array


def _add_up(probabilities: Array) -> None:
    if (wrong := (probabilities < 0) | (probabilities > 1 + SUM_TOLERANCE)).any():
        row, column = (int(one) for one in np.unravel_index(int(wrong.argmax()), probabilities.shape))
        raise InvalidInput(
            f"probabilities[{row}, {column}] is {probabilities[row, column]}, and is to be 0 to 1; are these `logits`?"
        )
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if (wrong := np.abs(sums - 1) > SUM_TOLERANCE).any():
        at = int(wrong.argmax())
        raise InvalidInput(f"probabilities[{at}] add up to {sums[at]:.6g}, and are to add up to 1")
