"""Known lies of a source, as rules can read them. Pure.

A caveat is a sentence for people. One of a known kind begins with its code, `interval-mean: train/loss is ...`: so it
is text wherever it is stored, sent or shown, and a program knows it all the same. Any other sentence is only shown.
"""

from collections.abc import Iterable
from enum import StrEnum

import numpy as np

from app.curves.curve import Curve, Curves, FloatArray


class Lie(StrEnum):
    """What a source is known to do to its numbers.

    What is not here changes no statistic that a rule reads. Train loss that lags behind validation is such a thing: a
    mean over an interval lags half of it, and rules match validation with just such means, whatever was logged.
    """

    # NaN and infinities of train loss are left out, or something finite stands in their place.
    NON_FINITE_HIDDEN = "non-finite-hidden"
    # Each point of train loss is a mean over the steps since the one before, such as an epoch.
    INTERVAL_MEAN = "interval-mean"
    # Train loss is a moving average: it lags, and scatters less than the losses it was made of.
    SMOOTHED = "smoothed"
    # Losses have few digits, so that a small one moves in jumps.
    ROUNDED = "rounded"
    # A validation loss of exactly 0 stands where no validation was run.
    ZERO_UNMEASURED = "zero-unmeasured"

    def said(self, sentence: str) -> str:
        """The caveat: this kind, in words about one source."""
        return f"{self}: {sentence}"


def lies_in(caveats: Iterable[str]) -> frozenset[Lie]:
    """The kinds that caveats begin with; those that are free text have none."""
    begun = {caveat.partition(":")[0] for caveat in caveats}
    return frozenset(lie for lie in Lie if lie in begun)


def as_measured(curves: Curves, lies: frozenset[Lie]) -> Curves:
    """The curves without points that are known to stand for nothing. curves: by role."""
    val = curves.get("val/loss")
    if Lie.ZERO_UNMEASURED not in lies or val is None:
        return curves
    unmeasured = val.steps[val.values == 0]
    return Curves({name: _without(c, unmeasured) if name.startswith("val/") else c for name, c in curves.items()})


def _without(curve: Curve, steps: FloatArray) -> Curve:
    keep = ~np.isin(curve.steps, steps)
    return Curve(curve.name, curve.steps[keep], curve.values[keep])
