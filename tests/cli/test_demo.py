"""`curvewise demo`: it ends by itself, tells what the server said, and leaves nothing behind."""

import os
import signal
import threading
from pathlib import Path

import httpx
import pytest

from app.demo.replay import PROJECT, diagnoses, recorded_runs, stream
from app.demo.server import ServerDied, running_server
from tests.cli.conftest import Run, Start


def test_the_demo_ends_by_itself_with_a_row_for_every_run(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--speed", "1000", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    for recorded in recorded_runs():
        assert recorded.name in done.stdout
    for code in range(1, 10):
        assert f"CW00{code}" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_healthy_runs_need_nothing_and_every_other_gets_one_finding_of_its_own() -> None:
    with running_server() as address:
        stream(address, recorded_runs(), 1000, lambda *_: None)
        found = {diagnosis.run: [f.rule for f in diagnosis.findings] for diagnosis in diagnoses(address)}
        stored = httpx.get(f"{address}/api/v1/projects/{PROJECT}/runs/mlp-rate-3.0/curves").json()
    assert [run for run, rules in found.items() if not rules] == ["mlp-cosine", "mlp-step-decay", "mlp-warmup-linear"]
    assert len({rules[0] for rules in found.values() if rules}) == 9
    assert "NaN" in stored["curves"]["train/loss"]["values"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["streaming", "serving"])
def test_stopping_the_demo_leaves_no_process_and_no_file(
    start: Start, tmp_path: Path, stop: signal.Signals, when: str
) -> None:
    demo = start("demo", "--serve", "--speed", "1000" if when == "serving" else "0.1")
    assert demo.stderr
    address = demo.stderr.readline().split(" is at ")[1].split(";")[0]
    assert httpx.get(f"{address}/healthz", timeout=30).status_code == 200
    if when == "serving":
        while "still serving" not in (line := demo.stderr.readline()):
            assert line
    demo.send_signal(stop)
    demo.communicate(timeout=60)
    assert demo.returncode == (0 if when == "serving" else 130)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/healthz")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_killing_the_demo_takes_its_server_along(start: Start) -> None:
    demo = start("demo", "--serve", "--speed", "0.1")
    assert demo.stderr
    address = demo.stderr.readline().split(" is at ")[1].split(";")[0]
    assert httpx.get(f"{address}/healthz", timeout=30).status_code == 200
    demo.kill()
    demo.wait()
    gone = threading.Event()
    for _ in range(100):
        try:
            httpx.get(f"{address}/healthz", timeout=5)
        except httpx.TransportError:
            gone.set()
            break
        gone.wait(0.1)
    assert gone.is_set()


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURVEWISE_MAX_BODY_BYTES", "lots")
    with pytest.raises(ServerDied, match="CURVEWISE_MAX_BODY_BYTES"), running_server():
        raise AssertionError("unreachable")


def test_a_server_that_goes_away_is_noticed() -> None:
    with pytest.raises(ServerDied), running_server() as address:  # noqa: PT012 - the server lives in the block
        pid = next(
            int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_child_server(entry)
        )
        os.kill(pid, signal.SIGKILL)
        stream(address, recorded_runs(), 1000, lambda *_: None)


def _is_child_server(process: Path) -> bool:
    try:
        parent = int(process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
        return parent == os.getpid() and b"--until-stdin-closes" in process.joinpath("cmdline").read_bytes()
    except OSError:
        return False
