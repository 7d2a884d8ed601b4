"""A finding holds for a while before people are told, and stays away for a while before they are told that it is gone.

So one that flickers is told once, or never. How Prometheus' alerts do it (`for`, `keep_firing_for`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.rules.verdict import Finding
from app.storage.standings import Held


@dataclass(frozen=True)
class Outcome:
    """held: by code, those that fired and those that may. due_at: the next that would change if nothing else does."""

    held: Mapping[str, Held]
    appeared: Sequence[Held]
    resolved: Sequence[Held]
    due_at: datetime | None


def hold(before: Mapping[str, Held], found: Sequence[Finding], now: datetime, hold_s: float) -> Outcome:
    """What a judgement at `now` makes of what was held before.

    hold_s: how long a change must last, over two judgements at least, before it counts; 0: it counts at once.
    """
    held: dict[str, Held] = {}
    appeared, resolved, due = [], [], []
    enough = timedelta(seconds=hold_s)
    for finding in found:
        held[finding.code] = one = _seen(before.get(finding.code), finding, now)
        if one.fired_at is None and _lasted(one.first_seen_at, now, hold_s):
            held[finding.code] = one = replace(one, fired_at=now)
            appeared.append(one)
        elif one.fired_at is None:
            due.append(one.first_seen_at + enough)
    for code, one in before.items():
        if code in held or one.fired_at is None:
            continue
        gone_since = one.gone_since or now
        if _lasted(gone_since, now, hold_s):
            resolved.append(one)
        else:
            held[code] = replace(one, gone_since=gone_since)
            due.append(gone_since + enough)
    return Outcome(held, appeared, resolved, min(due, default=None))


def _seen(before: Held | None, finding: Finding, now: datetime) -> Held:
    return Held(
        code=finding.code,
        rule=finding.rule,
        severity=finding.severity,
        confidence=finding.confidence,
        onset_step=finding.onset_step,
        summary=finding.summary,
        first_seen_at=before.first_seen_at if before else now,
        fired_at=before.fired_at if before else None,
    )


def _lasted(since: datetime, now: datetime, hold_s: float) -> bool:
    return hold_s == 0 or (since < now and now - since >= timedelta(seconds=hold_s))
