"""What counts as a step, a name and a value: decided without importing the libraries that made them. Pure.

Nothing is coerced: what is no number is refused with the reason, and costs only itself.
"""

from __future__ import annotations

import math
import unicodedata

MOST_METRICS = 10_000  # a call; the server takes no more curves in one body
MAX_NAME_LENGTH = 250
MAX_STEP = 2**53  # beyond it a float64 no longer tells neighbouring integers apart


class Unusable(Exception):
    """Not a step, name or value; the message says why."""


def number(value: object) -> float:
    """A value as float64: int, float, numpy scalar, tensor of one element, anything with `__float__`.

    NaN and infinities are values. Raises Unusable for None, booleans, strings, arrays of several elements, and integers
    that a float64 does not hold.
    """
    if isinstance(value, bool):
        raise Unusable("a boolean is not a metric; log 0 or 1")
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return _exact(value)
    if value is None or isinstance(value, (str, bytes, bytearray, complex)):
        raise Unusable(f"{_shown(value)} is not a number")
    if callable(item := getattr(value, "item", None)):
        return _from_item(value, item)
    if hasattr(type(value), "__float__"):
        try:
            return float(value)  # type: ignore[arg-type]
        except Exception as error:
            raise Unusable(f"{_shown(value)} does not become a number: {error}") from error
    raise Unusable(f"{_shown(value)} is not a number")


def step_number(step: object) -> float:
    """A step: a finite number from 0 to 2**53, as float64. Raises Unusable."""
    found = number(step)
    if not 0 <= found <= MAX_STEP:
        raise Unusable(f"a step is a number from 0 to 2**53, not {found}")
    return found + 0.0  # -0.0 is step 0


def check_name(name: object) -> None:
    """A curve's name is text of 1 to 250 characters, none of them a control character. Raises Unusable."""
    if not isinstance(name, str):
        raise Unusable(f"{_shown(name)} is not a name; names of metrics are strings")
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise Unusable(f"a name has 1 to {MAX_NAME_LENGTH} characters, not {len(name)}")
    if name == "step":
        raise Unusable("'step' is the coordinate, not a metric; pass it as the first argument")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise Unusable("a name has no control characters and no lone surrogates")


def _from_item(value: object, item: object) -> float:
    """What the array libraries agree on: `item()` is the Python number of a single element, and fails for more."""
    try:
        inside = item()  # type: ignore[operator]
    except Exception as error:
        shape = getattr(value, "shape", None)
        of = f" of shape {tuple(shape)}" if isinstance(shape, (tuple, list)) else ""
        raise Unusable(
            f"a {type(value).__name__}{of} is not one number; log its mean, or one of its elements"
        ) from error
    if type(inside) is type(value):  # would go round in circles
        raise Unusable(f"{_shown(value)} is not a number")
    return number(inside)


def _exact(value: int) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if math.isinf(found) or int(found) != value:
        raise Unusable("a 64-bit float does not hold this integer exactly")
    return found


def _shown(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the string {value[:40]!a}"
    return f"a {type(value).__name__}"
