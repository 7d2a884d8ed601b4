"""Confidence: monotone in the margin, lower for indirect evidence, bounded."""

import pytest

from app.rules.calibration import COEFFICIENTS
from app.rules.catalogue import CATALOGUE
from app.rules.confidence import confidence


def test_every_rule_is_calibrated() -> None:
    assert set(COEFFICIENTS) == {rule.code for rule in CATALOGUE}


@pytest.mark.parametrize("code", sorted(COEFFICIENTS))
def test_a_wider_margin_is_never_less_sure_and_indirect_evidence_never_surer(code: str) -> None:
    margins = [0.0, 0.3, 0.5, 1.0, 2.0, 10.0, 1e9, float("inf")]
    sure = [confidence(code, margin) for margin in margins]
    assert sure == sorted(sure)
    assert sure[0] < sure[-1]
    assert all(0 < c < 1 for c in sure)
    assert all(confidence(code, m, indirect=True) <= confidence(code, m) for m in margins)


def test_the_weakest_margin_decides() -> None:
    assert confidence("CW005", 4.0, 1.5) == confidence("CW005", 1.5, 100.0)
