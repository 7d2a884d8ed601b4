"""A finding that flickers is told once, or never."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.monitor.holding import hold
from app.rules.verdict import Finding
from app.storage.standings import Held

BEGAN = datetime(2026, 1, 31, 9, tzinfo=UTC)
HOLD_S = 60.0


def finding(code: str = "CW005", summary: str = "it climbs") -> Finding:
    return Finding(
        code=code,
        rule="overfitting",
        severity="warning",
        confidence=0.9,
        summary=summary,
        onset_step=3.0,
        span=(3.0, 9.0),
        evidence=(),
        recommendations=(),
    )


def replay(shows: str, every_s: float = 20.0, hold_s: float = HOLD_S) -> str:
    """What is told of a finding that shows (x) or not (.) in each judgement: A appeared, R resolved."""
    held: dict[str, Held] = {}
    told = ""
    for number, shown in enumerate(shows):
        now = BEGAN + timedelta(seconds=number * every_s)
        outcome = hold(held, [finding()] if shown == "x" else [], now, hold_s)
        held = dict(outcome.held)
        told += "A" * len(outcome.appeared) + "R" * len(outcome.resolved) or "-"
        assert all(due > now for due in [outcome.due_at] if due)
    return told


@pytest.mark.parametrize(
    ("shows", "told"),
    [
        ("xxxxxx", "---A--"),
        ("xxx.xxxx", "-------A"),  # begun anew
        ("x.x.x.x.x.x.", "------------"),
        ("xxxx.x.x.xx.x", "---A---------"),  # flickers after it fired: told once
        ("xxxx...x....", "---A-------R"),
        ("xxxx....xxxx", "---A---R---A"),
        ("....", "----"),
    ],
)
def test_a_change_counts_when_it_has_lasted(shows: str, told: str) -> None:
    assert replay(shows) == told


def test_two_judgements_are_needed_however_far_apart() -> None:
    assert replay("xx..", every_s=3600) == "-A-R"
    assert replay("x") == "-"


def test_without_a_time_to_hold_every_change_counts_at_once() -> None:
    assert replay("x.x", hold_s=0) == "ARA"


@given(shows=st.text("x.", max_size=60), every_s=st.floats(1, 100))
def test_what_is_told_alternates_and_never_comes_twice_within_the_time(shows: str, every_s: float) -> None:
    told = replay(shows, every_s)
    kinds = told.replace("-", "")
    assert kinds == ("AR" * len(kinds))[: len(kinds)]
    at = [number for number, one in enumerate(told) if one != "-"]
    assert all((later - earlier) * every_s >= HOLD_S for earlier, later in pairwise(at))


def test_what_is_shown_is_the_latest_and_since_when_the_first() -> None:
    first = hold({}, [finding()], BEGAN, HOLD_S)
    assert first.due_at == BEGAN + timedelta(seconds=HOLD_S)
    later = hold(first.held, [finding(summary="it climbs on")], BEGAN + timedelta(seconds=61), HOLD_S)
    assert later.due_at is None
    assert [(one.summary, one.first_seen_at) for one in later.appeared] == [("it climbs on", BEGAN)]
    assert later.held["CW005"].fired_at == BEGAN + timedelta(seconds=61)


def test_each_finding_is_held_by_itself() -> None:
    first = hold({}, [finding("CW001")], BEGAN, HOLD_S)
    then = hold(first.held, [finding("CW001"), finding("CW002")], BEGAN + timedelta(seconds=60), HOLD_S)
    assert [one.code for one in then.appeared] == ["CW001"]
    assert then.due_at == BEGAN + timedelta(seconds=120)
