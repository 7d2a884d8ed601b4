"""What turns margins into confidences. Written by benchmarks/calibrate.py, not by hand.

Fitted to 3798 findings on 368 labelled runs, each logged in up to 17 ways, of 5 tasks:
blobs, charlm, digits, mnist1d, regress.
"""

# code: log odds at a margin of 1, their rise per e-fold of the margin, and the toll of indirect evidence
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "CW001": (1.44, 1.54, 1.42),
    "CW002": (2.64, 0.73, 2.16),
    "CW003": (2.12, 0.94, 1.04),
    "CW004": (2.85, 0.86, 1.23),
    "CW005": (3.19, 1.44, 1.42),
    "CW006": (3.33, 0.92, 1.74),
    "CW007": (2.86, 1.27, 1.39),
    "CW008": (2.56, 0.26, 1.42),
    "CW009": (2.42, 0.57, 1.42),
}
