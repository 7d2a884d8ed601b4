"""The calibrator finds what it was given, never less sure for a wider margin, and writes what can be imported."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.rules.calibration import COEFFICIENTS
from calibrate import CODES, Observation, confidence_of, cross_validated, fit, fit_one, observe, written
from labelled import SAMPLE, load


def drawn(points: int, base: float, slope: float, toll: float, code: str = "CW005") -> list[Observation]:
    """Findings that are right as often as a logistic curve says."""
    rng = np.random.default_rng(0)
    margins, indirect = rng.uniform(-1, 3, points), rng.random(points) < 0.4
    right = rng.random(points) < 1 / (1 + np.exp(-(base + slope * margins - toll * indirect)))
    return [
        Observation(code, f"task {k % 4}", float(margins[k]), bool(indirect[k]), bool(right[k]), 1.0)
        for k in range(points)
    ]


def test_recovers_the_curve_that_made_the_findings() -> None:
    assert fit_one(drawn(20_000, 0.5, 1.2, 0.8), (1.0, 1.0, 0.5), 2.0) == pytest.approx((0.5, 1.2, 0.8), abs=0.1)


def test_never_surer_for_less() -> None:
    _, slope, toll = fit_one(drawn(5000, 1.0, -1.0, -1.0), (1.0, 1.0, 0.5), 2.0)
    assert (slope, toll) == (0, 0)


def test_calibrated_on_tasks_it_has_not_seen() -> None:
    error = cross_validated(drawn(5000, 0.0, 1.0, 0.5))
    assert error is not None
    assert error < 0.05


def test_a_rule_without_findings_takes_the_fit_over_all() -> None:
    seen = drawn(5000, 0.5, 1.0, 0.5)
    assert fit(seen)["CW001"] == pytest.approx(fit_one(seen, (1.0, 1.0, 0.5), 2.0))


def test_margins_are_read_off_real_findings_and_the_coefficients_are_put_back() -> None:
    before = dict(COEFFICIENTS)
    seen = observe(list(load(SAMPLE))[:6])
    assert before == COEFFICIENTS
    assert {o.code for o in seen} <= set(CODES.values())
    assert any(o.indirect for o in seen)
    assert all(0 < confidence_of(o, before) < 1 for o in seen)


def test_what_is_written_is_python_that_says_where_it_comes_from() -> None:
    text = written({"CW001": (1.0, 2.0, 0.5)}, 3, ["b", "a"], 7)
    names: dict[str, object] = {}
    exec(text, names)
    assert names["COEFFICIENTS"] == {"CW001": (1.0, 2.0, 0.5)}
    assert "7 findings on 3 labelled runs" in str(names["__doc__"])


def test_runs_on_the_sample_and_writes_nothing_unasked() -> None:
    root = Path(__file__).parent.parent
    before = (root / "app/rules/calibration.py").read_text()
    command = [sys.executable, str(root / "benchmarks/calibrate.py")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "expected calibration error" in said
    assert (root / "app/rules/calibration.py").read_text() == before
