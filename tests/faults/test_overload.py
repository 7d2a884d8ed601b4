"""More than the server can write: what does not fit is refused at once, and what was taken is stored."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from app.storage import database
from tests.api.conftest import serving
from tests.server_process import process, wait_until_ready

RUN = "/api/v1/projects/p/runs/r"
HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process holds the write lock of the file, as a backup tool or a forgotten shell does."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        yield
        other.kill()


def batch(first: int, count: int) -> dict[str, object]:
    return {"curves": {"loss": {"steps": list(range(first, first + count)), "values": [1.0] * count}}}


def steps(client: httpx.Client) -> list[float]:
    found: list[float] = client.get(f"{RUN}/curves").json()["curves"]["loss"]["steps"]
    return found


def test_a_full_queue_refuses_at_once_and_stores_what_it_took(tmp_path: Path) -> None:
    file = tmp_path / "full.db"
    with process(f"sqlite:///{file}", CURVEWISE_QUEUE_POINTS="100") as (_, client), ThreadPoolExecutor() as elsewhere:
        wait_until_ready(client)
        client.put(RUN).raise_for_status()
        with locked(file):
            # Larger than the whole queue, but it is the first.
            huge = elsewhere.submit(httpx.post, f"{client.base_url}{RUN}/points", json=batch(0, 5000), timeout=30)
            time.sleep(0.5)
            for _ in range(10):
                began = time.monotonic()
                refused = client.post(f"{RUN}/points", json=batch(9000, 1))
                assert time.monotonic() - began < 0.5
                assert refused.status_code == 503
                assert refused.json()["type"].endswith(":overloaded")
                assert int(refused.headers["Retry-After"]) >= 1
            assert client.get("/readyz").status_code == 200
            assert client.get(f"{RUN}/diagnosis").status_code == 200
            assert not huge.done()
        assert huge.result().status_code == 200
        assert client.post(f"{RUN}/points", json=batch(5000, 1)).status_code == 200
        assert steps(client) == list(range(5001))


def test_a_file_that_another_process_locks_is_said_and_read_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LOCK_WAIT_S", 0.5)
    file = tmp_path / "locked.db"
    with serving(Settings(database_url=f"sqlite:///{file}")) as client:
        client.put(RUN).raise_for_status()
        client.post(f"{RUN}/points", json=batch(0, 10)).raise_for_status()
        with locked(file):
            for request in (
                client.build_request("POST", f"{RUN}/points", json=batch(10, 10)),
                client.build_request("PUT", RUN, json={"tags": {"a": "b"}}),
                client.build_request("DELETE", RUN),
            ):
                refused = client.send(request)
                assert refused.status_code == 503
                assert refused.json()["type"].endswith(":storage-unavailable")
                assert "locked" in refused.json()["detail"]
                assert int(refused.headers["Retry-After"]) >= 1
            assert steps(client) == list(range(10))
        assert client.post(f"{RUN}/points", json=batch(10, 10)).status_code == 200
        assert steps(client) == list(range(20))
    with closing(sqlite3.connect(file)) as left:
        assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)
