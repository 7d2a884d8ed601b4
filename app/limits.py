"""What the service takes for a name, an attempt, a page and points; everything else is an InvalidInput."""

import math
import re

import numpy as np

from app.curves.points import MAX_NAME_LENGTH, Points
from app.errors import InvalidInput
from app.storage.histories import metric_of

LONGEST_NAME = MAX_NAME_LENGTH  # [characters]
LARGEST_PAGE = 10_000  # [rows]
LARGEST_ATTEMPT = 2**31 - 1
MOST_DAYS = 36_500

# Control characters, and the halves of surrogate pairs, which are no text: no database stores them all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_name(what: str, name: str) -> None:
    """A project's or run's name is one part of a path: no slash, and not a dot or two, which clients resolve away."""
    check_text(f"{what} name", name)
    if "/" in name or name in {".", ".."}:
        raise InvalidInput(f"the {what} name {name!r} is not one part of a path: it may not be '.' or '..' or hold '/'")


def check_text(what: str, text: str) -> None:
    """Short enough to show, and text that every database keeps."""
    if not 1 <= len(text) <= LONGEST_NAME:
        raise InvalidInput(f"the {what} has {len(text)} characters, and may have 1 to {LONGEST_NAME}")
    if _UNPRINTABLE.search(text):
        raise InvalidInput(f"the {what} {text!a} holds a control character or half a surrogate pair")


def check_attempt(attempt: int | None) -> None:
    """Attempts count from 1; None means the latest."""
    if attempt is not None and not 1 <= attempt <= LARGEST_ATTEMPT:
        raise InvalidInput(f"the attempt is not in 1 to {LARGEST_ATTEMPT}")


def check_days(days: int | None) -> None:
    """After how many days runs are rolled up: 0 for never; None means nothing was said."""
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise InvalidInput(f"roll_up_after_days is not in 0 to {MOST_DAYS}")


def check_page(limit: int, after: str | None) -> None:
    """A page of at most `limit` rows, in name order after the name `after`."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidInput(f"limit is not in 1 to {LARGEST_PAGE}")
    if after is not None:
        check_text("cursor 'after'", after)


def check_range(first_step: float | None, last_step: float | None) -> tuple[float, float]:
    """The first step and the last, both included; None leaves that end open."""
    for name, step in (("first_step", first_step), ("last_step", last_step)):
        if step is not None and math.isnan(step):
            raise InvalidInput(f"{name} is not a number")
    first, last = 0.0 if first_step is None else first_step, math.inf if last_step is None else last_step
    if first > last:
        raise InvalidInput(f"first_step {first:g} is after last_step {last:g}")
    return max(first, 0.0), last


def check_points(part: Points) -> None:
    """Reading relies on this: one step that is no step would make the whole curve unreadable."""
    check_text("curve name", metric_of(part.name))
    if part.steps.ndim != 1 or part.steps.shape != part.values.shape:
        raise InvalidInput(f"{part.name}: {part.steps.size} steps but {part.values.size} values")
    if not (np.isfinite(part.steps).all() and (part.steps >= 0).all()):
        raise InvalidInput(f"{part.name}: steps must be finite and not negative")
