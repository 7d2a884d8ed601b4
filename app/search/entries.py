"""A space as JSON: what is read is checked, and the first thing wrong is named with its place."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.errors import InvalidInput
from app.search.parameters import Choice, Integer, LogUniform, Parameter, Role, Uniform, as_number, same_value

MOST_PARAMETERS, MOST_OPTIONS, LONGEST_NAME = 32, 100, 200
LARGEST_INTEGER = 2**53  # beyond it a number in JSON is no longer exact
_NAMES: dict[str, Role] = {
    **dict.fromkeys(("lr", "learning_rate", "learningrate", "base_lr", "max_lr", "peak_lr"), "learning_rate"),
    **dict.fromkeys(("wd", "weight_decay", "weightdecay"), "weight_decay"),
}


def parameters_from(raw: object) -> dict[str, Parameter]:
    """Parameters by name, in the order given. Raises InvalidInput that names the place."""
    try:
        entries = _SPACE.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in ("space", *first["loc"]))
        raise InvalidInput(f"{where}: {first['msg']}") from error
    _check_names(list(entries))
    roles = _roles(entries)
    return {name: entry.parameter(roles.get(name)) for name, entry in entries.items()}


def as_json(parameter: Parameter) -> dict[str, object]:
    """A parameter as `parameters_from` reads it."""
    role = {} if parameter.role is None else {"role": parameter.role}
    match parameter:
        case Choice(options=options):
            return {"kind": "choice", "options": list(options), **role}
        case Integer(low=low, high=high, log=log):
            return {"kind": "integer", "low": low, "high": high, "log": log, **role}
        case LogUniform(low=low, high=high):
            return {"kind": "log_uniform", "low": low, "high": high, **role}
        case _:
            return {"kind": "uniform", "low": parameter.low, "high": parameter.high, **role}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    role: Role | None = None


class _LogUniform(_Entry):
    kind: Literal["log_uniform"]
    low: float = Field(gt=0)
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "_LogUniform":
        _check_order(self.low, self.high)
        if math.isinf(self.high / self.low):
            raise ValueError("low and high are too far apart for a number to tell")
        return self

    def parameter(self, role: Role | None) -> Parameter:
        return LogUniform(low=self.low, high=self.high, role=role)


class _Uniform(_Entry):
    kind: Literal["uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "_Uniform":
        _check_order(self.low, self.high)
        if math.isinf(self.high - self.low):
            raise ValueError("low and high are too far apart for a number to tell")
        return self

    def parameter(self, role: Role | None) -> Parameter:
        return Uniform(low=self.low, high=self.high, role=role)


class _Integer(_Entry):
    kind: Literal["integer"]
    low: int = Field(ge=-LARGEST_INTEGER)
    high: int = Field(le=LARGEST_INTEGER)
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "_Integer":
        _check_order(self.low, self.high)
        if self.log and self.low < 1:
            raise ValueError("with log, low must be 1 or more")
        return self

    def parameter(self, role: Role | None) -> Parameter:
        return Integer(low=self.low, high=self.high, log=self.log, role=role)


class _Choice(_Entry):
    kind: Literal["choice"]
    options: list[bool | int | float | str | None] = Field(min_length=1, max_length=MOST_OPTIONS)

    @model_validator(mode="after")
    def _distinct(self) -> "_Choice":
        for i, option in enumerate(self.options):
            if any(same_value(option, other) for other in self.options[:i]):
                raise ValueError(f"{option!a} is among the options twice")
        return self

    def parameter(self, role: Role | None) -> Parameter:
        return Choice(options=tuple(self.options), role=role)


_SPACE: TypeAdapter[dict[str, Any]] = TypeAdapter(
    Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)],
            Annotated[_LogUniform | _Uniform | _Integer | _Choice, Field(discriminator="kind")],
        ],
        Field(min_length=1, max_length=MOST_PARAMETERS),
    ]
)


def _check_order(low: float, high: float) -> None:
    if low >= high:
        raise ValueError(f"low must be below high, not {low:g} and {high:g}")


def _check_names(names: list[str]) -> None:
    for name in names:
        if "" in name.split("."):
            raise InvalidInput(f"space.{name}: a dotted name is a path, so no part of it may be empty")
        inside = next((other for other in names if other.startswith(f"{name}.")), None)
        if inside is not None:
            raise InvalidInput(f"space.{name}: {inside!a} lies inside it, so one of them cannot be set")


def _roles(entries: dict[str, Any]) -> dict[str, Role]:
    """Name -> role: as declared, else as the last part of the name says where that makes sense."""
    found: dict[str, Role] = {}
    for name, entry in entries.items():
        if entry.role is not None:
            if entry.role in found.values():
                raise InvalidInput(f"space.{name}.role: another parameter is the {entry.role} already")
            if not _can_play(entry, entry.role):
                raise InvalidInput(f"space.{name}.role: a {entry.role} takes numbers, {_sign(entry.role)}")
            found[name] = entry.role
    for name, entry in entries.items():
        guess = _NAMES.get(name.rsplit(".", 1)[-1].lower().replace("-", "_"))
        if entry.role is None and guess and guess not in found.values() and _can_play(entry, guess):
            found[name] = guess
    return found


def _can_play(entry: Any, role: Role) -> bool:
    values = entry.options if isinstance(entry, _Choice) else [entry.low]
    numbers = [as_number(value) for value in values]
    return all(n is not None and (n > 0 if role == "learning_rate" else n >= 0) for n in numbers)


def _sign(role: Role) -> str:
    return "above zero" if role == "learning_rate" else "zero or above"
