"""Configurations worth trying: the middle of a space, rates to sweep, a grid around a rate, what lies near the best."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.search.parameters import Choice, LogUniform, Uniform, as_number
from app.search.rates import RateReading
from app.search.search import Search
from app.search.space import Configuration, Parameter, Space, Value, grid, narrowed, sample

DECAYS = (1e-4, 1e-5, 0.0)  # the lecture's
AROUND = math.sqrt(10)  # half a decade to each side of the rate that works
FINER = math.sqrt(AROUND)  # half as far to each side of the rates that lead
CLEAR_OF_EDGE = 0.7  # of the rate at which the loss diverges: the highest that is proposed
MOST_TRIES = 400  # configurations drawn before a space counts as exhausted


def base(search: Search) -> Configuration:
    """The middle of the space, without weight decay or with the least there is."""
    made = {name: parameter.at(0.5) for name, parameter in search.space.parameters.items()}
    if search.space.decay:
        made[search.space.decay] = least(search.space.parameters[search.space.decay])
    return made


def least(parameter: Parameter) -> Value:
    """The smallest number that a parameter may take; its first option where it takes none."""
    if isinstance(parameter, Choice):
        numbers = [option for option in parameter.options if as_number(option) is not None]
        return min(numbers, key=lambda option: as_number(option) or 0.0, default=parameter.options[0])
    return parameter.low


def rate_ends(space: Space) -> tuple[float, float] | None:
    """The lowest and the highest rate of the space above zero; None when it names no rate."""
    if space.rate is None:
        return None
    parameter = space.parameters[space.rate]
    if isinstance(parameter, Choice):
        rates = [rate for rate in map(as_number, parameter.options) if rate is not None]
        return min(rates), max(rates)
    return float(parameter.low), float(parameter.high)


def nearest_rate(space: Space, rate: float) -> float | None:
    """The rate of the space that is nearest by its logarithm; None when the space names no rate."""
    ends = rate_ends(space)
    if space.rate is None or ends is None:
        return None
    parameter = space.parameters[space.rate]
    if isinstance(parameter, Choice):
        rates = [option for option in map(as_number, parameter.options) if option is not None]
        return min(rates, key=lambda option: abs(math.log(option / rate)))
    return min(max(float(f"{rate:.3g}"), ends[0]), ends[1])


def sweep(search: Search, count: int, tried: Sequence[float], reading: RateReading | None) -> list[float]:
    """Rates to try next [at most count]: evenly over the decades of the space, or beyond what was tried.

    After a sweep whose highest rate is as good as the best, the next ones lie above it; below it, where the lowest is.
    """
    ends = rate_ends(search.space)
    if ends is None:
        return []
    low, high = ends
    if reading is not None:
        # Runs may have been made at rates that the space does not have.
        low, high = (min(max(rate, ends[0]), ends[1]) for rate in _beyond(reading, low, high))
    # At least one a decade, however few are asked for at a time: who asks for one after the other makes the same sweep.
    # What goes on from a sweep is as coarse, for whatever lies there is looked for and not looked at closely.
    many = max(count if reading is None else 0, 2 + round(math.log10(high / low)))
    wide = [low * (high / low) ** (k / (many - 1)) for k in range(many)]
    rates = [rate for rate in (nearest_rate(search.space, one) for one in wide) if rate is not None]
    known = list(tried)
    fresh: list[float] = []
    for rate in rates:
        if all(abs(math.log(rate / other)) > 0.05 for other in known):
            known.append(rate)
            fresh.append(rate)
    return fresh[:count]


def _beyond(reading: RateReading, low: float, high: float) -> tuple[float, float]:
    first, last = reading.tried
    if reading.best is None:
        diverged = reading.edge is not None and reading.edge <= first * 1.001
        return (max(low, first / 1e3), first) if diverged else (last, min(high, last * 1e3))
    if reading.reaches_up:
        return last, min(high, last * 100)
    return max(low, first / 100), first


def coarse(search: Search, reading: RateReading | None) -> Iterator[Configuration]:
    """Rates around the one that works times weight decays; with further parameters, a random search there."""
    space = _around(search.space, reading)
    if set(space.parameters) <= {space.rate, space.decay}:
        rates = _rates_around(search.space, reading)
        decay = space.decay
        decays = [None] if decay is None else _decays(search.space.parameters[decay])
        if rates:
            for rate in rates:
                for value in decays:
                    made: Configuration = {search.space.rate or "": rate}
                    yield made if decay is None else {**made, decay: value}
    yield from _drawn(space, search.seed)


def refined(search: Search, leaders: Sequence[Configuration]) -> Iterator[Configuration]:
    """The leaders themselves, then a random search of the part of the space around them."""
    yield from leaders
    space = _finer(narrowed(search.space, leaders), leaders) if leaders else search.space
    yield from _drawn(space, search.seed + 1)


def _finer(space: Space, leaders: Sequence[Configuration]) -> Space:
    """The space with its rate held near those that lead: a share of all its decades would reach far beyond the edge."""
    parameter = space.parameters.get(space.rate or "")
    rates = [rate for one in leaders if (rate := as_number(one.get(space.rate or ""))) is not None and rate > 0]
    if space.rate is None or not rates or not isinstance(parameter, LogUniform | Uniform):
        return space
    low, high = max(parameter.low, min(rates) / FINER), min(parameter.high, max(rates) * FINER)
    made = replace(parameter, low=low, high=high) if low < high else parameter
    return Space({**space.parameters, space.rate: made})


def _drawn(space: Space, seed: int) -> Iterator[Configuration]:
    """A random search, and where the space is small everything in it."""
    if all(isinstance(parameter, Choice) for parameter in space.parameters.values()):
        yield from grid(space, 1)
        return
    yield from sample(space, MOST_TRIES, seed)


def _around(space: Space, reading: RateReading | None) -> Space:
    """The space with its rate held around the one that works, and its weight decay at the lecture's values."""
    made = dict(space.parameters)
    if space.decay is not None:
        made[space.decay] = Choice(options=tuple(_decays(made[space.decay])), role="weight_decay")
    rates = _rates_around(space, reading)
    if space.rate is not None and rates:
        low, high = min(rates), max(rates)
        if isinstance(made[space.rate], Choice):
            made[space.rate] = Choice(options=tuple(rates), role="learning_rate")
        elif low < high:
            made[space.rate] = LogUniform(low=low, high=high, role="learning_rate")
    return Space(made)


def _rates_around(space: Space, reading: RateReading | None) -> list[float]:
    """The rate that works, half a decade above and below it, each clear of the edge; none when it is not known."""
    if reading is None or reading.best is None:
        return []
    most = math.inf if reading.edge is None else max(reading.best, CLEAR_OF_EDGE * reading.edge)
    wide = (reading.best, reading.best / AROUND, min(reading.best * AROUND, most))
    rates = (nearest_rate(space, rate) for rate in wide)
    return list(dict.fromkeys(rate for rate in rates if rate is not None))


def _decays(parameter: Parameter) -> list[Value]:
    """The lecture's weight decays as far as the space has them, else the space's own: its options or its ends."""
    if isinstance(parameter, Choice):
        return list(parameter.options)
    inside: list[Value] = [decay for decay in DECAYS if parameter.has(decay)]
    return inside if len(inside) > 1 else list(dict.fromkeys([parameter.at(0.0), parameter.at(0.5), parameter.at(1.0)]))
