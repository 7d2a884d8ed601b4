"""What turns margins into confidences. Written by benchmarks/calibrate.py, not by hand.

Fitted to 3823 findings on 368 labelled runs, each logged in up to 17 ways, of 5 tasks:
blobs, charlm, digits, mnist1d, regress.
"""

# code: log odds at a margin of 1, their rise per e-fold of the margin, and the toll of indirect evidence
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "CW001": (1.39, 1.61, 1.41),
    "CW002": (2.58, 0.76, 2.13),
    "CW003": (2.04, 0.99, 1.03),
    "CW004": (2.71, 0.99, 1.25),
    "CW005": (3.11, 1.51, 1.41),
    "CW006": (3.27, 1.0, 1.72),
    "CW007": (2.8, 1.34, 1.37),
    "CW008": (2.5, 0.29, 1.41),
    "CW009": (2.34, 0.62, 1.41),
}
