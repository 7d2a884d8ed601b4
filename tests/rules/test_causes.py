"""How findings hang together."""

from dataclasses import replace

from app.rules.causes import link
from app.rules.verdict import Action, Clear, Finding, Recommendation


def found(code: str, *actions: Action) -> Finding:
    advice = tuple(Recommendation(action, action, {}) for action in actions)
    return Finding(
        code=code,
        severity="warning",
        confidence=0.9,
        summary="",
        onset_step=1,
        span=(1, 2),
        evidence=(),
        recommendations=advice,
    )


def test_an_effect_names_its_nearest_cause() -> None:
    linked = link([found("CW006"), found("CW003"), found("CW001"), Clear(code="CW008")])
    assert [v.caused_by for v in linked if isinstance(v, Finding)] == ["CW003", None, None]


def test_no_finding_asks_for_a_higher_rate_beside_one_that_asks_for_a_lower() -> None:
    stuck = found("CW009", "reinitialise", "raise_lr")
    assert link([stuck]) == [stuck]
    for lower in ("lower_lr", "decay_lr"):
        exploded = found("CW008", lower)
        assert link([exploded, stuck]) == [
            exploded,
            replace(stuck, recommendations=stuck.recommendations[:1], caused_by="CW008"),
        ]
