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
    """Every recommendation of every finding, the most severe and surest finding first, as the server ranks them.

    What follows from another finding recommends its cure as well, which is not to be done twice: it is the cause's.
    What has not the shape of a recommendation is left out: nothing that a server answers raises.
    """
    verdicts = (diagnosis or {}).get("verdicts")
    findings = [verdict for verdict in _listed(verdicts) if _of(verdict, "verdict") == "finding"]
    made = [_advice(finding, one) for finding in findings for one in _listed(_of(finding, "recommendations"))]
    known = [advice for advice in made if advice is not None]
    return [advice for i, advice in enumerate(known) if not any(_same(advice, before) for before in known[:i])]


def _same(advice: Advice, other: Advice) -> bool:
    return (advice.action, advice.args) == (other.action, other.args)


def _advice(finding: Any, recommendation: Any) -> Advice | None:
    try:
        return Advice(
            action=str(recommendation["action"]),
            args=dict(recommendation["args"]),
            text=str(recommendation["text"]),
            rule=str(finding["rule"]),
            code=str(finding["code"]),
            severity=str(finding["severity"]),
            confidence=float(finding["confidence"]),
            summary=str(finding["summary"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
