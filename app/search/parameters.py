"""What one hyper-parameter may be: a range, a range of powers, whole numbers, or a list of options."""

import math
from dataclasses import dataclass
from typing import Literal

Role = Literal["learning_rate", "weight_decay"]
Value = float | int | str | bool | None
# A number may have come through JSON, a command line or a single-precision optimiser and be the same one.
SAME_NUMBER = 1e-6


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """Any number from low to high, where equal ratios are equally likely. 0 < low < high."""

    low: float
    high: float
    role: Role | None = None

    def at(self, share: float) -> float:
        """The value that lies `share` [0 to 1] of the way through."""
        value = self.low * math.exp(share * math.log(self.high / self.low))
        return min(max(float(f"{value:.4g}"), self.low), self.high)

    def share(self, value: float) -> float:
        """How far through a value lies [0 to 1 inside the range]; value > 0."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def has(self, value: float) -> bool:
        """Whether the value is one of the range."""
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Any number from low to high, all equally likely. low < high."""

    low: float
    high: float
    role: Role | None = None

    def at(self, share: float) -> float:
        """The value that lies `share` [0 to 1] of the way through."""
        return min(max(float(f"{self.low + share * (self.high - self.low):.6g}"), self.low), self.high)

    def share(self, value: float) -> float:
        """How far through a value lies [0 to 1 inside the range]."""
        return (value - self.low) / (self.high - self.low)

    def has(self, value: float) -> bool:
        """Whether the value is one of the range."""
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Integer:
    """Any whole number from low to high; with `log`, equal ratios are equally likely. low < high, log: low >= 1."""

    low: int
    high: int
    log: bool = False
    role: Role | None = None

    def at(self, share: float) -> int:
        """The value that lies `share` [0 to 1] of the way through; each has its own part of the way."""
        low, high = self.low - 0.5, self.high + 0.5
        value = low * math.exp(share * math.log(high / low)) if self.log else low + share * (high - low)
        return min(max(round(value), self.low), self.high)

    def share(self, value: float) -> float:
        """How far through the middle of a value's part lies [0 to 1 inside the range]; with `log`, value > 0."""
        low, high = self.low - 0.5, self.high + 0.5
        return math.log(value / low) / math.log(high / low) if self.log else (value - low) / (high - low)

    def has(self, value: float) -> bool:
        """Whether the value is a whole number of the range."""
        return self.low <= value <= self.high and value == round(value)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of some options, all equally likely."""

    options: tuple[Value, ...]
    role: Role | None = None

    def at(self, share: float) -> Value:
        """The option in whose part of the way `share` [0 to 1] lies."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def has(self, value: object) -> bool:
        """Whether the value is one of the options."""
        return any(same_value(option, value) for option in self.options)


Parameter = LogUniform | Uniform | Integer | Choice


def as_number(value: object) -> float | None:
    """The number that a configuration's entry is; None for text, True, False, NaN and whatever else is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # whole numbers have no bound in JSON
        return None
    return number if math.isfinite(number) else None


def same_value(one: object, other: object) -> bool:
    """Whether two entries mean the same value: numbers to six digits, anything else exactly and by its type."""
    first, second = as_number(one), as_number(other)
    if first is not None and second is not None:
        return math.isclose(first, second, rel_tol=SAME_NUMBER)
    return type(one) is type(other) and one == other
