"""`curvewise watch`, beside jobs that write and servers that come and go: real processes, real files, real signals."""

import math
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import Run, Start
from tests.server_process import free_port, process, wait_until_ready

DATA = Path(__file__).parents[1] / "importers" / "data"
WANDB = DATA / "wandb" / "offline-run-20260101_000000-finished" / "run-finished.wandb"
RUNS = "/api/v1/projects/p/runs"
QUICK = ("--project", "p", "--interval", "0.05")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where jobs log."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a server process."""
    with process(f"sqlite:///{tmp_path}/c.db") as (_, client):
        wait_until_ready(client)
        yield client


def curve(client: httpx.Client, run: str = "r", name: str = "loss") -> dict[float, Any]:
    reply = client.get(f"{RUNS}/{run}/curves")
    column = reply.json()["curves"].get(name, {"steps": [], "values": []}) if reply.status_code == 200 else None
    return dict(zip(column["steps"], column["values"], strict=True)) if column else {}


def until(seen: Callable[[], bool], within_s: float = 30.0) -> None:
    begun = time.monotonic()
    while not seen():
        assert time.monotonic() - begun < within_s, "it did not come about"
        time.sleep(0.05)


def stop(watcher: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> tuple[int, str]:
    watcher.send_signal(number)
    _, told = watcher.communicate(timeout=30)
    assert "Traceback" not in told
    return watcher.returncode, told


def test_a_growing_log_over_a_server_that_restarts(start: Start, folder: Path, tmp_path: Path) -> None:
    port, log = free_port(), folder / "r.csv"
    database = f"sqlite:///{tmp_path}/c.db"
    watcher = start("watch", str(folder), *QUICK, "--url", f"http://127.0.0.1:{port}")  # there is no server yet
    written = {float(step): 1 / (1 + step) for step in range(60)}
    with log.open("w") as job:
        job.write("step,loss\n")
        for step in range(30):
            write_in_two(job, f"{step},{written[step]}\n")
        with process(database, port=port) as (_, client):
            wait_until_ready(client)
            until(lambda: len(curve(client)) >= 30)
        for step in range(30, 60):
            write_in_two(job, f"{step},{written[step]}\n")
    with process(database, port=port) as (_, client):
        wait_until_ready(client)
        until(lambda: curve(client) == written)
        code, told = stop(watcher)
        assert code == 0
        assert "r: plain columns: read loss as train/loss" in told
        run = client.get(f"{RUNS}/r").json()
        assert (run["context"]["state"], run["attempt"]) == ("running", 1)


def write_in_two(job: Any, line: str) -> None:
    """As a buffer does that is flushed in the middle of a line."""
    for part in (line[: len(line) // 2], line[len(line) // 2 :]):
        job.write(part)
        job.flush()
        time.sleep(0.002)


def test_a_watcher_that_is_killed_and_started_again_sends_nothing_twice(
    start: Start, folder: Path, server: httpx.Client
) -> None:
    log, url = folder / "r.csv", str(server.base_url)
    lines = ["step,loss", *(f"{step},{2 - step / 1000}" for step in range(500))]
    log.write_text("\n".join(lines) + "\n")
    watcher = start("watch", str(folder), *QUICK, "--url", url)
    until(lambda: len(curve(server)) == 500)
    watcher.kill()
    watcher.wait()
    with log.open("a") as job:
        job.write("500,nan\n")
    again = start("watch", str(folder), *QUICK, "--url", url)
    until(lambda: curve(server).get(500.0) == "NaN")
    assert stop(again, signal.SIGINT)[0] == 0
    (stored,) = server.get(f"{RUNS}/r").json()["curves"]
    assert stored["points"] == 501


def test_a_log_that_is_begun_anew_is_the_next_attempt_and_a_rotated_one_goes_on(
    start: Start, folder: Path, server: httpx.Client
) -> None:
    log = folder / "r.csv"
    log.write_text("step,loss\n0,3\n1,2\n2,1\n")
    watcher = start("watch", str(folder), *QUICK, "--url", str(server.base_url))
    until(lambda: len(curve(server)) == 3)
    log.rename(folder / "r.csv.1.hidden")
    (folder / "r.csv.1.hidden").rename(folder / ".r.csv.1")
    log.write_text("step,loss\n3,0.9\n4,0.8\n")
    until(lambda: curve(server) == {0: 3, 1: 2, 2: 1, 3: 0.9, 4: 0.8})
    log.write_text("")
    time.sleep(0.3)
    log.write_text("step,loss\n0,7\n1,6\n")
    until(lambda: curve(server) == {0: 7, 1: 6})
    code, told = stop(watcher)
    assert code == 0
    assert "r: the log was begun anew: attempt 2" in told
    assert server.get(f"{RUNS}/r").json()["attempt"] == 2


def test_what_is_written_last_is_sent_before_it_ends(start: Start, folder: Path, server: httpx.Client) -> None:
    log = folder / "r.csv"
    log.write_text("step,loss\n0,3\n")
    watcher = start("watch", str(folder), "--project", "p", "--interval", "60", "--url", str(server.base_url))
    until(lambda: curve(server) == {0: 3})
    time.sleep(0.5)
    with log.open("a") as job:
        job.write("1,2\n")
    begun = time.monotonic()
    assert stop(watcher)[0] == 0
    assert time.monotonic() - begun < 10
    assert curve(server) == {0: 3, 1: 2}


def test_it_ends_in_time_while_the_server_is_away(start: Start, folder: Path) -> None:
    (folder / "r.csv").write_text("step,loss\n0,3\n")
    watcher = start("watch", str(folder), *QUICK, "--url", f"http://127.0.0.1:{free_port()}")
    time.sleep(3)
    assert watcher.poll() is None
    begun = time.monotonic()
    code, told = stop(watcher)
    assert time.monotonic() - begun < 10
    assert code == 1
    assert "does not take this now" in told.splitlines()[-1]


def test_a_run_that_is_deleted_on_the_server_comes_back_with_all_its_points(
    start: Start, folder: Path, server: httpx.Client
) -> None:
    log = folder / "r.csv"
    log.write_text("step,loss\n0,3\n1,2\n")
    watcher = start("watch", str(folder), *QUICK, "--url", str(server.base_url))
    until(lambda: len(curve(server)) == 2)
    assert server.delete(f"{RUNS}/r").status_code == 204
    with log.open("a") as job:
        job.write("2,1\n")
    until(lambda: curve(server) == {0: 3, 1: 2, 2: 1})
    assert stop(watcher)[0] == 0


def test_events_that_grow_byte_by_byte_and_a_run_that_ends(start: Start, folder: Path, server: httpx.Client) -> None:
    (source,) = (DATA / "tensorboard" / "run").iterdir()
    (folder / "tb").mkdir()
    watcher = start("watch", str(folder), *QUICK, "--url", str(server.base_url))
    events, offline = source.read_bytes(), WANDB.read_bytes()
    with (folder / "tb" / source.name).open("wb") as tb, (folder / WANDB.name).open("wb") as wb:
        for place in range(20):
            tb.write(events[len(events) * place // 20 : len(events) * (place + 1) // 20])
            wb.write(offline[len(offline) * place // 20 : len(offline) * (place + 1) // 20])
            tb.flush()
            wb.flush()
            time.sleep(0.03)
    until(lambda: len(curve(server, "tb", "Loss/train")) == 40)
    until(lambda: server.get(f"{RUNS}/run finished").json()["context"]["state"] == "finished")
    assert curve(server, "tb", "Loss/train")[39] == "Infinity"
    assert len(curve(server, "run finished", "train/loss")) == 151
    assert curve(server, "run finished", "train/loss")[150] == "NaN"
    code, told = stop(watcher)
    assert code == 0
    assert "run finished: finished" in told


def test_once_sends_every_log_there_is(call: Run, server: httpx.Client, folder: Path) -> None:
    shutil.copytree(DATA / "transformers", folder / "transformers")
    shutil.copytree(DATA / "keras", folder / "keras")
    (folder / "damaged.wandb").write_bytes(WANDB.read_bytes()[:100])
    before = signal.getsignal(signal.SIGTERM)
    done = call("watch", str(folder), "--project", "p", "--once", "--url", str(server.base_url), "--num-classes", "3")
    assert done.returncode == 0
    assert signal.getsignal(signal.SIGTERM) is before
    assert "waiting: " in done.stderr
    items = {run["run"]: run for run in server.get(RUNS).json()["items"]}
    assert sorted(items) == [
        "keras",
        "keras-by_batch",
        "keras-every_second",
        "keras-logs",
        "transformers-nan",
        "transformers-run",
    ]
    assert items["transformers-run"]["context"]["state"] == "finished"
    said = {name: fact for name, fact in items["keras"]["context"].items() if fact is not None and name != "caveats"}
    assert said == {"num_classes": 3, "state": "running"}
    assert math.isclose(curve(server, "keras")[0], 1.3984546661376953)


def test_what_a_server_refuses_is_told_and_no_traceback(call: Run, server: httpx.Client, folder: Path) -> None:
    (folder / "r.csv").write_text("step,loss\n0,3\n")
    done = call("watch", str(folder / "r.csv"), "--project", "p", "--once", "--url", f"{server.base_url}/nowhere")
    assert done.returncode == 1
    assert "refused: r: 404" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere", "--project", "p"), "there is no file or folder nowhere"),
        ((".", "--project", "a/b"), "one part of a path"),
        ((".", "--project", "p", "--url", "ftp://x"), "no address of a server"),
    ],
)
def test_what_cannot_be_meant_is_told(call: Run, arguments: tuple[str, ...], told: str) -> None:
    done = call("watch", *arguments)
    assert done.returncode in {1, 2}
    assert told in done.stderr
