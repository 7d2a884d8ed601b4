"""What turns margins into confidences. Written by benchmarks/calibrate.py, not by hand.

Fitted to 3791 findings on 368 labelled runs, each logged in up to 17 ways, of 5 tasks:
blobs, charlm, digits, mnist1d, regress.
"""

# code: log odds at a margin of 1, their rise per e-fold of the margin, and the toll of indirect evidence
COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "CW001": (1.56, 1.43, 1.45),
    "CW002": (2.68, 0.71, 2.18),
    "CW003": (2.16, 0.91, 1.06),
    "CW004": (2.87, 0.83, 1.25),
    "CW005": (3.24, 1.4, 1.45),
    "CW006": (3.36, 0.88, 1.77),
    "CW007": (2.91, 1.24, 1.42),
    "CW008": (2.6, 0.25, 1.45),
    "CW009": (2.45, 0.55, 1.45),
}
