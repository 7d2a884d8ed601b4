"""Forked and spawned children: what they log arrives once, in the parent's attempt, and the parent closes the run."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.reading import curves, described, left_in
from tests.server_process import free_port

BOUND_S = 30


def forked(work: Any) -> None:
    """Do it in a forked child that ends as DataLoader's workers do: at once, without a farewell."""
    if (child := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_logs_nothing_touches_nothing(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, interval_s=0.05)
    run.log(1, {"loss": 1.0})
    assert run.flush()
    before = left_in(spool)
    for _ in range(4):
        forked(lambda: time.sleep(0.2))
    assert left_in(spool) == before
    run.log(2, {"loss": 2.0})
    run.finish()
    assert curves(server, project) == {"loss": {1.0: 1.0, 2.0: 2.0}}
    assert not left_in(spool)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("reached", [True, False], ids=["attempt decided", "attempt not decided"])
def test_what_a_child_logs_is_of_its_parents_attempt(
    server: httpx.Client, url: str, project: str, spool: Path, reached: bool
) -> None:
    with curvewise.start(project, "r", url=url, spool=spool) as earlier:
        earlier.log(0, {"loss": -1.0})
    run = curvewise.start(project, "r", url=url if reached else f"http://127.0.0.1:{free_port()}", spool=spool)
    run.log(1, {"loss": 1.0})
    assert run.flush(5 if reached else 0.1) is reached
    forked(lambda: run.log(2, {"loss": 2.0, "of_child": 2.0}))
    run.log(3, {"loss": 3.0})
    run.finish(timeout_s=5 if reached else 0)
    if not reached:
        done = subprocess.run(
            [sys.executable, "-m", "curvewise_client.cli", "sync", str(spool), "--url", url],
            capture_output=True, text=True, timeout=BOUND_S, check=False,
        )  # fmt: skip
        assert "still running" in done.stdout  # this very process has the parent's part
        assert "attempt 2: 2 points sent" in done.stdout
    assert described(server, project)["attempt"] == 2
    found = curves(server, project)
    assert found["of_child"] == {2.0: 2.0}
    assert found["loss"] == ({0.0: -1.0, 1.0: 1.0, 2.0: 2.0, 3.0: 3.0} if reached else {0.0: -1.0, 2.0: 2.0})


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_in_the_middle_of_everything(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    """Forks while other threads log and the sender sends: no child hangs, and nothing is written or sent twice."""
    code = textwrap.dedent("""
        import os, sys, threading
        import curvewise_client as curvewise
        project, url, spool = sys.argv[1:]
        run = curvewise.start(project, "r", url=url, spool=spool, interval_s=0.001)
        going = True
        steps = [0] * 3
        def work(number):
            while going:
                run.log(steps[number], {f"loss_{number}": 1.0})
                steps[number] += 1
        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads: thread.start()
        for child in range(30):
            if (pid := os.fork()) == 0:
                run.log(child, {"of_child": float(child)})
                run.finish()
                os._exit(0)
            os.waitpid(pid, 0)
        going = False
        for thread in threads: thread.join()
        run.finish(timeout_s=60)
        print(*steps)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, project, url, str(spool)], capture_output=True, text=True, timeout=120, check=True
    )
    found = {curve["name"]: curve["points"] for curve in described(server, project)["curves"]}
    assert found == {"of_child": 30, **{f"loss_{n}": int(steps) for n, steps in enumerate(done.stdout.split())}}
    assert described(server, project)["attempt"] == 1
    assert not left_in(spool)


def log_in_child(run: curvewise.Run) -> None:
    run.log(2, {"loss": 2.0})
    run.finish()


def test_a_spawned_child_gets_the_run(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool)
    run.log(1, {"loss": 1.0})
    assert run.flush()
    child = multiprocessing.get_context("spawn").Process(target=log_in_child, args=(run,))
    child.start()
    child.join(BOUND_S)
    assert child.exitcode == 0
    assert described(server, project)["context"]["state"] == "running"
    run.finish()
    assert curves(server, project) == {"loss": {1.0: 1.0, 2.0: 2.0}}
    assert described(server, project)["attempt"] == 1
