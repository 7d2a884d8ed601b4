"""Which findings fail a check: `overfitting:warning,CW008` and the like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from app.errors import InvalidInput
from app.rules.catalogue import CATALOGUE
from app.rules.verdict import Finding, Severity

SEVERITIES: Sequence[Severity] = get_args(Severity)  # from the mildest
DEFAULT = "any:error"


@dataclass(frozen=True)
class Condition:
    """Findings of one rule, or of any when `code` is None, that are at least so severe."""

    code: str | None
    least: Severity

    def met_by(self, finding: Finding) -> bool:
        """Whether this finding fails the check."""
        severe = SEVERITIES.index(finding.severity) >= SEVERITIES.index(self.least)
        return severe and self.code in (None, finding.code)


def parse(text: str) -> tuple[Condition, ...]:
    """RULE[:SEVERITY],...; a rule by code or name, or `any`; without a severity, any. `none` alone fails nothing.

    Raises InvalidInput, which names the part that is not known and what is.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return () if parts == ["none"] else tuple(map(_condition, parts))


def _condition(part: str) -> Condition:
    rule, _, severity = part.partition(":")
    code = next((known.code for known in CATALOGUE if rule in (known.code, known.name)), None)
    if code is None and rule != "any":
        names = ", ".join(known.name for known in CATALOGUE)
        raise InvalidInput(f"--fail-on {part!a}: there is no rule {rule!a}; there are any, {names}, and their codes")
    for known in SEVERITIES:
        if severity in ("", known):
            return Condition(code, known)
    raise InvalidInput(f"--fail-on {part!a}: a severity is one of {', '.join(SEVERITIES)}, not {severity!a}")
