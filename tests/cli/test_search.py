"""`curvewise search`: the installed command over a real job, servers that come and go, a person who interrupts."""

import json
import os
import pty
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import COMMAND, Run, Start
from tests.server_process import free_port, process, wait_until_ready

TRAIN = str(Path(__file__).parents[1] / "tuning" / "train.py")
JOB = ("--", sys.executable, TRAIN)
NAMED = ("--project", "p", "--search", "s")
SPACE = "lr: {kind: log_uniform, low: 1e-4, high: 1}\ndecay: {kind: choice, options: [0, 1e-2]}\n"
WALK = (*NAMED, "--space", "space.yaml", "--num-classes", "2", "--steps-per-epoch", "10")


@pytest.fixture(autouse=True)
def _space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A space in the working directory, and nothing of the person who runs the tests."""
    (tmp_path / "space.yaml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    for name in [one for one in os.environ if one.startswith("CURVEWISE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with process(f"sqlite:///{tmp_path_factory.mktemp('search')}/c.db") as (_, client):
        wait_until_ready(client)
        yield client


def until(seen: Callable[[], bool], within_s: float = 60.0) -> None:
    begun = time.monotonic()
    while not seen():
        assert time.monotonic() - begun < within_s, "it did not come about"
        time.sleep(0.05)


def jobs() -> list[int]:
    """Processes of the job that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if words[1:2] == [TRAIN.encode()] and f"PWD_OF_TEST={Path.cwd()}".encode() in environ:
                found.append(int(entry.name))
    return found


def test_a_search_over_a_database_of_its_own_and_what_it_says_afterwards(run: Run, tmp_path: Path) -> None:
    walked = run("search", "run", *WALK, "--most-runs", "2", *JOB)
    assert walked.returncode == 0, walked.stderr
    assert "look at http://127.0.0.1:" in walked.stderr
    assert "/projects/p/searches/s while this runs" in walked.stderr
    assert "step 1, initial loss" in walked.stderr
    assert "s-1-1: finished at step" in walked.stderr
    assert walked.stdout.splitlines()[-1].startswith("All 2 runs that there may be are made")
    assert (tmp_path / "curvewise.db").exists()
    assert (tmp_path / "curvewise-search" / "p" / "s" / "s-1-1.log").read_text().startswith("training")

    status = run("search", "status", *NAMED)
    assert status.returncode == 0, status.stderr
    assert status.stdout.startswith("s: 2 runs of at most 2\n")
    assert "1 initial loss: done" in status.stdout
    said = json.loads(run("search", "status", *NAMED, "--json").stdout)
    assert (said["search"], said["runs"], len(said["steps"])) == ("s", 2, 7)
    coming = json.loads(run("search", "next", *NAMED, "--json").stdout)
    assert (coming["stop"], coming["proposals"]) == (True, [])


def test_next_tells_what_a_job_can_run(server: httpx.Client, call: Run) -> None:
    space = {"lr": {"kind": "log_uniform", "low": 1e-4, "high": 1}}
    server.put("/api/v1/projects/n/searches/s", json={"space": space, "steps_per_epoch": 10})
    told = call("search", "next", "--project", "n", "--search", "s", "--url", str(server.base_url)).stdout
    said = server.get("/api/v1/projects/n/searches/s/next").json()
    first = said["proposals"][0]
    assert told.startswith(f"next: step {said['search_step']}, {said['name']}\n")
    assert f"{first['run']}: lr={first['config']['lr']:g} (" in told
    assert first["why"] in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", *NAMED, "--space", "space.yaml", "--", "no-such-program"), "'no-such-program' is not found"),
        (("run", *NAMED, "--space", "space.yaml"), "say what to run after --"),
        (("run", *NAMED, *JOB), "has no search 's' yet: say what may vary"),
        (("run", *NAMED, "--space", "space.yaml", *JOB, "--lr={rate}"), "there is nothing for {rate} in the command"),
        (("run", *NAMED, "--space", "nowhere.yaml", *JOB), "nowhere.yaml: No such file"),
        (("run", "--project", "a/b", "--space", "space.yaml", *JOB), "not one part of a path"),
        (("status", *NAMED, "--database-url", "sqlite:///nothing.db"), "there is no database"),
        (("next", *NAMED, "--url", "http://127.0.0.1:1", "--database-url", "sqlite:///c.db"), "not both"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_runs(arguments: tuple[str, ...], says: str, call: Run) -> None:
    done = call("search", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert not list(Path("curvewise-search").rglob("*.log"))


def test_ctrl_c_ends_the_jobs_and_the_same_command_goes_on(
    server: httpx.Client, run: Run, start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "curvewise-search" / "interrupted" / "s" / "s-1-1.log"
    mark = {"PWD_OF_TEST": str(tmp_path), "CURVEWISE_URL": str(server.base_url)}
    command = ("search", "run", *WALK, "--project", "interrupted", "--most-runs", "2", *JOB)
    walk = start(*command, MISBEHAVE="deaf", **mark)
    until(lambda: log.exists() and "waiting" in log.read_text())
    assert len(jobs()) == 1
    walk.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert walk.poll() is None  # the job does not listen, and is given its grace
    walk.send_signal(signal.SIGINT)
    _, told = walk.communicate(timeout=60)
    assert walk.returncode == 130, told
    assert "Traceback" not in told
    assert jobs() == []

    again = run(*command, **mark)
    assert again.returncode == 0, again.stderr
    assert "running again what was interrupted: s-1-1" in again.stderr
    assert "going on with 1 runs" in again.stderr
    assert [line.split(":")[0].strip() for line in again.stderr.splitlines() if " finished at step" in line] == [
        "s-1-1",
        "s-2-1",
    ]


def test_a_server_that_goes_away_meanwhile_is_waited_for(start: Start, tmp_path: Path) -> None:
    port, database = free_port(), f"sqlite:///{tmp_path}/c.db"
    log = tmp_path / "curvewise-search" / "p" / "s" / "s-1-1.log"
    walking = (*WALK, "--most-runs", "1", "--url", f"http://127.0.0.1:{port}")
    with process(database, port=port) as (served, client):
        wait_until_ready(client)
        walk = start("search", "run", *walking, *JOB, MISBEHAVE="slow", PWD_OF_TEST=str(tmp_path))
        until(lambda: log.exists() and "training" in log.read_text())
        served.kill()
    until(lambda: not jobs())  # it ends while nobody answers
    time.sleep(1.0)
    with process(database, port=port) as (_, client):
        wait_until_ready(client)
        _, told = walk.communicate(timeout=90)
        assert walk.returncode == 0, told
        assert "trials go on, and it is asked again until it answers" in told
        assert "the server answers again" in told
        found = client.get("/api/v1/projects/p/runs/s-1-1").json()
        assert found["context"]["state"] == "finished"
        points = {curve["name"]: curve["points"] for curve in found["curves"]}
        assert points["train/loss"] == 11


def test_placeholders_configure_a_command_that_knows_nothing_of_curvewise(server: httpx.Client, call: Run) -> None:
    job = ("--", "sh", "-c", "echo $CURVEWISE_RUN {lr} {seed:7} $CURVEWISE_CONFIG")
    where = ("--url", str(server.base_url), "--project", "placeholders")
    done = call("search", "run", *WALK, *where, "--most-runs", "1", *job)
    assert "logged nothing" in done.stderr
    printed = Path("curvewise-search/placeholders/s/s-1-1.log").read_text().split(maxsplit=3)
    config = server.get("/api/v1/projects/placeholders/runs/s-1-1").json()["config"]
    assert printed[:3] == ["s-1-1", f"{config['lr']:g}", "0"]
    assert json.loads(printed[3]) == config


def test_a_terminal_shows_what_runs(server: httpx.Client, tmp_path: Path, environ: dict[str, str]) -> None:
    url = {"CURVEWISE_URL": str(server.base_url)}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        words = [*COMMAND, "search", "run", *WALK, "--project", "terminal", "--most-runs", "1", *JOB]
        os.execvpe(words[0], words, environ | url | {"MISBEHAVE": "slow", "COLUMNS": "120", "TERM": "xterm"})
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    assert os.waitpid(pid, 0)[1] == 0, shown.decode()
    text = shown.decode()
    assert "val/loss" in text
    assert "forecast" in text
    assert "lr=" in text


def test_a_study_of_optuna_gets_the_runs(server: httpx.Client, call: Run, tmp_path: Path) -> None:
    named = ("--project", "study", "--search", "s", "--url", str(server.base_url))
    assert call("search", "run", *WALK, *named, "--most-runs", "1", *JOB).returncode == 0
    shared = ("search", "optuna", *named, "--storage", f"sqlite:///{tmp_path}/study.db", "--study", "st")
    first = call(*shared)
    assert first.returncode == 0, first.stderr
    assert first.stdout == "0 read into the search\n1 added to the study: s-1-1\n"
    assert call(*shared).stdout == "0 read into the search\n0 added to the study\n"
    wrong = call("search", "optuna", *named, "--storage", "nosuch://x", "--study", "st")
    assert wrong.returncode == 2
    assert "cannot be opened as an Optuna storage" in wrong.stderr
