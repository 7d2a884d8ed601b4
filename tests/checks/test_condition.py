"""What `--fail-on` says."""

import pytest

from app.checks.condition import SEVERITIES, parse
from app.errors import InvalidInput
from app.rules.verdict import Finding, Severity


def finding(code: str, severity: Severity) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        confidence=0.9,
        summary="",
        onset_step=0,
        span=(0, 1),
        evidence=(),
        recommendations=(),
    )


@pytest.mark.parametrize(
    ("text", "code", "severity", "met"),
    [
        ("CW005", "CW005", "info", True),
        ("overfitting", "CW005", "info", True),
        ("overfitting:warning", "CW005", "info", False),
        ("overfitting:warning", "CW005", "warning", True),
        ("overfitting:warning", "CW005", "error", True),
        ("overfitting:warning", "CW008", "error", False),
        ("any:error", "CW008", "error", True),
        ("any:error", "CW008", "warning", False),
        ("any", "CW008", "info", True),
        ("overfitting:error, exploding:info", "CW008", "info", True),
        ("none", "CW008", "error", False),
        ("", "CW008", "error", False),
    ],
)
def test_which_findings_fail(text: str, code: str, severity: Severity, met: bool) -> None:
    assert any(condition.met_by(finding(code, severity)) for condition in parse(text)) is met


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("overfiting", "no rule 'overfiting'; there are any, bad_init_plateau"),
        ("CW005:fatal", "one of info, warning, error, not 'fatal'"),
        ("none,CW005", "no rule 'none'"),
        ("\x1b[31m", r"no rule '\x1b[31m'"),
    ],
)
def test_what_is_not_known_is_named(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert says in str(refused.value)


def test_severities_go_from_the_mildest() -> None:
    assert list(SEVERITIES) == ["info", "warning", "error"]
