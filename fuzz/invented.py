"""Bytes -> a run: curves put together from stretches that jobs log, and from numbers that no job should.

Every input is a run, so that none is spent on what a parser would refuse; a few bytes make a curve of a hundred points,
which is what rules need before they say anything.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.curves.curve import Curve, FloatArray, make_curve
from app.curves.points import MAX_STEP
from app.rules.catalogue import CATALOGUE
from app.rules.caveats import Lie
from app.rules.context import Context, RunState

_NAMES = (
    *("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr", "epoch", "test/loss", "eval_acc"),
    *("train/error", "val_top1_error", "perplexity", "val/perplexity", "loss", "grad_norm", "metrics/accuracy", "ä"),
)
_SPICE = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1e-3, 10.0, 100.0, 1e4, math.nan, math.inf, -math.inf),
    *(5e-324, 2.2e-308, 1e-160, 1e160, 1.7e308, -1.7e308, math.log(10), 2.0**53),
)
_STATES: tuple[RunState, ...] = ("running", "finished", "failed")
_LIES = tuple(Lie)
_MOST_POINTS = 1200  # a curve, and above what 100 epochs log; longer ones are thinned before rules see them
_LONG_POINTS = 6000  # a curve of which one may be, so that thinning is tried as well


@dataclass(frozen=True)
class Invented:
    """What `judge` is called with."""

    curves: dict[str, Curve]
    context: Context
    roles: dict[str, str]
    params: dict[str, dict[str, object]]
    at_step: float | None


class _Bytes:
    """Bytes taken from the front; zeros when there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        self._place += count
        return taken.ljust(count, b"\0")

    def below(self, limit: int) -> int:
        return self.take(1)[0] % limit

    def number(self) -> float:
        """A small number, a strange one, or any at all."""
        kind = self.below(4)
        if kind == 0:
            return _SPICE[self.below(len(_SPICE))]
        if kind == 1:
            return self.take(1)[0] / 64
        if kind == 2:
            return float(struct.unpack("<e", self.take(2))[0])
        return float(struct.unpack("<d", self.take(8))[0])


def invented(data: bytes) -> Invented:
    """The run that these bytes stand for; the same bytes are the same run."""
    source = _Bytes(data)
    context = _context(source)
    params = _params(source)
    at_step = abs(source.number()) if source.below(4) == 1 else None
    roles = {"grad_norm": ("train/loss", "val/loss", "", "lr")[source.below(4)]} if source.below(8) == 1 else {}
    curves: dict[str, Curve] = {}
    while source and len(curves) < len(_NAMES):
        name = _NAMES[source.below(len(_NAMES))]
        curves[name] = _curve(name, source)
    return Invented(curves, context, roles, params, None if at_step is None or math.isnan(at_step) else at_step)


def _context(source: _Bytes) -> Context:
    classes, planned = source.take(1)[0], source.number()
    lies = source.take(1)[0]
    return Context(
        num_classes=classes if classes >= 2 else None,
        planned_steps=planned if 0 < planned < math.inf else None,
        state=_STATES[source.below(3)],
        schedule=(None, "cosine", "step", "constant", "?")[source.below(5)],
        caveats=tuple(lie.said("a lie") for place, lie in enumerate(_LIES) if lies >> place & 1),
    )


def _params(source: _Bytes) -> dict[str, dict[str, object]]:
    if source.below(4) != 1:
        return {}
    rule = CATALOGUE[source.below(len(CATALOGUE))]
    fields = list(rule.params.model_fields)
    if not fields:
        return {}
    name, value = fields[source.below(len(fields))], source.number()
    whole = rule.params.model_fields[name].annotation is int and math.isfinite(value)
    return {rule.name: {name: int(value) if whole else value}}


def _curve(name: str, source: _Bytes) -> Curve:
    most = _LONG_POINTS if name == "train/loss" else _MOST_POINTS
    stretches, count = [], 0
    for _ in range(1 + source.below(6)):
        stretches.append(_stretch(source))
        count += stretches[-1].size
    values = np.concatenate(stretches)[:most]
    return make_curve(name, _steps(values.size, source), values)


def _stretch(source: _Bytes) -> FloatArray:
    """So many points of one shape; noise is drawn from a seed in the bytes."""
    kind, count = source.below(7), 1 + source.take(1)[0]
    if kind == 6:
        return np.array([source.number() for _ in range(1 + count % 8)])
    level, other, noise = source.number(), source.number(), source.number() if kind > 2 else 0.0
    along = np.linspace(0, 1, count)
    with np.errstate(all="ignore"):
        shapes: dict[int, Any] = {
            0: np.full(count, level),
            1: level + (other - level) * along,
            2: other + (level - other) * np.exp(-5 * along),
        }
        base = shapes[kind % 3]
        if kind <= 2:
            return np.asarray(base, dtype=np.float64)
        scatter = np.random.default_rng(source.take(1)[0]).normal(size=count)
        if kind == 5:
            count = 1 + count // 4
            return np.resize(np.repeat(base[:count], 4), base.size) + noise * 0.0
        return np.asarray(base + noise * scatter * (0.1 if kind == 3 else 1.0))


def _steps(count: int, source: _Bytes) -> FloatArray:
    begin, apart = abs(source.number()), abs(source.number())
    begin = begin if begin <= MAX_STEP else 0.0
    kind = source.below(4)
    apart = apart if 0 < apart < MAX_STEP / (count + 1) else 1.0
    steps = begin + apart * np.arange(count)
    if kind == 1:
        steps = begin + np.cumsum(np.random.default_rng(source.take(1)[0]).exponential(apart, count))
    elif kind == 2:
        steps = np.sort(np.random.default_rng(source.take(1)[0]).integers(0, 50, count)) + begin
    return np.asarray(np.minimum(steps, MAX_STEP), dtype=np.float64)
