"""Batches that take the short way are answered as those that take the long one."""

import json
from uuid import uuid4

import httpx
import pytest

from app.api.shortcut import _PLAIN
from tests.api.asserts import assert_problem

SHORT, LONG = "r", "r%20long"  # a name with a space takes the long way
WAYS = pytest.mark.parametrize("name", [SHORT, LONG])
SENT = [
    (json.dumps({"curves": {"train/loss": {"steps": [1, 2], "values": [0.5, None]}}, "attempt": 2}), 200),
    (json.dumps({"points": [{"step": -1, "loss": 1}, {"step": 1, "loss": "NaN"}]}), 200),
    (json.dumps({"points": [{"step": -1, "loss": 1}]}), 422),
    ('{"curves": {}, "points": []}', 422),
    ('{"curve": {}}', 422),
    ('{"curves"', 400),
    ("", 400),
    ('{"attempt": 0, "curves": {}}', 422),
]


def test_the_names_are_those_ways() -> None:
    assert _PLAIN.fullmatch(f"/api/v1/projects/p/runs/{SHORT}/points")
    assert not _PLAIN.fullmatch("/api/v1/projects/p/runs/r long/points")
    assert not _PLAIN.fullmatch("/api/v1/projects/p/runs/../points")
    assert not _PLAIN.fullmatch("/api/v1/projects/p/runs/r/s/points")
    assert not _PLAIN.fullmatch("/mounted/api/v1/projects/p/runs/r/points")


@pytest.mark.parametrize(("body", "status"), SENT)
def test_both_ways_answer_alike(client: httpx.Client, project: str, body: str, status: int) -> None:
    replies = []
    for name in (SHORT, LONG):
        client.put(f"{project}/runs/{name}")
        replies.append(client.post(f"{project}/runs/{name}/points", content=body))
    short, long = replies
    assert short.status_code == long.status_code == status
    assert short.json() == long.json()
    assert {k: v for k, v in short.headers.items() if k != "date"} == {
        k: v for k, v in long.headers.items() if k != "date"
    }
    curves = [client.get(f"{project}/runs/{name}/curves").json() for name in (SHORT, LONG)]
    assert curves[0] == curves[1]


def test_a_query_is_not_lost(client: httpx.Client, run: str) -> None:
    body = {"curves": {"loss": {"steps": [1], "values": [0.5]}}}
    assert client.post(f"{run}/points?attempt=3", json=body).status_code == 200
    assert client.get(run).json()["attempt"] == 3


@WAYS
def test_what_is_refused_is_a_problem_document(client: httpx.Client, name: str) -> None:
    missing = f"/api/v1/projects/{uuid4().hex}/runs/{name}/points"
    body = {"curves": {"loss": {"steps": [1], "values": [0.5]}}}
    assert_problem(client.post(missing, json=body), 404, "unknown-project")
    assert_problem(
        client.post(missing, content="<a/>", headers={"Content-Type": "text/xml"}), 415, "unsupported-encoding"
    )
    assert_problem(client.post(missing, content=b"x", headers={"Content-Encoding": "gzip"}), 400, "unreadable-body")
    assert_problem(client.post(missing, content=b"x" * 300_000), 413, "too-large")
    reply = client.get(missing)
    assert_problem(reply, 405, "method-not-allowed")
    assert reply.headers["allow"] == "POST"


@WAYS
def test_a_failure_of_the_server_is_one_too(
    client: httpx.Client, project: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    client.put(f"{project}/runs/{name}")
    monkeypatch.setattr("app.api.points.read_columns", fail)
    reply = client.post(f"{project}/runs/{name}/points", json={"curves": {}})
    assert_problem(reply, 500, "internal")
    assert reply.headers["connection"] == "close"
