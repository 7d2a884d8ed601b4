"""What a diagnosis advises, as values that a job can act on. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

Diagnosis = dict[str, Any]  # as the server answers it in JSON


class Advice(NamedTuple):
    """One recommendation of one finding. Nothing is applied: what to do with it is the job's own decision.

    action: such as `stop`, `lower_lr` or `continue`, with its numbers in `args` (steps in the run's own unit, factors
    as ratios). text: the same as a sentence. rule, code, severity, confidence [0 to 1] and summary: the finding's.
    """

    action: str
    args: dict[str, Any]
    text: str
    rule: str
    code: str
    severity: str
    confidence: float
    summary: str


def advice_in(diagnosis: Diagnosis | None) -> list[Advice]:
    """Every recommendation of every finding, the most severe and surest finding first, as the server ranks them."""
    return [
        Advice(
            action=recommendation["action"],
            args=dict(recommendation["args"]),
            text=recommendation["text"],
            rule=verdict["rule"],
            code=verdict["code"],
            severity=verdict["severity"],
            confidence=float(verdict["confidence"]),
            summary=verdict["summary"],
        )
        for verdict in (diagnosis or {}).get("verdicts", ())
        if verdict["verdict"] == "finding"
        for recommendation in verdict["recommendations"]
    ]
