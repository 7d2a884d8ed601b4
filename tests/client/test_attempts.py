"""A job that is started again is the next attempt of its run, wherever the points of the one before are."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.reading import curves, described, left_in
from tests.client.stub import Answer, Request, stub
from tests.client.test_kill import sync
from tests.server_process import free_port, process, wait_until_ready


def test_a_run_with_points_gets_another_attempt(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    for attempt in (1, 2, 3):
        with curvewise.start(project, "r", url=url, spool=spool) as run:
            for step in range(attempt, 6):
                run.log(step, {"loss": float(attempt)})
        assert described(server, project)["attempt"] == attempt
    assert curves(server, project)["loss"] == {1.0: 1.0, 2.0: 2.0, 3.0: 3.0, 4.0: 3.0, 5.0: 3.0}


def test_a_run_without_points_is_at_its_first(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    server.put(f"/api/v1/projects/{project}/runs/r")
    with curvewise.start(project, "r", url=url, spool=spool) as run:
        run.log(1, {"loss": 1.0})
    assert described(server, project)["attempt"] == 1


@pytest.mark.parametrize(("given", "attempt"), [(5, 5), ("latest", 1), ("next", 2), (None, 2)])
def test_it_can_be_set_by_hand(
    server: httpx.Client, url: str, project: str, spool: Path, given: int | str | None, attempt: int
) -> None:
    for which in (None, given):
        with curvewise.start(project, "r", url=url, spool=spool, attempt=which) as run:
            run.log(1, {"loss": 1.0})
    assert described(server, project)["attempt"] == attempt


DEAD_JOB = textwrap.dedent("""
    import os, sys
    import curvewise_client as curvewise
    project, url, spool, value = sys.argv[1:]
    run = curvewise.start(project, "r", url=url, spool=spool)
    for step in range(int(value), 6):
        run.log(step, {"loss": float(value)})
    os._exit(0)
""")


def die(project: str, url: str, spool: Path, value: int) -> None:
    subprocess.run([sys.executable, "-c", DEAD_JOB, project, url, str(spool), str(value)], check=True, timeout=30)


def test_jobs_that_died_without_a_server_are_attempts_in_the_order_in_which_they_began(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for value in (1, 2, 3):
        die(project, nobody, spool, value)
    done = sync(spool, "--url", url)
    assert [line.partition(", ")[2] for line in done.stdout.splitlines()] == [
        "attempt 1: 5 points sent",
        "attempt 2: 4 points sent",
        "attempt 3: 3 points sent",
    ]
    assert curves(server, project)["loss"] == {1.0: 1.0, 2.0: 2.0, 3.0: 3.0, 4.0: 3.0, 5.0: 3.0}


def test_the_next_job_sends_what_the_dead_one_left_as_the_attempt_that_it_was(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    port = free_port()
    for value in (1, 2):
        die(project, f"http://127.0.0.1:{port}", spool, value)
    # The same server as far as the sessions know: their address is what a job goes by.
    for folder in {path.parent for path in left_in(spool) if path.name == "session.json"}:
        about = folder / "session.json"
        about.write_text(about.read_text().replace(f"http://127.0.0.1:{port}", url))
    with curvewise.start(project, "r", url=url, spool=spool) as run:
        run.log(4, {"loss": 3.0})
    assert described(server, project)["attempt"] == 3
    assert described(server, project)["context"]["state"] == "finished"
    assert curves(server, project)["loss"] == {1.0: 1.0, 2.0: 2.0, 3.0: 2.0, 4.0: 3.0}
    assert not left_in(spool)


def test_a_dead_jobs_end_does_not_end_the_attempt_after_it(
    server: httpx.Client, url: str, project: str, spool: Path, tmp_path: Path
) -> None:
    failed = curvewise.start(project, "r", url=f"http://127.0.0.1:{free_port()}", spool=spool, attempt=1)
    failed.log(1, {"loss": 1.0})
    failed.finish("failed", timeout_s=0)
    failed_parts = left_in(spool)
    assert failed_parts
    running = curvewise.start(project, "r", url=url, spool=tmp_path / "other", attempt=2)
    running.log(1, {"loss": 2.0})
    assert running.flush()
    copy = tmp_path / "copy"  # this process still holds the failed session, and a copy of it is anybody's
    for path in failed_parts:
        target = copy / path.relative_to(spool)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert sync(copy, "--url", url).returncode == 0
    assert described(server, project)["context"]["state"] == "running"
    assert curves(server, project)["loss"] == {1.0: 2.0}
    running.finish()


def test_jobs_that_start_at_once_are_different_attempts(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    code = DEAD_JOB.replace("os._exit(0)", "run.finish(timeout_s=30)")

    def start(value: int) -> None:
        subprocess.run([sys.executable, "-c", code, project, url, str(spool), str(value)], check=True, timeout=60)

    with ThreadPoolExecutor(4) as jobs:
        list(jobs.map(start, [1, 1, 1, 1]))
    assert described(server, project)["attempt"] == 4
    assert described(server, project)["curves"][0]["points"] == 20  # stored points, before attempts are resolved


def test_machines_that_start_one_run_at_once_are_different_attempts(database_url: str, tmp_path: Path) -> None:
    """Each with a spool of its own, so that nothing but the server can tell them apart."""
    machines = 12
    with process(database_url) as (_, server):
        wait_until_ready(server)
        url = str(server.base_url).rstrip("/")

        def start(machine: int) -> None:
            with curvewise.start("p", "r", url=url, spool=tmp_path / str(machine), exit_timeout_s=30) as run:
                run.log(machine, {"loss": float(machine)})

        with ThreadPoolExecutor(machines) as jobs:
            list(jobs.map(start, range(machines)))
        known = described(server, "p")
        assert known["attempt"] == machines
        assert known["curves"][0]["points"] == machines


def passed_on(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith("Content-")}


def test_a_job_whose_question_was_answered_to_nobody_asks_again_for_the_same(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    asked: list[str] = []

    def pass_on(request: Request) -> Answer:
        reply = server.request(request.method, request.path, content=request.body, headers=passed_on(request))
        if "/attempts/" in request.path:
            asked.append(request.path)
            if len(asked) == 1:
                return Answer(503, {"detail": "the answer is lost"}, {"Retry-After": "0"})
        return Answer(reply.status_code, reply.content)

    with stub(pass_on) as between, curvewise.start(project, "r", url=between.url, spool=spool) as run:
        run.log(1, {"loss": 1.0})
        run.finish(timeout_s=30)
    assert len(asked) == 2
    assert len(set(asked)) == 1
    assert described(server, project)["attempt"] == 1


def test_an_older_server_tells_how_far_it_is(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def older(request: Request) -> Answer:
        path = request.path.replace("/attempts/", "/no-such-noun/")
        reply = server.request(request.method, path, content=request.body, headers=passed_on(request))
        return Answer(reply.status_code, reply.content)

    for attempt in (1, 2):
        with stub(older) as between, curvewise.start(project, "r", url=between.url, spool=spool) as run:
            run.log(attempt, {"loss": 1.0})
            run.finish(timeout_s=30)
        assert described(server, project)["attempt"] == attempt
    assert "gives out no attempts" in caplog.text
