"""How sure a finding is: the share of findings like it that were right on labelled runs."""

import math

from app.rules.calibration import COEFFICIENTS

LEAST_MARGIN, MOST_MARGIN = 0.3, 30.0
LEAST, MOST = 0.02, 0.99


def confidence(code: str, *margins: float, indirect: bool = False) -> float:
    """Estimated probability that a finding of the rule `code` is right [0 to 1].

    margins: value over limit of each condition; the weakest decides, by a logistic curve in its logarithm. indirect:
    whether the rule had to do without something it would rather have seen (a rate that was not logged, a start that
    was extrapolated), which takes the rule's own toll.
    """
    base, slope, toll = COEFFICIENTS[code]
    margin = min(max(min(margins), LEAST_MARGIN), MOST_MARGIN)
    odds = base + slope * math.log(margin) - (toll if indirect else 0.0)
    return round(min(max(1 / (1 + math.exp(-odds)), LEAST), MOST), 3)
