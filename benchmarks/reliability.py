"""Whether a confidence is what it says: the probability that the finding is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from statistics import fmean

import numpy as np

BINS = 10
_LEAST_IN_A_BIN = 10  # a share of fewer says little, and a sum of such distances overstates the error


@dataclass(frozen=True)
class Bin:
    """Findings of about the same confidence: how many, their mean confidence, and the share that is right."""

    findings: int
    confidence: float
    right: float


def reliability(said: Sequence[tuple[float, bool]], bins: int = BINS) -> list[Bin]:
    """Equally filled bins in order of confidence, at most `bins` and of at least 10 findings each.

    said: (confidence, whether the finding was right) of each finding. No bin where there is no finding.
    """
    if not said:
        return []
    ordered = sorted(said, key=itemgetter(0))  # by confidence alone: equal ones must not be sorted by being right
    count = min(bins, max(1, len(ordered) // _LEAST_IN_A_BIN))
    parts = (ordered[part[0] : part[-1] + 1] for part in np.array_split(np.arange(len(ordered)), count))
    return [Bin(len(part), fmean(c for c, _ in part), fmean(float(right) for _, right in part)) for part in parts]


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Expected calibration error: mean distance of confidence from the share right, a finding counting one.

    None without findings. Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, AAAI 2015; here with equally filled bins.
    """
    findings = sum(part.findings for part in bins)
    return sum(part.findings * abs(part.confidence - part.right) for part in bins) / findings if findings else None
