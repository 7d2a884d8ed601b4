"""Make a schedule: a kind and its parameters -> rates."""

from typing import Any

import numpy as np
from pydantic import ValidationError

from app.curves.curve import FloatArray
from app.errors import InvalidInput
from app.schedules.kinds import KINDS, Parameters


def rates(kind: str, lr: float, steps: int, **parameters: Any) -> FloatArray:
    """The learning rate at t = 0 to steps - 1 [steps].

    kind: one of `KINDS`, which says what parameters it takes. Raises InvalidInput.
    """
    p = parsed(kind, lr=lr, steps=steps, **parameters)
    return course(kind, np.arange(p.steps, dtype=np.float64), p)


def parsed(kind: str, **parameters: Any) -> Parameters:
    """The parameters of a kind, defaults filled in. Raises InvalidInput that says which cannot be meant, and why."""
    if kind not in KINDS:
        raise InvalidInput(f"kind: there is no schedule {kind!r}; there are {', '.join(KINDS)}")
    try:
        return KINDS[kind].parameters.model_validate(parameters)
    except ValidationError as error:
        raise InvalidInput(f"{kind}: " + "; ".join(reasons(error))) from error


def reasons(error: ValidationError) -> list[str]:
    """What is wrong, a parameter each."""
    # A default that could not be worked out follows from a parameter that is wrong itself.
    found = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
    return [": ".join((*map(str, item["loc"][:1]), _said(item["type"], item["msg"]))) for item in found]


def _said(error_type: str, message: str) -> str:
    return "no such parameter" if error_type == "extra_forbidden" else message.removeprefix("Value error, ")


def course(kind: str, t: FloatArray, p: Parameters) -> FloatArray:
    """The rate at any t [steps, any shape], at and past T as well; p: from `parsed`."""
    found = KINDS[kind]
    after = found.after_warmup(np.maximum(t, p.warmup) if found.linear_warmup else t, p)
    if not found.linear_warmup:
        return after
    return np.where(t < p.warmup, p.lr * np.minimum((t + 1) / (p.warmup + 1), 1.0), after)
