"""A run is followed over a real connection: nothing is missed, nothing floods, and every stream ends."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.storage import changes, migrate
from app.storage.database import make_engine
from tests.api.asserts import assert_problem
from tests.server_process import process, wait_until_ready


@dataclass
class Told:
    kind: str
    data: dict[str, Any]
    id: str
    at: float


class Stream:
    """What a browser makes of the lines: events in order, and the last id."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self.last_id = ""
        self.comments = 0
        self._events = self._read()

    def _read(self) -> Iterator[Told]:
        kind, data = "", ""
        for line in self.reply.iter_lines():
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments += 1
            elif name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and data:
                yield Told(kind, json.loads(data), self.last_id, time.monotonic())
                kind, data = "", ""

    def next(self, kind: str) -> Told:
        """The next event of this kind."""
        return next(one for one in self._events if one.kind == kind)

    def rest(self) -> list[Told]:
        """All until the server ends the stream."""
        return list(self._events)


@contextmanager
def following(client: httpx.Client, run: str, **given: Any) -> Iterator[Stream]:
    with client.stream("GET", f"{run}/events", **given) as reply:
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(reply)


def post(client: httpx.Client, run: str, step: float, curve: str = "train/loss", **params: int) -> None:
    body = {"curves": {curve: {"steps": [step], "values": [1 / (step + 1)]}}}
    assert client.post(f"{run}/points", json=body, params=params).status_code == 200


def test_state_comes_first_then_each_change(run_on_each: str, client_on_each: httpx.Client) -> None:
    client, run = client_on_each, run_on_each
    post(client, run, 0)
    with following(client, run) as stream:
        first = stream.next("state")
        assert first.data == {"state": "running", "stalled_since": None, "attempt": 1, "revision": 2}
        post(client, run, 1)
        post(client, run, 2, "val/loss")
        seen: dict[str, list[float]] = {}
        while len(seen) < 2:
            told = stream.next("points")
            seen |= {one["name"]: [one["first_step"], one["last_step"]] for one in told.data["curves"]}
        assert seen == {"train/loss": [1, 1], "val/loss": [2, 2]}
        judged = stream.next("diagnosis")
        assert judged.data["findings"] == []
        client.post(f"{run}/finish", json={"state": "failed"})
        assert stream.next("state").data["state"] == "failed"


def test_a_connection_that_broke_is_resumed_where_it_was(run_on_each: str, client_on_each: httpx.Client) -> None:
    client, run = client_on_each, run_on_each
    with following(client, run) as stream:
        stream.next("state")
        post(client, run, 0)
        stream.next("points")
        last = stream.last_id
    post(client, run, 5)
    post(client, run, 7)
    for given in ({"headers": {"Last-Event-ID": last}}, {"params": {"since": last}}):
        with following(client, run, **given) as stream:
            stream.next("state")
            assert stream.next("points").data["curves"] == [{"name": "train/loss", "first_step": 5, "last_step": 7}]
            assert stream.last_id.split(".")[0] == "4"


def test_what_was_settled_or_is_of_another_attempt_is_read_anew(client: httpx.Client, run: str) -> None:
    anew = [{"name": "train/loss", "first_step": None, "last_step": None}]
    post(client, run, 0)
    with following(client, run) as stream:
        stream.next("state")
        since = stream.last_id
    post(client, run, 1)
    post(client, run, 2, attempt=2)
    with following(client, run, params={"since": since}) as stream:
        assert stream.next("points").data["curves"] == anew
    with following(client, run, params={"since": "99.1.0"}) as stream:  # of a run of this name that was deleted
        assert stream.next("points").data["curves"] == anew


def test_fifty_updates_a_second_are_at_most_four_events(client: httpx.Client, run: str) -> None:
    stop = threading.Event()

    def train() -> None:
        step = 0
        while not stop.wait(0.02):
            post(client, run, step := step + 1)

    job = threading.Thread(target=train)
    with following(client, run) as stream:
        stream.next("state")
        job.start()
        told = [stream.next("points") for _ in range(9)]
        stop.set()
        job.join()
    assert told[-1].at - told[0].at > 8 * 0.25 * 0.9
    steps = [(one.data["curves"][0]["first_step"], one.data["curves"][0]["last_step"]) for one in told]
    assert all(first <= last + 1 for (_, last), (first, _) in pairwise(steps))  # none is missed
    assert steps[-1][1] > 9


def test_many_streams_share_one_look(client: httpx.Client, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    post(client, run, 0)
    looks: list[float] = []
    real = changes.seen

    def counted(*given: Any) -> Any:
        looks.append(time.monotonic())
        return real(*given)

    monkeypatch.setattr(changes, "seen", counted)
    reads: list[Any] = []
    real_stretches = changes.stretches

    def counted_too(*given: Any) -> Any:
        reads.append(given)
        return real_stretches(*given)

    monkeypatch.setattr(changes, "stretches", counted_too)
    with ExitStack() as streams:
        opened = [streams.enter_context(following(client, run)) for _ in range(20)]
        for stream in opened:
            stream.next("diagnosis")  # the monitor has had its first look
        reads.clear()
        began = len(looks)
        started = time.monotonic()
        post(client, run, 1)
        for stream in opened:
            assert stream.next("points").data["curves"][0]["last_step"] == 1
        assert len(looks) - began <= (time.monotonic() - started) / 0.25 + 2
        assert len(reads) == 1


def test_a_deleted_run_ends_its_streams(client: httpx.Client, run: str) -> None:
    with following(client, run) as stream:
        stream.next("state")
        client.delete(run)
        assert [one.kind for one in stream.rest()] in ([], ["diagnosis"])
    assert_problem(client.get(f"{run}/events"), 404, "unknown-run")


def test_what_cannot_be_followed_is_refused(client: httpx.Client, project: str, run: str) -> None:
    assert_problem(client.get(f"{project}x/runs/r/events"), 404, "unknown-project")
    for since in ("x", "1", "1.2", "-1.1.1", "1.1.1.1", "9" * 19 + ".1.1"):
        assert_problem(client.get(f"{run}/events", params={"since": since}), 422, "invalid-input")
        assert_problem(client.get(f"{run}/events", headers={"Last-Event-ID": since}), 422, "invalid-input")


def test_a_silent_stream_shows_that_it_lives(client: httpx.Client, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    post(client, run, 0)
    monkeypatch.setattr("app.live.HEARTBEAT_S", 0.1)
    with following(client, run) as stream:
        stream.next("state")
        stream.next("diagnosis")  # the first look of the monitor
        time.sleep(0.5)
        client.delete(run)
        stream.rest()
        assert stream.comments >= 2


def test_streams_end_when_the_server_is_told_to_stop_and_replicas_tell_of_each_others_points(
    postgres_url: str,
) -> None:
    engine = make_engine(postgres_url)
    migrate.upgrade(engine)
    engine.dispose()
    run = "/api/v1/projects/p/runs/r"
    with process(postgres_url) as (_, one), process(postgres_url) as (server, two):
        wait_until_ready(one)
        wait_until_ready(two)
        assert one.put(run).status_code == 201
        with following(two, run) as stream:
            stream.next("state")
            post(one, run, 3)
            assert stream.next("points").data["curves"][0]["last_step"] == 3
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            stream.rest()  # which fails if the reply is cut off
            assert server.wait(20) in {0, -signal.SIGTERM}
            assert time.monotonic() - began < 5
