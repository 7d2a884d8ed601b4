"""The shape that each rule recognises, as curves that it does recognise: drawn from formulas, judged by the rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from app.curves.curve import Curve, Curves, FloatArray
from app.diagnosis import Diagnosis, diagnose
from app.reports.chart import Spec, chart
from app.reports.points import SMOOTHING
from app.reports.theme import Theme
from app.rules.context import Context

HEIGHT = 150  # [pixels]
_STEPS = np.linspace(0.0, 3000.0, 121)
_CONTEXT = Context(num_classes=10, planned_steps=float(_STEPS[-1]), state="finished")
_CHANCE = float(np.log(10))


def shape_chart(rule_code: str, theme: Theme = "light") -> Spec:
    """A small picture of the shape. Raises KeyError for an unknown code."""
    found, curves = shape(rule_code)
    only = replace(found, verdicts=tuple(v for v in found.verdicts if v.code == rule_code))
    return chart(only, curves, smoothing=SMOOTHING, height=HEIGHT, theme=theme, small=True)


@cache
def shape(rule_code: str) -> tuple[Diagnosis, Mapping[str, Curve]]:
    """What the rules say of the shape's curves, and these. Raises KeyError for a code that is no rule's."""
    train, val, rate = _SHAPES[rule_code](np.random.default_rng(0))
    columns = {"train/loss": train, "val/loss": val, "lr": rate}
    curves = {name: Curve(name, _STEPS, values) for name, values in columns.items()}
    return diagnose(Curves(curves), _CONTEXT), curves


Columns = tuple[FloatArray, FloatArray, FloatArray]


def _falling(begin: float, floor: float, scale: float) -> FloatArray:
    return np.asarray(floor + (begin - floor) * np.exp(-_STEPS / scale))


def _noisy(values: FloatArray, share: float, random: np.random.Generator) -> FloatArray:
    return np.asarray(values * (1 + share * random.standard_normal(values.size)))


def _constant() -> FloatArray:
    return np.full(_STEPS.size, 0.1)


def _faded() -> FloatArray:
    return np.asarray(0.05 * (1 + np.cos(np.pi * _STEPS / _STEPS[-1])))


def _bad_init_plateau(random: np.random.Generator) -> Columns:
    late = np.maximum(_STEPS - 900.0, 0.0)
    loss = 0.3 + (_CHANCE - 0.3) * np.exp(-late / 350)
    return _noisy(loss, 0.01, random), _noisy(loss * 1.05, 0.005, random), _faded()


def _decay_needed(random: np.random.Generator) -> Columns:
    loss = _falling(_CHANCE, 0.6, 250)
    return _noisy(loss, 0.1, random), _noisy(loss * 1.08, 0.08, random), _constant()


def _decay_too_early(random: np.random.Generator) -> Columns:
    cut = 450.0
    fast = _CHANCE * np.exp(-np.minimum(_STEPS, cut) / 600)
    loss = fast * np.exp(-np.maximum(_STEPS - cut, 0.0) / 9000)
    return _noisy(loss, 0.02, random), _noisy(loss * 1.03, 0.004, random), np.where(cut > _STEPS, 0.1, 0.005)


def _keep_training(random: np.random.Generator) -> Columns:
    train = _CHANCE * (1 + _STEPS / 200) ** -0.55
    return _noisy(train, 0.015, random), _noisy(train * (1 + 0.35 * _STEPS / _STEPS[-1]), 0.004, random), _constant()


def _overfitting(random: np.random.Generator) -> Columns:
    train = _falling(_CHANCE, 0.1, 500)
    val = _falling(_CHANCE, 0.9, 350) + 0.35 * np.maximum(_STEPS - 700, 0.0) / 1000
    return _noisy(train, 0.02, random), _noisy(val, 0.01, random), _constant()


def _underfitting(random: np.random.Generator) -> Columns:
    loss = _falling(_CHANCE, 2.0, 300)
    return _noisy(loss, 0.006, random), _noisy(loss * 1.01, 0.002, random), _faded()


def _wrong_initial_loss(random: np.random.Generator) -> Columns:
    loss = _falling(3 * _CHANCE, 0.3, 180)
    return _noisy(loss, 0.03, random), _noisy(loss * 1.1, 0.004, random), _faded()


def _exploding(random: np.random.Generator) -> Columns:
    begun = _STEPS >= 1200
    loss = _falling(_CHANCE, 0.8, 500) * np.exp(np.maximum(_STEPS - 1050, 0.0) / 90)
    gone = np.where(begun, np.nan, _noisy(loss, 0.02, random))
    return gone, np.where(begun, np.nan, _noisy(loss * 1.05, 0.01, random)), _constant()


def _not_decreasing(random: np.random.Generator) -> Columns:
    loss = np.full(_STEPS.size, _CHANCE)
    return _noisy(loss, 0.008, random), _noisy(loss, 0.002, random), _constant()


_SHAPES: dict[str, Callable[[np.random.Generator], Columns]] = {
    "CW001": _bad_init_plateau,
    "CW002": _decay_needed,
    "CW003": _decay_too_early,
    "CW004": _keep_training,
    "CW005": _overfitting,
    "CW006": _underfitting,
    "CW007": _wrong_initial_loss,
    "CW008": _exploding,
    "CW009": _not_decreasing,
}
