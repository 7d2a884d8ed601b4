"""The space of a search: which hyper-parameters vary, and between which values; samples and grids of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from typing import Any

from app.search.entries import as_json, parameters_from
from app.search.parameters import Choice, Integer, LogUniform, Parameter, Role, Uniform, Value, as_number, same_value

__all__ = [
    "Choice", "Configuration", "Integer", "LogUniform", "Parameter", "Space", "Uniform", "Value",
    "grid", "narrowed", "sample", "value_at",
]  # fmt: skip

# Values by the name of their parameter, dotted names as they are.
Configuration = dict[str, Value]
MOST_GRID = 10_000  # configurations: more are no grid that anybody runs
# How far around a value a narrowed range reaches, to each side [share of the range; a rate's decades are worth more].
REACH = 1 / 6
_WORD = 2**64


@dataclass(frozen=True)
class Space:
    """Which hyper-parameters vary. A name with dots is a path into a nested configuration."""

    parameters: Mapping[str, Parameter]

    @cached_property
    def rate(self) -> str | None:
        """The name of the learning rate, None where the space has none."""
        return self._playing("learning_rate")

    @cached_property
    def decay(self) -> str | None:
        """The name of the weight decay, None where the space has none."""
        return self._playing("weight_decay")

    def _playing(self, role: Role) -> str | None:
        return next((name for name, parameter in self.parameters.items() if parameter.role == role), None)

    def read(self, config: Mapping[str, object]) -> Configuration:
        """The values that a posted configuration has for the parameters.

        Left out: what it lacks, what is no scalar, and for a range what is no finite number.
        """
        found: Configuration = {}
        for name, parameter in self.parameters.items():
            value = value_at(config, name)
            if as_number(value) is not None or (
                isinstance(parameter, Choice) and (value is None or isinstance(value, str | bool))
            ):
                found[name] = value  # type: ignore[assignment]
        return found

    def nested(self, configuration: Mapping[str, Value]) -> dict[str, Any]:
        """A configuration as a job takes it: dotted names as nested objects."""
        made: dict[str, Any] = {}
        for name, value in configuration.items():
            *path, last = name.split(".")
            inner = made
            for part in path:
                inner = inner.setdefault(part, {})
            inner[last] = value
        return made

    @classmethod
    def parse(cls, raw: object) -> "Space":
        """A space from JSON. Raises InvalidInput that names the place."""
        return cls(parameters_from(raw))

    def as_json(self) -> dict[str, dict[str, object]]:
        """The space as `parse` reads it."""
        return {name: as_json(parameter) for name, parameter in self.parameters.items()}


class Absent:
    """What a configuration has at a path that it does not have, for None is a value."""


ABSENT = Absent()


def value_at(config: Mapping[str, object], name: str) -> object:
    """The entry of that name, else at that dotted path; `ABSENT` where there is none."""
    if name in config:
        return config[name]
    inner: object = config
    for part in name.split("."):
        if not isinstance(inner, Mapping) or part not in inner:
            return ABSENT
        inner = inner[part]
    return inner


def sample(space: Space, count: int, seed: int, skip: int = 0) -> list[Configuration]:
    """Configurations number `skip` to `skip + count` of a random search [count].

    The k-th is the same however many are asked for. Points lie evenly in every parameter rather than in clumps: each
    goes through its range by a step of its own, the square root of a prime (Richtmyer's sequence), from a start that
    the seed and its name decide.
    """
    places = list(zip(space.parameters.items(), _primes(), strict=False))
    return [
        {
            name: parameter.at((_chance(seed, name) + (k + 1) * math.sqrt(prime)) % 1.0)
            for (name, parameter), prime in places
        }
        for k in range(skip, skip + count)
    ]


def grid(space: Space, per_parameter: int) -> list[Configuration]:
    """Every combination of `per_parameter` values of each range, its ends included, and of every option.

    A range of whole numbers gives each value once. At most `MOST_GRID` are made, in the order of the space.
    """
    values = [_spread(parameter, per_parameter) for parameter in space.parameters.values()]
    return [dict(zip(space.parameters, chosen, strict=True)) for chosen in islice(product(*values), MOST_GRID)]


def narrowed(space: Space, around: Sequence[Mapping[str, Value]]) -> Space:
    """The part of a space that these configurations lie in, with a sixth of each range beyond them to each side.

    Never larger than the space. Options that none of them has are left out; a parameter that none of them has a value
    for stays as it is.
    """
    made: dict[str, Parameter] = {}
    for name, parameter in space.parameters.items():
        values = [configuration[name] for configuration in around if name in configuration]
        made[name] = _narrowed(parameter, values) if values else parameter
    return Space(made)


def _narrowed(parameter: Parameter, values: Sequence[Value]) -> Parameter:
    if isinstance(parameter, Choice):
        kept = tuple(option for option in parameter.options if any(same_value(option, value) for value in values))
        return replace(parameter, options=kept or parameter.options)
    shares = [parameter.share(value) for value in map(as_number, values) if value is not None and parameter.has(value)]
    if not shares:
        return parameter
    low, high = max(min(shares) - REACH, 0.0), min(max(shares) + REACH, 1.0)
    match parameter:
        case Integer():
            made = parameter.at(low), parameter.at(high)
            return replace(parameter, low=made[0], high=made[1]) if made[0] < made[1] else parameter
        case _:
            return replace(parameter, low=parameter.at(low), high=parameter.at(high))


def _spread(parameter: Parameter, count: int) -> list[Value]:
    if isinstance(parameter, Choice):
        return list(parameter.options)
    shares = [0.5] if count < 2 else [i / (count - 1) for i in range(count)]
    return list(dict.fromkeys(parameter.at(share) for share in shares))


def _chance(seed: int, name: str) -> float:
    """A number in [0, 1) that looks random and that the seed and the name decide: SplitMix64 over their bytes."""
    state = seed % _WORD
    for byte in name.encode():
        state = _mixed((state ^ byte) + 0x9E3779B97F4A7C15)
    return _mixed(state) / _WORD


def _mixed(state: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    state = ((state ^ (state % _WORD >> 30)) * 0xBF58476D1CE4E5B9) % _WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % _WORD
    return state ^ (state >> 31)


def _primes() -> Iterator[int]:
    found: list[int] = []
    number = 2
    while True:
        if all(number % prime for prime in found):
            found.append(number)
            yield number
        number += 1
