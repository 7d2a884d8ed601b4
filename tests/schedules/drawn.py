"""Schedules of every kind with any parameters, drawn by hypothesis."""

from typing import Any

from hypothesis import strategies as st

from app.schedules.kinds import KINDS, Parameters
from app.schedules.make import parsed


@st.composite
def drawn(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), fewest: int = 1) -> tuple[str, Parameters]:
    """A kind and parameters that fit together; whole steps."""
    kind = draw(st.sampled_from(kinds))
    steps = draw(st.integers(fewest, 400))
    lr = draw(st.floats(1e-6, 10, allow_subnormal=False))
    given: dict[str, Any] = {"warmup": draw(st.integers(0, (steps - 1) // 3))}
    takes = KINDS[kind].parameters.model_fields
    if "min_lr" in takes and draw(st.booleans()):
        given["min_lr"] = lr * draw(st.floats(0, 0.5))
    if "factor" in takes:
        given["factor"] = draw(st.floats(0.05, 0.9))
    if "every" in takes:
        given["every"] = draw(st.integers(1, steps))
    if "at" in takes and steps > 10 and draw(st.booleans()):
        cuts = st.lists(st.integers(given["warmup"] + 1, steps), min_size=1, max_size=5, unique=True)
        given["at"] = sorted(draw(cuts))
        del given["every"]
    if "start_lr" in takes:
        given["start_lr"] = lr * draw(st.floats(0, 1))
    if "decay" in takes:
        given["decay"] = draw(st.integers(1, steps - given["warmup"]))
        given["shape"] = draw(st.sampled_from(["linear", "cosine", "sqrt"]))
    if "cycle" in takes:
        given["cycle"] = draw(st.one_of(st.integers(1, steps), st.floats(1, steps)))
        given["growth"] = draw(st.integers(1, 3))
    return kind, parsed(kind, lr=lr, steps=steps, **given)
