"""What a log holds that a store does not have yet, and whether the log still is the one that was stored."""

from collections.abc import Mapping

import numpy as np

from app.curves.curve import Curve

Stored = Mapping[str, Curve]


def new_points(logged: Stored, stored: Stored) -> dict[str, Curve]:
    """The points of each curve that are not stored, or stored with another value; curves without any are left out."""
    fresh = {}
    for name, curve in logged.items():
        known = stored.get(name)
        keep = np.ones(len(curve), dtype=bool) if known is None else ~_held(curve, known)
        if keep.any():
            fresh[name] = Curve(name, curve.steps[keep], curve.values[keep])
    return fresh


def rewritten(logged: Stored, stored: Stored) -> bool:
    """Whether the log was begun anew since it was stored, so that what is stored and not in it must be hidden.

    A log that only grows keeps every step it ever had. One that was cut, or is just being written again, still agrees
    with what is stored; one that was rotated begins after it.
    """
    first, last = _reach(logged)
    _, stored_last = _reach(stored)
    for name in logged.keys() & stored.keys():
        curve, known = logged[name], stored[name]
        inside = known.steps[(known.steps >= first) & (known.steps <= last)]
        if not np.isin(inside, curve.steps).all():
            return True
        if last < stored_last and np.isin(curve.steps, known.steps).any() and not _held(curve, known).all():
            return True
    return False


def _held(curve: Curve, known: Curve) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which points of `curve` are in `known` with the same value, NaN being the same as NaN; bool [points]."""
    if not len(known):
        return np.zeros(len(curve), dtype=bool)
    places = np.minimum(np.searchsorted(known.steps, curve.steps), len(known) - 1)
    values = known.values[places]
    same = (values == curve.values) | (np.isnan(values) & np.isnan(curve.values))
    return np.asarray(same & (known.steps[places] == curve.steps))


def _reach(curves: Stored) -> tuple[float, float]:
    """The first and the last step of any curve."""
    steps = [step for curve in curves.values() if len(curve) for step in (curve.steps[0], curve.steps[-1])]
    return (float(min(steps)), float(max(steps))) if steps else (np.inf, -np.inf)
