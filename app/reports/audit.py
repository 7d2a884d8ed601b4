"""A diagnosis in the order in which people read it: what was found, what is fine, what could not be judged.

The one order for terminal, Markdown, HTML and page. Every text in it is on one line and fit to be shown.
"""

import json
from dataclasses import dataclass

from app.diagnosis import Diagnosis
from app.reports import fine, gains, missing, words
from app.rules.verdict import Clear, Finding, Recommendation, Skipped


@dataclass(frozen=True)
class Found:
    """A finding with what acting on it is expected to bring, in words, and one action to copy, as JSON."""

    finding: Finding
    gain: str
    action: str


@dataclass(frozen=True)
class Fine:
    """A rule that was checked and found nothing, and the number that decided, in words."""

    code: str
    rule: str
    says: str


@dataclass(frozen=True)
class Unjudged:
    """A rule that could not judge, why, and what to log so that it can."""

    code: str
    rule: str
    reason: str
    log_this: str


@dataclass(frozen=True)
class Alike:
    """Rules that could not judge for one reason, with their codes, in one line."""

    rules: str
    reason: str
    log_this: str


@dataclass(frozen=True)
class Audit:
    """Findings ranked as the diagnosis ranks them; the rest in the order of their codes."""

    findings: tuple[Found, ...]
    fine: tuple[Fine, ...]
    unjudged: tuple[Unjudged, ...]

    def alike(self) -> tuple[Alike, ...]:
        """What could not be judged, a reason at a time, in the order of the first rule of each."""
        grouped: dict[tuple[str, str], list[str]] = {}
        for one in self.unjudged:
            grouped.setdefault((one.reason, one.log_this), []).append(f"{one.code} {one.rule}")
        return tuple(Alike(", ".join(rules), *why) for why, rules in grouped.items())


def audit(diagnosis: Diagnosis) -> Audit:
    """The same verdicts, worded. Pure."""
    return Audit(
        findings=tuple(
            Found(finding, words.plain(gains.gain(finding)), action(finding)) for finding in diagnosis.findings
        ),
        fine=tuple(
            Fine(v.code, words.plain(v.rule), words.plain(fine.says(v)))
            for v in diagnosis.verdicts
            if isinstance(v, Clear)
        ),
        unjudged=tuple(
            Unjudged(v.code, words.plain(v.rule), words.plain(v.reason), words.plain(missing.log_this(v)))
            for v in diagnosis.verdicts
            if isinstance(v, Skipped)
        ),
    )


def action(finding: Finding) -> str:
    """The most useful recommendation as the JSON that a program acts on, on one line; empty when there is none."""
    if not finding.recommendations:
        return ""
    first: Recommendation = finding.recommendations[0]
    args = {name: _short(value) for name, value in first.args.items()}
    return words.plain(json.dumps({"action": first.action, "args": args}))


def _short(value: float | str) -> float | str:
    """A step as `250`, not `250.0`; everything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
