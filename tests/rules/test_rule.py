"""What holds for every rule, whatever it looks for."""

from dataclasses import replace

import pytest

from app.rules.overfitting import RULE
from app.rules.verdict import Finding, Severity
from app.signals.view import View
from tests.builders import run


@pytest.mark.parametrize(
    ("severity", "confidence", "told"),
    [("warning", 0.4, "info"), ("warning", 0.6, "warning"), ("error", 0.4, "error"), ("info", 0.9, "info")],
)
def test_nobody_is_warned_of_what_is_likelier_wrong_than_right(
    severity: Severity, confidence: float, told: Severity
) -> None:
    curves, context = run("overfit", 0)
    found = RULE.judge(View(curves), context, RULE.params())
    assert isinstance(found, Finding)
    unsure = replace(found, severity=severity, confidence=confidence)
    verdict = replace(RULE, check=lambda *_: unsure).judge(View(curves), context, RULE.params())
    assert isinstance(verdict, Finding)
    assert verdict.severity == told
