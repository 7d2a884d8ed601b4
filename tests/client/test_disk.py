"""A disk that takes nothing: training goes on, one warning is printed, and what fits into memory is sent."""

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import curvewise_client as curvewise
from curvewise_client import spool as spooling
from tests.client.reading import curves, left_in
from tests.server_process import free_port

CALLS = 5000  # of 37 bytes each: more than the disk of these tests holds


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, mounted where this process may, else a limit on the size of its files."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield place
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    yield place
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def log_all(run: curvewise.Run, first: int = 0) -> None:
    for step in range(first, first + CALLS):
        run.log(step, {"loss": float(step)})


def test_a_full_disk_costs_nothing_while_the_process_lives(
    server: httpx.Client, url: str, project: str, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = curvewise.start(project, "r", url=url, spool=small_disk, interval_s=0.05)
    log_all(run)
    assert run.flush(20)
    log_all(run, CALLS)
    run.finish(timeout_s=20)
    assert curves(server, project) == {"loss": {float(step): float(step) for step in range(2 * CALLS)}}
    assert len(caplog.messages) <= 1  # none where the sender kept up with it
    assert not left_in(small_disk)


def test_a_full_disk_and_no_server(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = curvewise.start("p", "r", url=f"http://127.0.0.1:{free_port()}", spool=small_disk)
    log_all(run)
    run.finish(timeout_s=0)
    (full,) = [said for said in caplog.messages if "cannot be written" in said]
    assert "Training goes on" in full
    assert "CURVEWISE_SPOOL" in full
    assert "are in memory alone" in caplog.messages[-1]


def test_a_spool_that_cannot_be_made(
    server: httpx.Client, url: str, project: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    with curvewise.start(project, "r", url=url, spool=tmp_path / "file" / "spool") as run:
        log_all(run)
    assert len(curves(server, project)["loss"]) == CALLS
    assert len(caplog.messages) == 1
    assert "cannot be written" in caplog.text


def test_what_does_not_fit_into_memory_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spooling, "MOST_MEMORY_BYTES", 1000)
    (tmp_path / "file").write_text("")
    run = curvewise.start("p", "r", url=f"http://127.0.0.1:{free_port()}", spool=tmp_path / "file")
    log_all(run)
    run.finish(timeout_s=0)
    assert "what is logged now is lost" in caplog.text
    assert " calls of log() are lost" in caplog.messages[-1]


def test_the_spool_of_a_run_has_a_limit(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond it the disk is the job's, and memory holds what it can; nothing of that is lost when a server comes."""
    code = textwrap.dedent("""
        import sys
        from curvewise_client import spool as spooling
        spooling.Spool.__init__.__kwdefaults__["most_bytes"] = 100_000
        spooling.SEGMENT_BYTES = 10_000
        import curvewise_client as curvewise
        project, url, spool = sys.argv[1:]
        run = curvewise.start(project, "r", url="http://127.0.0.1:9", spool=spool)
        for step in range(10_000):
            run.log(step, {"loss": 1.0})
        run._parts.sender._server = run._parts.sender._courier._server = __import__(
            "curvewise_client.server", fromlist=["Server"]).Server(url, None)
        stored = sum(path.stat().st_size for path in run._parts.session.folder.glob("*.points"))
        run.finish(timeout_s=30)
        print(stored)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, project, url, str(spool)], capture_output=True, text=True, timeout=60, check=True
    )
    assert 90_000 < int(done.stdout) < 120_000
    assert "bytes wait to be sent, of at most 100000" in done.stderr
    assert len(curves(server, project)["loss"]) == 10_000
