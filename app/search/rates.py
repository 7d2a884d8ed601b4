"""Step 3: the learning rate that makes the loss fall significantly within about 100 updates.

From a sweep, several short runs at constant rates, or from one run whose rate grows. "Significantly" is a fall of at
least 2 % of the start that scatter would make once in 700 flat runs (`looks.Fall`). Of a sweep the best rate is the
middle one of those with the lowest train loss, within three standard errors. The loss diverges from the lowest rate on
above which every other diverged as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.rules.verdict import Evidence
from app.search.answers import NAMES, Status, StepReport
from app.search.looks import BLOWN, LEAST_POINTS, SURE, Fall, Look, fall_of
from app.search.parameters import same_value
from app.search.places import Placed, ramped
from app.signals.noise import scatter
from app.signals.smoothing import bin_means

WITHIN = 100.0  # updates
LEAST_RATES = 3  # distinct rates that make a sweep
RAMP_BINS = 40
BELOW_LOWEST = 0.1 ** (1 / 2)  # of the ramp's rate of the lowest loss: half a decade is what its momentum overshoots


@dataclass(frozen=True)
class RateReading:
    """What is known of the learning rate.

    best: None when none works. alike: the ends of the rates that noise does not tell from it. low, high: the lowest and
    the highest rate that works. edge: the lowest that diverged, None when none did. tried: the lowest and the highest
    rate tried. how: what it was read from. fall: at the best rate [share of the start]; certainty of it [normal
    deviate].
    """

    best: float | None
    alike: tuple[float, float] | None
    low: float | None
    high: float | None
    edge: float | None
    tried: tuple[float, float]
    how: str
    fall: float
    certainty: float
    runs: tuple[str, ...]

    @property
    def reaches_up(self) -> bool:
        """Whether noise does not tell the highest rate tried from the best, and none diverged: better may lie above."""
        best = [rate for rate in (self.best, *(self.alike or ())) if rate is not None]
        return self.edge is None and bool(best) and max(best) >= 0.999 * self.tried[1]


@dataclass(frozen=True)
class _Tried:
    rate: float
    fall: Fall | None
    diverged: bool


def read_rates(placed: Placed) -> RateReading | None:
    """The learning rate as the runs of step 3 know it, else those of 4 and 5; None when too few rates were tried."""
    short = placed.at(3)
    ramps = [look for look in short if ramped(look)]
    sweep = [look for look in short if not ramped(look) and look.rate and len(look.train)]
    found = read_sweep(sweep)
    if found is None:
        readings = [reading for reading in map(read_ramp, ramps) if reading is not None]
        found = readings[-1] if readings else None
    return found or read_sweep([look for look in placed.at(4, 5) if look.rate and len(look.train)])


def report(placed: Placed, space_ends: tuple[float, float] | None) -> StepReport:
    """What the runs say about the rate. space_ends: the lowest and the highest rate of the space."""
    reading = read_rates(placed)
    if reading is None and space_ends is None:
        says = "The space of the search names no learning rate."
        return StepReport(number=3, name=NAMES[2], status="skipped", says=says)
    if reading is None:
        tried = sorted({look.rate for look in placed.at(3) if look.rate})
        says = (
            f"{len(tried)} of the {LEAST_RATES} rates that make a sweep were tried." if tried else "No rate was tried."
        )
        wanted = "runs of about 100 updates at several rates, or one whose rate grows"
        return StepReport(number=3, name=NAMES[2], status="open", says=says, missing=wanted)
    looks = [look for look in placed.looks if look.run in reading.runs]
    evidence = [
        Evidence("fall", reading.fall, 0.02, "share of the start"),
        Evidence("certainty", reading.certainty, SURE, "normal deviate"),
    ]
    for name, rate in (("best_rate", reading.best), ("diverges_at", reading.edge)):
        if rate is not None:
            evidence.append(Evidence(name, rate, None, "learning rate"))
    status, missing = _status(reading, space_ends)
    return StepReport(
        number=3,
        name=NAMES[2],
        status=status,
        says=_words(reading),
        evidence=tuple(evidence),
        runs=reading.runs,
        inferred=placed.inferred(looks),
        missing=missing,
    )


def _status(reading: RateReading, ends: tuple[float, float] | None) -> tuple[Status, str | None]:
    low, high = reading.tried
    room = ends is None or (ends[0] < low * 0.9, ends[1] > high * 1.1)
    lower, higher = (True, True) if room is True else room
    if reading.best is None:
        if reading.edge is not None and reading.edge <= low * 1.001:
            return ("open" if lower else "failed"), f"rates below {low:.3g}, for all that were tried diverge"
        return ("open" if higher else "failed"), f"rates above {high:.3g}, for at none that was tried the loss falls"
    if reading.reaches_up and higher:
        return "open", f"rates above {high:.3g}: the highest tried is as good as the best, and it does not diverge"
    if same_value(reading.best, low) and lower:
        return "open", f"rates below {low:.3g}: the best so far is the lowest tried"
    return "done", None


def read_sweep(looks: Sequence[Look]) -> RateReading | None:
    """From runs at constant rates, over the same first updates; None for fewer than three distinct rates."""
    if not looks:
        return None
    through = _window(looks)
    by_rate: list[tuple[float, list[Look]]] = []
    for look in sorted(looks, key=lambda one: (one.rate or 0.0, one.run)):
        if by_rate and same_value(by_rate[-1][0], look.rate):
            by_rate[-1][1].append(look)
        else:
            by_rate.append((look.rate or 0.0, [look]))
    if len(by_rate) < LEAST_RATES:
        return None
    tried = [_tried(rate, runs, through) for rate, runs in by_rate]
    works = [(one.rate, one.fall) for one in tried if one.fall and one.fall.significant and not one.diverged]
    edge = next(
        (one.rate for one in tried if one.diverged and all(o.diverged for o in tried if o.rate > one.rate)), None
    )
    best, alike = _best(works)
    strongest = max((one.fall for one in tried if one.fall), key=lambda fall: fall.share, default=None)
    speaking = best[1] if best else strongest
    return RateReading(
        best=best[0] if best else None,
        low=works[0][0] if works else None,
        high=works[-1][0] if works else None,
        edge=edge,
        tried=(tried[0].rate, tried[-1].rate),
        alike=alike,
        how=f"{len(tried)} rates over the first {through:g} steps",
        fall=speaking.share if speaking else 0.0,
        certainty=speaking.certainty if speaking else 0.0,
        runs=tuple(sorted(look.run for look in looks)),
    )


def _best(works: Sequence[tuple[float, Fall]]) -> tuple[tuple[float, Fall] | None, tuple[float, float] | None]:
    """The middle one of the rates whose loss noise does not tell from the lowest, and the ends of those."""
    if not works:
        return None, None
    lowest = min((fall for _, fall in works), key=lambda fall: fall.end)
    alike = [
        (rate, fall) for rate, fall in works if fall.end - lowest.end <= SURE * math.hypot(fall.error, lowest.error)
    ]
    return alike[(len(alike) - 1) // 2], (alike[0][0], alike[-1][0])


def _tried(rate: float, runs: Sequence[Look], through: float) -> _Tried:
    """One rate: of several runs at it the median by where they ended; diverged when half of them did."""
    gone = sum(1 for look in runs if look.diverged is not None or _blew_up(look, through))
    falls = sorted((fall for look in runs if (fall := look.fall(through))), key=lambda fall: fall.end)
    return _Tried(rate, falls[len(falls) // 2] if falls else None, 2 * gone >= len(runs))


def _blew_up(look: Look, through: float) -> bool:
    fall = look.fall(through)
    return fall is not None and fall.end > BLOWN * fall.start


def _window(looks: Sequence[Look]) -> float:
    """The steps over which rates are compared: about 100 where enough of them were logged, as far as all runs go."""
    ended = [look.last_step for look in looks if look.diverged is None and len(look.view.train) >= LEAST_POINTS]
    shortest = min(ended, default=max(look.last_step for look in looks))
    logged = [len(look.view.train.through(WITHIN)) for look in looks if look.diverged is None]
    fine = not logged or min(logged) >= 2 * LEAST_POINTS
    return min(WITHIN, shortest) if fine else shortest


def read_ramp(look: Look) -> RateReading | None:
    """From one run whose rate grows: loss against rate, in bins; None for fewer than eight points.

    The best is half a decade below the rate of the lowest loss, but not below the rate at which the fall first was
    significant: the loss lags behind the rate, so where it is lowest the rate is already too high.
    """
    rate, loss = look.view.rate, look.view.train
    if len(loss) < 2 * LEAST_POINTS:
        return None
    at = np.interp(loss.steps, rate.steps, np.log(np.maximum(rate.values, 1e-300)))
    course = bin_means(loss, RAMP_BINS)
    rates = np.exp(np.interp(course.steps, loss.steps, at))
    start, noise = float(np.median(loss.values[:3])), scatter(loss.values[: max(8, len(loss) // 4)])
    lowest = int(course.values.argmin())
    begun = np.flatnonzero(start - course.values[: lowest + 1] > max(SURE * noise, 0.02 * start))
    blown = np.flatnonzero(course.values[lowest:] > max(start, float(course.values[lowest]) + 5 * noise) * 1.1)
    edge = float(rates[lowest + blown[0]]) if blown.size else None
    if edge is None and look.diverged is not None:
        edge = float(np.exp(np.interp(look.diverged, rate.steps, np.log(np.maximum(rate.values, 1e-300)))))
    until = fall_of(loss.through(float(course.steps[lowest])))
    works = begun.size > 0
    low = float(rates[begun[0]]) if works else None
    high = float(rates[lowest]) if works else None
    return RateReading(
        best=max(low, BELOW_LOWEST * high) if low is not None and high is not None else None,
        alike=None,
        low=low,
        high=high,
        edge=edge,
        tried=(float(rate.values[0]), float(rate.values[-1])),
        how=f"{look.run}, whose rate grows from {rate.values[0]:.3g} to {rate.values[-1]:.3g}",
        fall=until.share if until else 0.0,
        certainty=until.certainty if until else 0.0,
        runs=(look.run,),
    )


def _words(reading: RateReading) -> str:
    if reading.best is None:
        low, high = reading.tried
        if reading.edge is not None and math.isclose(reading.edge, low, rel_tol=1e-3):
            return f"Every rate from {low:.3g} to {high:.3g} diverges ({reading.how})."
        return (
            f"At no rate from {low:.3g} to {high:.3g} does the loss fall significantly ({reading.how}): the strongest "
            f"fall is {reading.fall:.1%} at {reading.certainty:.1f} of {SURE:g} normal deviates."
        )
    edge = f"; it diverges from {reading.edge:.3g} on" if reading.edge else "; no rate tried diverges"
    first, last = reading.alike or (reading.best, reading.best)
    equal = f", as any from {first:.3g} to {last:.3g} does within noise" if first < last else ""
    return (
        f"{reading.best:.3g} makes the loss fall most, by {reading.fall:.0%}{equal} ({reading.how}); "
        f"it falls significantly from {reading.low:.3g} to {reading.high:.3g}{edge}."
    )
