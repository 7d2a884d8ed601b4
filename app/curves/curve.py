"""A curve: all points of one metric in step order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """All points of one split and metric.

    steps: float64 [points], finite, non-negative, strictly increasing [optimiser updates, or whatever the job counted].
    values: float64 [points], NaN and infinities as they were reported.
    """

    name: str
    steps: FloatArray
    values: FloatArray

    def __len__(self) -> int:
        return int(self.steps.size)

    def after(self, step: float) -> "Curve":
        """The points after this step."""
        begin = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.name, self.steps[begin:], self.values[begin:])

    def through(self, step: float) -> "Curve":
        """The part of the curve up to and including `step`."""
        end = int(np.searchsorted(self.steps, step, side="right"))
        return Curve(self.name, self.steps[:end], self.values[:end])

    def between(self, first_step: float, last_step: float) -> "Curve":
        """The points from `first_step` through `last_step`, both included."""
        begin = int(np.searchsorted(self.steps, first_step, side="left"))
        end = int(np.searchsorted(self.steps, last_step, side="right"))
        return Curve(self.name, self.steps[begin:end], self.values[begin:end])

    def finite(self) -> "Curve":
        """The curve without its NaN and infinite points."""
        keep = np.isfinite(self.values)
        return self if keep.all() else Curve(self.name, self.steps[keep], self.values[keep])


def make_curve(name: str, steps: ArrayLike, values: ArrayLike) -> Curve:
    """Points in any order, in the order they were written -> a curve; the last write of a step wins.

    steps, values: [points]. Raises ValueError when their lengths differ or a step is negative or not finite.
    """
    x, y = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"{name}: {x.size} steps but {y.size} values")
    if x.size and not (np.isfinite(x).all() and x.min() >= 0):
        raise ValueError(f"{name}: steps must be finite and not negative")
    if x.size > 1 and not (np.diff(x) > 0).all():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        last = np.append(np.diff(x) > 0, True)
        x, y = x[last], y[last]
    return Curve(name, x, y)


class Curves(Mapping[str, Curve]):
    """A run's curves by name; iterates in name order, so that nothing depends on the order of arrival."""

    def __init__(self, curves: Mapping[str, Curve]) -> None:
        self._by_name = {name: curves[name] for name in sorted(curves)}

    def __getitem__(self, name: str) -> Curve:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def through(self, step: float) -> "Curves":
        """Every curve up to and including `step`: the run as it stood then."""
        return Curves({name: curve.through(step) for name, curve in self._by_name.items()})

    def last_step(self) -> float | None:
        """The greatest step of any curve, None when there is no point."""
        return max((float(c.steps[-1]) for c in self._by_name.values() if len(c)), default=None)
