"""Steps that are nearer to each other than their squares can tell: no schedule is read off them, and nothing fails."""

import math

import numpy as np

from app.schedules.shapes import fall, root_fall

TINY = np.arange(6) * 5e-324
FALLING = np.array([1.0, 0.9, 0.7, 0.4, 0.2, 0.1])


def test_no_line_is_drawn_through_them() -> None:
    assert fall(TINY, FALLING, False, None) is None
    assert fall(np.arange(6.0), np.linspace(1.0, 0.1, 6), False, None) is not None


def test_no_root_is_drawn_through_them() -> None:
    assert root_fall(TINY, FALLING).error == math.inf
    assert root_fall(np.arange(6.0), FALLING).error < 1
