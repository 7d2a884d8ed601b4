"""What the rules look at: a run's curves, and the signals on them, each measured once."""

from app.curves.curve import Curves


class View:
    """A run's curves by role, with signals measured on demand and kept, so that rules share them."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves
