"""What a point means on its way in: which are taken, which are refused and why. Nothing is coerced. Pure."""

from dataclasses import dataclass

from app.curves.curve import FloatArray


@dataclass(frozen=True, eq=False)
class Points:
    """Accepted points of one curve in the order they were written; steps float64 [n], values float64 [n]."""

    name: str
    steps: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class Rejected:
    """A point that was refused: where it stood in its column (or its row, or its line), and why."""

    index: int
    curve: str | None
    code: str
    reason: str
