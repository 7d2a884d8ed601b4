"""Whatever the server does, the job goes on, says it once, and its points arrive when they can."""

import gzip
import json
import threading
import time
from pathlib import Path

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.reading import curves, left_in, wait_until
from tests.client.stub import RUN, Answer, Request, stub
from tests.server_process import free_port, process, wait_until_ready

STORED = {"accepted": 1, "rejected": [], "not_measured": 0}


def willing(request: Request) -> Answer:
    return Answer(200, STORED) if request.path.endswith("/points") else Answer()


def test_a_server_that_comes_late_gets_everything(
    tmp_path: Path, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    run = curvewise.start(project, "r", url=f"http://127.0.0.1:{port}", spool=spool, interval_s=0.05)
    for step in range(100):
        run.log(step, {"loss": float(step)})
    assert not run.flush(0.2)
    with process(f"sqlite:///{tmp_path}/late.db", port=port) as (_, client):
        wait_until_ready(client)
        assert run.flush(20)
        run.log(100, {"loss": 100.0})
        run.finish()
        assert curves(client, project) == {"loss": {float(step): float(step) for step in range(101)}}
    assert len(caplog.messages) == 1
    assert "cannot be reached" in caplog.text
    assert not left_in(spool)


def test_a_server_that_is_replaced_by_an_empty_one_gets_the_run_opened_again(
    tmp_path: Path, project: str, spool: Path
) -> None:
    port = free_port()
    run = curvewise.start(project, "r", url=f"http://127.0.0.1:{port}", spool=spool, interval_s=0.05, num_classes=7)
    for life in (0, 1):
        with process(f"sqlite:///{tmp_path}/{life}.db", port=port) as (_, client):
            wait_until_ready(client)
            run.log(life, {"loss": float(life)})
            assert run.flush(20)
            assert curves(client, project) == {"loss": {float(life): float(life)}}
            assert client.get(f"/api/v1/projects/{project}/runs/r").json()["context"]["num_classes"] == 7
    run.finish(timeout_s=0)


def test_retry_after_is_honoured(spool: Path) -> None:
    refused_at: list[float] = []

    def busy_once(request: Request) -> Answer:
        if request.path.endswith("/points") and not refused_at:
            refused_at.append(time.monotonic())
            return Answer(503, {"type": "urn:curvewise:problem:overloaded", "detail": "wait"}, {"Retry-After": "2"})
        return willing(request)

    with stub(busy_once) as server:
        run = curvewise.start("p", "r", url=server.url, spool=spool, interval_s=0.05)
        run.log(1, {"loss": 1.0})
        wait_until(lambda: refused_at)
        before = len(server.requests)
        began = time.monotonic()
        assert not run.flush(1)  # it knows that the next try comes after that, and does not wait in vain
        assert time.monotonic() - began < 0.5
        assert run.flush(10)
        assert time.monotonic() - refused_at[0] >= 2
        assert len(server.requests) == before + 1  # nothing was asked in between
        run.finish()
    assert not left_in(spool)


def test_a_slow_server_holds_up_neither_log_nor_the_exit(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    def slow(request: Request) -> Answer:
        time.sleep(3)
        return willing(request)

    with stub(slow) as server:
        run = curvewise.start("p", "r", url=server.url, spool=spool, interval_s=0.01)
        longest = 0.0
        for step in range(200):
            began = time.monotonic()
            run.log(step, {"loss": 1.0})
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.001)
        assert longest < 1
        began = time.monotonic()
        run.finish(timeout_s=0.5)
        assert 0.4 < time.monotonic() - began < 1.5
        assert "curvewise-client sync" in caplog.text
        assert left_in(spool)
        server.answer = willing
        wait_until(lambda: not left_in(spool), 30)  # the thread goes on as long as the process lives


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_is_said_once_and_the_points_stay(
    spool: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with stub(lambda _: Answer(status, {"detail": "who is there?"})) as server:
        run = curvewise.start("p", "r", url=server.url, token="s3cret", spool=spool, interval_s=0.01)
        for step in range(10):
            run.log(step, {"loss": 1.0})
        began = time.monotonic()
        run.finish()
        assert time.monotonic() - began < 2  # the next try is later than anybody would wait
        assert server.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert caplog.text.count("does not accept the token") == 1
    assert "CURVEWISE_TOKEN" in caplog.text
    assert not [path for path in left_in(spool) if b"s3cret" in path.read_bytes()]


@pytest.mark.parametrize(
    "answer",
    [Answer(404, b"<h1>nginx</h1>"), Answer(200, b"<h1>welcome</h1>"), Answer(400, b"what?"), Answer(302, b"")],
)
def test_what_is_no_curvewise_server_gets_nothing_and_loses_nothing(
    spool: Path, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    with stub(lambda _: answer) as server:
        run = curvewise.start("p", "r", url=server.url, spool=spool, interval_s=0.01)
        run.log(1, {"loss": 1.0})
        assert not run.flush(1)
        assert "is CURVEWISE_URL right?" in caplog.text
        server.answer = willing
        assert run.flush(20)
        assert len(server.sent("/points")) == 1
        run.finish()


def test_refused_points_are_said_once_and_the_others_go_on(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refusing(request: Request) -> Answer:
        if request.path.endswith("/points"):
            rejected = [{"index": 0, "curve": "loss", "code": "step_negative", "reason": "a step is 0 or more"}]
            if len(server_.sent("/points")) == 1:
                return Answer(422, {"type": "urn:curvewise:problem:points-refused", "detail": "", "rejected": rejected})
            return Answer(200, {**STORED, "rejected": rejected})
        return Answer()

    with stub(refusing) as server_:
        run = curvewise.start("p", "r", url=server_.url, spool=spool, interval_s=0.01)
        for step in range(3):
            run.log(step, {"loss": 1.0})
            assert run.flush(10)
        run.finish()
    assert caplog.messages == ["curvewise: the server refused points of 'loss': a step is 0 or more"]


def test_a_body_over_the_limit_is_sent_in_smaller_parts(spool: Path) -> None:
    sizes: list[int] = []

    def small(request: Request) -> Answer:
        if not request.path.endswith("/points"):
            return Answer()
        compressed = request.headers.get("Content-Encoding") == "gzip"
        sent = json.loads(gzip.decompress(request.body) if compressed else request.body)
        if (points := len(sent["curves"]["loss"]["steps"])) > 300:
            return Answer(413, {"type": "urn:curvewise:problem:too-large", "detail": "over 300"})
        sizes.append(points)
        return Answer(200, STORED)

    with stub(small) as server:
        run = curvewise.start("p", "r", url=server.url, spool=spool)
        for step in range(2000):
            run.log(step, {"loss": 1 / 3})
        assert run.flush(20)
        run.finish()
    assert sum(sizes) == 2000


def test_facts_that_the_server_refuses_do_not_hold_up_points(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, num_classes=1)
    run.log(1, {"loss": 1.0})
    run.finish()
    assert curves(server, project) == {"loss": {1.0: 1.0}}
    assert "num_classes" in caplog.text


def test_the_run_that_was_deleted_is_opened_again(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, interval_s=0.05)
    run.log(1, {"loss": 1.0})
    assert run.flush()
    assert server.delete(f"/api/v1/projects/{project}/runs/r").status_code == 204
    run.log(2, {"loss": 2.0})
    run.finish()
    assert curves(server, project) == {"loss": {2.0: 2.0}}


def test_stub_says_what_the_real_server_says(server: httpx.Client) -> None:
    """What these tests take for Curvewise's own words is so."""
    reply = server.get("/api/v1/projects/nobody/runs/r").json()
    assert reply["type"].startswith("urn:curvewise:problem:unknown-")
    opened = server.put("/api/v1/projects/stub/runs/r").json()
    assert {name: opened[name] for name in RUN} == RUN
    assert (
        server.post("/api/v1/projects/stub/runs/r/points", json={"points": [{"step": 1, "loss": 1.0}]}).json() == STORED
    )


def test_a_job_that_logs_all_the_time_is_sent_in_batches_and_can_be_waited_for(spool: Path) -> None:
    with stub(willing) as server:
        run = curvewise.start("p", "r", url=server.url, spool=spool, interval_s=0.5)
        going = True

        def work() -> None:
            step = 0
            while going:
                run.log(step, {"loss": 1.0})
                step += 1
                time.sleep(0.001)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            time.sleep(2)
            posts = len(server.sent("/points"))
            assert run.flush(20)
        finally:
            going = False
            worker.join()
            run.finish()
    assert 1 <= posts <= 6  # one each half second; one after the other would be dozens
