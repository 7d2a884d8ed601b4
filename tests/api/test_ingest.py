"""Whatever is sent, in whatever order, reads back as a dict of dicts says that it should.

The model knows four rules and no storage: the last write of a step wins within an attempt, a later attempt hides
earlier ones from the first step that it trained, a bad point costs no good one, and what was deleted never was.
"""

import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.curves.curve import Curve
from app.diagnosis import judge
from app.reports.json import render
from app.rules.context import Context, RunState
from tests.api.asserts import assert_problem

_NAMES = ("train/loss", "val/loss", "lr", "Verlust ä")
_TRAINED = ("train/loss", "lr", "Verlust ä")  # an attempt begins where it trained, and not where it was evaluated
_RUNS = ("a", "b")
_JSON, _LINES = "application/json", "application/x-ndjson"
_numbers = count()

_good_steps = st.integers(0, 12) | st.sampled_from([0.5, -0.0, 1e6, 2**53])
_bad_steps = st.sampled_from([-1, None, "1", True, math.nan, math.inf, 2**53 + 2])
_good_values = st.floats(0, 4) | st.floats() | st.sampled_from(["NaN", "-Infinity", "infinity", 0, -7])
_bad_values = st.sampled_from(["x", False, 10**400, 2**53 + 1, [1], {}])
_values = st.one_of(_good_values, _good_values, _good_values, st.none(), _bad_values)
_rows = st.lists(
    st.tuples(
        st.one_of(_good_steps, _good_steps, _good_steps, _good_steps, _bad_steps),
        st.dictionaries(st.sampled_from(_NAMES), _values, min_size=1, max_size=4),
    ),
    max_size=16,
)
_training = st.builds(  # enough points in a row for rules to judge
    lambda begin, length, level: [
        (begin + at, {"train/loss": level / (1 + at), "val/loss": level / (1 + at / 2)}) for at in range(length)
    ],
    st.integers(0, 30),
    st.integers(20, 60),
    st.floats(0.5, 4),
)
Row = tuple[Any, dict[str, Any]]
Points = dict[float, float]


@dataclass
class Modelled:
    """A run as it should be."""

    attempt: int = 1
    state: RunState = "running"
    attempts: dict[int, dict[str, Points]] = field(default_factory=dict)

    def resume(self, attempt: int) -> None:
        if attempt > self.attempt:
            self.attempt, self.state = attempt, "running"

    def write(self, attempt: int, name: str, step: float, value: float) -> None:
        self.attempts.setdefault(attempt, {}).setdefault(name, {})[step] = value

    def begun(self, attempt: int) -> float:
        """The first step that the attempt trained; infinity when it trained none."""
        curves = self.attempts.get(attempt, {})
        return min((step for name in _TRAINED for step in curves.get(name, {})), default=math.inf)

    def curve(self, name: str) -> Points:
        seen: Points = {}
        for attempt in sorted(self.attempts):
            end = min((self.begun(later) for later in self.attempts if later > attempt), default=math.inf)
            points = self.attempts[attempt].get(name, {})
            seen |= {step: value for step, value in points.items() if step < end}
        return dict(sorted(seen.items()))

    def curves(self) -> dict[str, Points]:
        names = {name for curves in self.attempts.values() for name in curves}
        return {name: self.curve(name) for name in sorted(names)}


class Ingest(RuleBasedStateMachine):
    """A server and a model that are told the same."""

    client: httpx.Client

    @initialize()
    def begin(self) -> None:
        self.path = f"/api/v1/projects/ingest-{next(_numbers)}/runs"
        self.runs: dict[str, Modelled] = {}
        for run in _RUNS:  # that every history may be about
            self.open(run, None)
            self.send(run, [(at, {"train/loss": 2.0, "val/loss": 2.5}) for at in range(12)], None, "rows", packed=False)

    @rule(run=st.sampled_from(_RUNS), attempt=st.none() | st.integers(1, 4))
    def open(self, run: str, attempt: int | None) -> None:
        reply = self.client.put(f"{self.path}/{run}", json={} if attempt is None else {"attempt": attempt})
        assert reply.status_code == (200 if run in self.runs else 201), reply.text
        self.runs.setdefault(run, Modelled()).resume(attempt or 1)
        assert reply.json()["attempt"] == self.runs[run].attempt

    @rule(
        run=st.sampled_from(_RUNS),
        rows=_rows | _training,
        attempt=st.none() | st.integers(1, 4),
        form=st.sampled_from(["columns", "rows", "lines"]),
        packed=st.booleans(),
    )
    def send(self, run: str, rows: list[Row], attempt: int | None, form: str, packed: bool) -> None:
        self.sent = (run, rows, attempt, form, packed)
        body, media = _body(form, rows)
        headers = {"Content-Type": media} | ({"Content-Encoding": "gzip"} if packed else {})
        query = {} if attempt is None else {"attempt": attempt}
        content = gzip.compress(body, mtime=0) if packed else body
        reply = self.client.post(f"{self.path}/{run}/points", params=query, content=content, headers=headers)
        accepted, refused, unmeasured = _taken(form, rows)
        if refused and not accepted:
            assert_problem(reply, 422, "points-refused")
            assert len(reply.json()["rejected"]) == refused
        elif form == "lines" and not rows:
            assert_problem(reply, 400, "unreadable-body")
        elif run not in self.runs:
            assert reply.status_code == 404, reply.text
        else:
            assert reply.status_code == 200, reply.text
            said = reply.json()
            told = said["accepted"], len(said["rejected"]), said["not_measured"]
            assert told == (len(accepted), refused, unmeasured)
            if accepted:
                self._write(self.runs[run], attempt, accepted)

    def _write(self, known: Modelled, attempt: int | None, accepted: list[tuple[str, float, float]]) -> None:
        known.resume(attempt or known.attempt)
        for name, step, value in accepted:
            known.write(attempt or known.attempt, name, step, value)

    @rule(run=st.sampled_from(_RUNS), attempt=st.integers(2, 4), step=_good_steps)
    def evaluate_late(self, run: str, attempt: int, step: float) -> None:
        self.send(run, [(step, {"val/loss": 1.0})], attempt, "rows", packed=False)

    @rule()
    def send_again(self) -> None:
        if hasattr(self, "sent"):
            self.send(*self.sent)

    @rule(run=st.sampled_from(_RUNS), state=st.sampled_from(["finished", "failed"]))
    def finish(self, run: str, state: RunState) -> None:
        reply = self.client.post(f"{self.path}/{run}/finish", json={"state": state})
        assert reply.status_code == (200 if run in self.runs else 404), reply.text
        if run in self.runs:
            self.runs[run].state = state

    @rule(run=st.sampled_from(_RUNS), attempt=st.integers(2, 4))
    def finish_and_go_on(self, run: str, attempt: int) -> None:
        self.finish(run, "failed")
        self.open(run, attempt)

    @rule(run=st.sampled_from(_RUNS))
    def delete(self, run: str) -> None:
        reply = self.client.delete(f"{self.path}/{run}")
        assert reply.status_code == (204 if run in self.runs else 404), reply.text
        self.runs.pop(run, None)

    @rule(run=st.sampled_from(_RUNS), most=st.integers(8, 40))
    def read_thinned(self, run: str, most: int) -> None:
        if run in self.runs:
            for name, shown in self._curves(run, max_points=most).items():
                _check_thinned(shown, self.runs[run].curve(name), most)

    @rule(run=st.sampled_from(_RUNS))
    def diagnose(self, run: str) -> None:
        if run not in self.runs:
            return
        known = self.runs[run]
        curves = {name: _curve(name, points) for name, points in known.curves().items()}
        expected = json.loads(render(judge(curves, Context(state=known.state))))
        said = self.client.get(f"{self.path}/{run}/diagnosis").raise_for_status().json()
        for part in ("through_step", "state", "catalogue", "verdicts"):
            assert said[part] == expected[part]

    @invariant()
    def reads_back_as_it_should(self) -> None:
        for run in _RUNS:
            reply = self.client.get(f"{self.path}/{run}")
            if run not in self.runs:
                assert reply.status_code == 404
                continue
            known, said = self.runs[run], reply.raise_for_status().json()
            assert (said["attempt"], said["context"]["state"]) == (known.attempt, known.state)
            curves = self._curves(run)
            assert repr(curves) == repr(known.curves())  # NaN is itself here, and -0.0 is not 0.0
            assert [curve["name"] for curve in said["curves"]] == list(curves)

    def _curves(self, run: str, **query: int) -> dict[str, Points]:
        reply = self.client.get(f"{self.path}/{run}/curves", params=query).raise_for_status()
        return {
            name: dict(zip(curve["steps"], map(float, curve["values"]), strict=True))
            for name, curve in reply.json()["curves"].items()
        }


def _body(form: str, rows: list[Row]) -> tuple[bytes, str]:
    if form == "columns":
        curves: dict[str, dict[str, list[Any]]] = {}
        for step, values in rows:
            for name, value in values.items():
                column = curves.setdefault(name, {"steps": [], "values": []})
                column["steps"].append(step)
                column["values"].append(value)
        return json.dumps({"curves": curves}).encode(), _JSON
    written = [{"step": step, **values} for step, values in rows]
    if form == "rows":
        return json.dumps({"points": written}).encode(), _JSON
    return "\n".join(map(json.dumps, written)).encode(), _LINES


def _taken(form: str, rows: list[Row]) -> tuple[list[tuple[str, float, float]], int, int]:
    """The good points as (curve, step, value); how many are refused; how many were not measured."""
    accepted: list[tuple[str, float, float]] = []
    refused = unmeasured = 0
    for step, values in rows:
        if not _is_step(step):
            refused += len(values) if form == "columns" else 1
            continue
        for name, value in values.items():
            if value is None:
                unmeasured += 1
            elif _is_value(value):
                accepted.append((name, float(step) + 0.0, float(value)))
            else:
                refused += 1
    return accepted, refused, unmeasured


def _is_step(step: object) -> bool:
    return isinstance(step, int | float) and not isinstance(step, bool) and 0 <= step <= 2**53


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return value in ("NaN", "-Infinity", "infinity")
    return isinstance(value, float) or (type(value) is int and abs(value) <= 2**53)


def _curve(name: str, points: Mapping[float, float]) -> Curve:
    return Curve(name, np.array(list(points)), np.array(list(points.values())))


def _check_thinned(shown: Points, whole: Points, most: int) -> None:
    assert len(shown) <= most
    assert repr(shown) == repr({step: whole[step] for step in shown})
    if len(whole) <= most:
        assert len(shown) == len(whole)
    if whole:
        assert {min(whole), max(whole)} <= shown.keys()
    finite = [value for value in whole.values() if math.isfinite(value)]
    if finite:
        assert {min(finite), max(finite)} <= set(shown.values())


def explore(client: httpx.Client, *, examples: int, steps: int, long: bool) -> None:
    run_state_machine_as_test(
        type("Ingest", (Ingest,), {"client": client}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not long,
            database=None,
            deadline=None,
            phases=tuple(Phase) if long else (Phase.generate,),  # making a history smaller takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_ingest_does_what_a_dict_would(client: httpx.Client) -> None:
    explore(client, examples=20, steps=16, long=False)


@pytest.mark.long
def test_ingest_does_what_a_dict_would_over_many_histories(client: httpx.Client) -> None:
    explore(client, examples=400, steps=50, long=True)
