"""Why a run does not train, as far as curves tell: too low a rate, too high a rate, or a bad initialisation.

A loss that does not go down has too low a rate or a bad initialisation, one that goes to NaN too high a rate or a bad
initialisation. Curves alone tell which only at times, so each reading names what it rests on, most telling first:
runs at other rates (a lower one that trains clears the initialisation of a divergence; a much lower one that diverges
as well accuses it), whether the loss fell before it diverged, whether it began where a sane model begins, whether it
moves at all beside its noise, and whether it stood still and then fell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.search.initial import Expected, wrong_start
from app.search.looks import LEAST_FALL, SURE, Look
from app.signals.noise import scatter
from app.signals.smoothing import running_median
from app.signals.start import flat_start

Cause = Literal["rate too high", "rate too low", "initialisation", "too short", "unknown"]
OTHER, FAR = 3.0, 30.0  # times a rate: another rate, and one so far off that the rate cannot be the only fault
SUDDEN, FLAT_SHARE = 0.25, 0.05  # as for the rule `bad_init_plateau`
STILL = 0.1  # of what is left to fall in each last tenth: that much is still going on [share of the fall]


@dataclass(frozen=True)
class Reading:
    """Why a run did not overfit its sample: the cause and what shows it, in words that follow a run's name."""

    cause: Cause
    words: str


def read(look: Look, others: Sequence[Look], expected: Expected | None) -> Reading:
    """Why a run did not get there. others: every run of the search, for what happened at other rates."""
    rest = [one for one in others if one.run != look.run and one.rate and look.rate]
    if look.diverged is not None:
        return _diverged(look, look.diverged, rest, expected)
    fall = look.fall()
    if fall is None:
        return Reading("too short", f"has {len(look.view.train)} finite points of train/loss, too few to say why")
    if not fall.significant:
        return _flat(look, rest, expected)
    if _stood_still(look):
        return Reading(
            "initialisation", "stood still at first and then fell: a bad initialisation is the prime suspect"
        )
    left = f"fell by {fall.share:.0%} of its start and had not got there after {look.last_step:g} steps"
    if _late_share(look) >= STILL:
        return Reading("too short", f"{left}, still falling: train it longer")
    return Reading("rate too low", f"{left}, and hardly falls any more: try a higher rate, or a larger model")


def _late_share(look: Look) -> float:
    """What the last third fell by, as a share of what was left at its beginning."""
    curve = look.view.train
    third = max(1, len(curve) // 3)
    before, after = float(curve.values[-2 * third : -third].mean()), float(curve.values[-third:].mean())
    return (before - after) / before if before > 0 else 0.0


def _diverged(look: Look, at: float, rest: Sequence[Look], expected: Expected | None) -> Reading:
    rate = look.rate or 0.0
    gone = f"diverged at step {at:g}"
    if len(look.view.train.through(at)) <= (1 if at == look.train.steps[0] else 0):
        return Reading("initialisation", f"{gone}, before any update: the initialisation or the inputs are wrong")
    lower = [one for one in rest if (one.rate or 0.0) <= rate / OTHER]
    if trained := [one for one in lower if _trains(one, expected)]:
        best = max(trained, key=lambda one: one.rate or 0.0)
        words = f"{gone} at a rate of {rate:.3g}, while {best.run} trains at {best.rate:.3g}: the rate was too high"
        return Reading("rate too high", words)
    if far := [one for one in lower if (one.rate or 0.0) <= rate / FAR and one.diverged is not None]:
        words = (
            f"{gone} at a rate of {rate:.3g}, and {far[0].run} at {far[0].rate:.3g} too: not the rate alone is wrong"
        )
        return Reading("initialisation", f"{words}, look at the initialisation and the scale of the inputs")
    if wrong_start(look, expected):
        return Reading("initialisation", f"{gone}, and did not begin where a sane model does: initialisation first")
    before = look.view.train.through(at)
    head = before.values[: max(1, len(before) * 2 // 3)]
    if head.size >= 4 and float(head.min()) < (1 - 0.2) * float(head[0]):
        return Reading("rate too high", f"{gone} after it had learnt: the initialisation trains, the rate is too high")
    tenth = f"a run at {rate / 10:.3g} would tell" if rate else "a run at a tenth of the rate would tell"
    return Reading("unknown", f"{gone}: too high a rate or a bad initialisation, the runs cannot tell which; {tenth}")


def _flat(look: Look, rest: Sequence[Look], expected: Expected | None) -> Reading:
    flat = f"does not go down beyond noise in {look.last_step:g} steps"
    known = _flat_beside(look.rate or 0.0, flat, rest, expected)
    if known is not None:
        return known
    rate, loss = look.rate, look.view.train
    if wrong_start(look, expected):
        return Reading("initialisation", f"{flat}, and did not begin where a sane model does: initialisation first")
    fall = look.fall()
    if fall is not None and fall.certainty >= SURE and 0 < fall.share < LEAST_FALL:
        return Reading("rate too low", f"{flat} by more than {fall.share:.2%}, but surely falls: the rate is too low")
    start = float(loss.values[0])
    if float(loss.values[-max(2, len(loss) // 10) :].mean()) > 1.1 * start and scatter(loss.values) > 0.02 * abs(start):
        return Reading("rate too high", f"{flat} but jumps about above its start: the rate is too high")
    tenfold = f"a run at {10 * rate:.3g} would tell" if rate else "a run at ten times the rate would tell"
    return Reading("unknown", f"{flat}: too low a rate or a bad initialisation, the runs cannot tell which; {tenfold}")


def _flat_beside(rate: float, flat: str, rest: Sequence[Look], expected: Expected | None) -> Reading | None:
    """What runs at other rates say of one that is flat at this; None when they say nothing."""
    higher = [one for one in rest if (one.rate or 0.0) >= rate * OTHER]
    lower = [one for one in rest if (one.rate or 0.0) <= rate / OTHER]
    if trained := [one for one in higher if _trains(one, expected)]:
        best = min(trained, key=lambda one: one.rate or 0.0)
        words = f"{flat} at a rate of {rate:.3g}, while {best.run} learns at {best.rate:.3g}: the rate was too low"
        return Reading("rate too low", words)
    if trained := [one for one in lower if _trains(one, expected)]:
        best = max(trained, key=lambda one: one.rate or 0.0)
        words = f"{flat} at a rate of {rate:.3g}, while {best.run} learns at {best.rate:.3g}: the rate was too high"
        return Reading("rate too high", words)
    if far := [one for one in higher if (one.rate or 0.0) >= rate * FAR and one.diverged is None and not one.learns]:
        words = f"{flat} at a rate of {rate:.3g}, nor does {far[0].run} at {far[0].rate:.3g}"
        return Reading("initialisation", f"{words}: a bad initialisation, or labels or gradients that do not arrive")
    return None


def _trains(look: Look, expected: Expected | None) -> bool:
    """Whether a run learnt, and got below what a blind guess loses where that is known."""
    fall = look.fall()
    return look.learns and (expected is None or (fall is not None and fall.end < expected.high))


def _stood_still(look: Look) -> bool:
    """Whether the loss made hardly anything of its fall for a good part of the run, and then fell at once."""
    loss = look.view.progress
    if len(loss) < 8 or float(loss.values[0]) <= 0:
        return False
    flat = flat_start(loss.steps, running_median(loss.values, 3), float(loss.values[0]))
    long = flat.length_points[-1] >= max(3.0, FLAT_SHARE * len(loss))
    return bool(long and flat.suddenness[-1] >= SUDDEN)
