"""The rules: any curves, context and params in, one fit verdict a rule out, whatever order they came in."""

import json
import math
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from pydantic import TypeAdapter

from app.curves.curve import make_curve
from app.diagnosis import Diagnosis, judge
from app.errors import InvalidParams
from app.reports.json import render
from app.rules.catalogue import CATALOGUE
from app.rules.verdict import Finding, Skipped, Verdict
from fuzz.invented import invented
from fuzz.target import Target, promise

_IN_ANOTHER_ORDER = 4  # one input in so many, always the same ones, is judged twice: that takes as long as all the rest
_SHAPE = TypeAdapter(Diagnosis)
_CODES = {rule.code: rule.name for rule in CATALOGUE}


def _check(data: bytes) -> None:
    run = invented(data)
    facts: dict[str, Any] = {"roles": run.roles, "params": run.params, "at_step": run.at_step}
    try:
        diagnosis = judge(run.curves, run.context, **facts)
    except InvalidParams as error:
        promise(run.params and str(error), "params refused that nobody sent")
        return
    text = render(diagnosis)
    json.loads(text, parse_constant=_no_such_token)
    _SHAPE.validate_json(text)
    _check_verdicts(diagnosis)
    if crc32(data) % _IN_ANOTHER_ORDER:
        return
    backwards = {name: make_curve(name, c.steps[::-1], c.values[::-1]) for name, c in reversed(run.curves.items())}
    promise(render(judge(backwards, run.context, **facts)) == text, "another order, another diagnosis")


def _no_such_token(token: str) -> None:
    raise AssertionError(f"the diagnosis holds a bare {token}")


def _check_verdicts(diagnosis: Diagnosis) -> None:
    verdicts = diagnosis.verdicts
    promise(
        {one.code: one.rule for one in verdicts} == _CODES and len(verdicts) == len(_CODES), "not one verdict a rule"
    )
    ranks = [("finding", "clear", "skipped").index(one.verdict) for one in verdicts]
    promise(ranks == sorted(ranks), "findings are not first")
    for verdict in verdicts:
        _check_verdict(verdict, diagnosis.through_step)


def _check_verdict(verdict: Verdict, last: float | None) -> None:
    rule = verdict.rule
    if isinstance(verdict, Skipped):
        promise(verdict.reason, f"{rule}: skipped without a reason")
        return
    for evidence in verdict.evidence:
        numbers = (evidence.value, *(() if evidence.limit is None else (evidence.limit,)))
        promise(all(map(math.isfinite, numbers)), f"{rule}: {evidence.name} is {numbers}")
        promise(evidence.name and evidence.unit, f"{rule}: evidence of nothing")
    if not isinstance(verdict, Finding):
        return
    promise(0 <= verdict.confidence <= 1, f"{rule}: confidence is {verdict.confidence}")
    promise(verdict.summary and "nan" not in verdict.summary.split(), f"{rule}: {verdict.summary!r}")
    promise(verdict.recommendations, f"{rule}: nothing to do about it")
    promise(last is not None, f"{rule}: a finding in no points")
    for step in (verdict.onset_step, *verdict.span):
        promise(last is not None and 0 <= step <= last, f"{rule}: step {step} is none of the run, which ends at {last}")
    promise(verdict.span[0] <= verdict.span[1], f"{rule}: a span backwards")
    for advice in verdict.recommendations:
        promise(advice.text and all(map(_fit, advice.args.values())), f"{rule}: {advice.action} takes {advice.args}")


def _fit(argument: float | str) -> bool:
    return isinstance(argument, str) or math.isfinite(argument)


def _seeds() -> Iterator[bytes]:
    """Runs of two to four curves that fall, flatten, climb, scatter or blow up."""
    heads = (b"\x0a\x01\x40\x00\x01\x00", b"\x00\x00\x08\x00\x00\x01", b"\x02\x00\x0d\xff\x02\x02")
    shapes = (
        b"\x00\x02\x64\x01\x90\x01\x10",  # falls
        b"\x01\x00\x32\x01\x93\x01\x93\x02\x64\x01\x90\x01\x10",  # flat, then falls
        b"\x01\x03\xc8\x01\x40\x01\x40\x01\x08\x07\x04\xc8\x01\x10\x01\x90\x01\x04\x03",  # scatters, then climbs
        b"\x01\x02\x20\x01\x90\x01\x10\x06\x07\x00\x09\x00\x0a\x00\x0f\x00\x09\x00\x0a\x00\x09\x00\x0b\x00\x0c",
    )
    steps = (b"\x00\x00\x01\x40\x00", b"\x00\x01\x00\x06\x01\x05", b"\x01\x20\x00\x07\x02\x09")
    for number in range(48):
        head, first = heads[number % 3], shapes[number % 4]
        curves = [b"\x00" + first, b"\x01" + shapes[number // 4 % 4], b"\x04" + shapes[number // 16]]
        yield head + b"\x00\x00\x00" + b"".join(curve + steps[number % 3] for curve in curves[: 1 + number % 3])


_RULES = Target(
    name="rules",
    check=_check,
    seeds=_seeds,
    covers=("app.diagnosis", "app.rules", "app.signals", "app.schedules", "app.curves"),
    most_bytes=256,
)

TARGETS = {_RULES.name: _RULES}
