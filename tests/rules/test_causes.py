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


def test_information_is_no_cause() -> None:
    slow = replace(found("CW001"), severity="info")
    linked = link([found("CW004"), slow])
    assert [v.caused_by for v in linked if isinstance(v, Finding)] == [None, None]


def test_what_has_to_be_cured_first_is_recommended_first() -> None:
    start, exploded, stuck = found("CW007", "reinitialise"), found("CW008", "lower_lr"), found("CW009", "regularise")
    linked = [v for v in link([stuck, exploded, start]) if isinstance(v, Finding)]
    assert [[r.action for r in v.recommendations] for v in linked] == [
        ["reinitialise", "regularise"],
        ["reinitialise", "lower_lr"],
        ["reinitialise"],
    ]
    assert [v.caused_by for v in linked] == ["CW008", "CW007", None]
    poor, late = link([found("CW006", "grow_model"), found("CW003", "delay_decay")])
    assert isinstance(poor, Finding)
    assert [r.action for r in poor.recommendations] == ["grow_model"], "a larger model helps all the same"
    assert late.verdict == "finding"


def test_no_finding_asks_for_a_higher_rate_beside_one_that_asks_for_a_lower() -> None:
    stuck = found("CW009", "reinitialise", "raise_lr")
    assert link([stuck]) == [stuck]
    lowering: tuple[Action, ...] = ("lower_lr", "decay_lr")
    for lower in lowering:
        exploded = found("CW008", lower)
        assert link([exploded, stuck]) == [
            exploded,
            replace(stuck, recommendations=(*exploded.recommendations, stuck.recommendations[0]), caused_by="CW008"),
        ]
