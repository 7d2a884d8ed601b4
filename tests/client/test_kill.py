"""A job that is killed loses nothing: what log() returned from is in the spool."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx

from tests.client.reading import curves, described, left_in
from tests.server_process import free_port

JOB = textwrap.dedent("""
    import sys, time
    import curvewise_client as curvewise
    project, url, spool = sys.argv[1:]
    run = curvewise.start(project, "r", url=url, spool=spool)
    for step in range(2000):
        run.log(step, {"train/loss": 1 / (step + 1), "lr": 0.1})
        time.sleep(0.001)
    print("logged", flush=True)
    time.sleep(600)
""")


def killed(project: str, url: str, spool: Path) -> None:
    """A job that makes 2,000 calls a millisecond apart, and then is gone at once."""
    job = subprocess.Popen([sys.executable, "-c", JOB, project, url, str(spool)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "logged\n"
    job.send_signal(signal.SIGKILL)
    job.wait(timeout=30)
    job.stdout.close()


def sync(spool: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curvewise_client.cli", "sync", str(spool), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})


def whole(server: httpx.Client, project: str) -> None:
    found = curves(server, project)
    assert found["train/loss"] == {float(step): 1 / (step + 1) for step in range(2000)}
    assert found["lr"] == dict.fromkeys(map(float, range(2000)), 0.1)


def test_killed_while_the_server_took_its_points(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    killed(project, url, spool)
    done = sync(spool)
    assert done.returncode == 0, done.stdout + done.stderr
    whole(server, project)
    assert described(server, project)["attempt"] == 1
    assert not left_in(spool)


def test_killed_while_there_was_no_server(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    killed(project, f"http://127.0.0.1:{free_port()}", spool)
    refused = sync(spool, "--timeout", "1")
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stdout
    done = sync(spool, "--url", url)
    assert (done.returncode, done.stdout) == (0, f"{project}/r, attempt 1: 4000 points sent\n"), done.stderr
    whole(server, project)
    assert not left_in(spool)
    assert sync(spool).stdout == f"nothing waits in {spool}\n"


WORKING = textwrap.dedent("""
    import os, sys, threading
    import curvewise_client as curvewise
    url, spool = sys.argv[1:]
    run = curvewise.start(sys.argv[0], "r", url=url, spool=spool)
    def work(name):
        for step in range(10**9):
            run.log(step, {name: float(step)})
            os.write(1, b"%s %d\\n" % (name.encode(), step))
    for name in ("a", "b", "c"):
        threading.Thread(target=work, args=(name,)).start()
""")


def test_killed_at_work_every_call_that_returned_is_there(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    code = WORKING.replace("sys.argv[0]", repr(project))
    nobody = f"http://127.0.0.1:{free_port()}"
    job = subprocess.Popen([sys.executable, "-c", code, nobody, str(spool)], stdout=subprocess.PIPE)
    assert job.stdout is not None
    returned = [job.stdout.readline() for _ in range(3000)]
    job.send_signal(signal.SIGKILL)
    returned += job.stdout.readlines()
    job.wait(timeout=30)
    job.stdout.close()
    assert sync(spool, "--url", url).returncode == 0
    found = curves(server, project)
    last = {name.decode(): int(step) for name, step in (line.split() for line in returned if line.endswith(b"\n"))}
    assert sum(last.values()) > 2900
    for name, step in last.items():
        assert found[name].items() >= {float(number): float(number) for number in range(step + 1)}.items()


def test_a_torn_last_record_costs_itself(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    killed(project, f"http://127.0.0.1:{free_port()}", spool)
    segment = max(path for path in left_in(spool) if path.suffix == ".points")
    os.truncate(segment, segment.stat().st_size - 5)
    done = sync(spool, "--url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(curves(server, project)["lr"]) == [float(step) for step in range(1999)]


def test_what_was_overwritten_is_said_and_kept(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    killed(project, f"http://127.0.0.1:{free_port()}", spool)
    segment = max(path for path in left_in(spool) if path.suffix == ".points")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 255
    segment.write_bytes(content)
    done = sync(spool, "--url", url)
    assert "cannot be read from byte" in done.stderr
    taken = curves(server, project)["train/loss"]
    assert 900 < len(taken) < 1100
    assert all(value == 1 / (step + 1) for step, value in taken.items())
    assert [path.suffix for path in left_in(spool) if path.suffix in {".points", ".damaged"}] == [".damaged"]


def test_sync_says_what_it_cannot_find(tmp_path: Path) -> None:
    done = sync(tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
