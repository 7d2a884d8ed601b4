"""How sure a finding is, from how far its numbers passed their limits.

This is a first, uncalibrated scale: it orders findings rightly (a wider margin is surer) without being a frequency yet.
"""


def from_margins(*margins: float) -> float:
    """Confidence of a finding whose weakest condition passed its limit by the factor `min(margins)`.

    margins: value over limit of each condition, at least 1 when it holds. 1 gives 0.6, 2 gives 0.8, 8 gives 0.95.
    """
    weakest = max(1.0, min(margins, default=1.0))
    return round(min(0.99, 1.0 - 0.4 / weakest), 3)
