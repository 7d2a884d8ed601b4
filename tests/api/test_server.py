"""A server process of its own, as it is run: several workers, killed in mid-write, stopped in mid-request."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

MAX_BODY_BYTES = 1024 * 1024


@contextmanager
def process(url: str, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server process on a free port, and a client of it; the process is gone afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {**os.environ, "CURVEWISE_DATABASE_URL": url, "CURVEWISE_MAX_BODY_BYTES": str(MAX_BODY_BYTES)}
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.api.app:create_app_from_environ", "--port", str(port)]
    server = subprocess.Popen([*command, *flags], env=environ, stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield server, client
    finally:
        server.terminate()
        server.communicate(timeout=30)


def wait_until_ready(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not get ready in 30 s")


def test_acknowledged_points_survive_kill_minus_nine(tmp_path: Path) -> None:
    url, points = f"sqlite:///{tmp_path}/killed.db", "/api/v1/projects/p/runs/r/points"
    acknowledged: list[float] = []
    with process(url) as (server, client):
        wait_until_ready(client)
        client.put("/api/v1/projects/p/runs/r")
        for step in range(50):
            body = {"curves": {"loss": {"steps": [step], "values": [step / 7]}}}
            assert client.post(points, json=body).json()["accepted"] == 1
            acknowledged.append(step / 7)
        server.kill()
    with process(url) as (_, client):
        wait_until_ready(client)
        assert client.get("/api/v1/projects/p/runs/r/curves").json()["curves"]["loss"]["values"] == acknowledged


def test_several_workers_start_on_one_new_file_and_share_it(tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/shared.db", "--workers", "3") as (_, client):
        wait_until_ready(client)
        assert client.put("/api/v1/projects/p/runs/r").status_code == 201
        for step in range(30):
            # A connection of its own, so that the operating system hands each request to any worker.
            body = {"curves": {"loss": {"steps": [step], "values": [step]}}}
            reply = httpx.post(f"{client.base_url}/api/v1/projects/p/runs/r/points", json=body, timeout=30)
            assert reply.status_code == 200, reply.text
            said = httpx.get(f"{client.base_url}/api/v1/projects/p/runs/r/diagnosis", timeout=30).json()
            assert said["through_step"] == step


def test_a_server_that_is_told_to_stop_finishes_what_it_began(tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/stopped.db") as (server, client):
        wait_until_ready(client)
        client.put("/api/v1/projects/p/runs/r")
        assert client.post("/api/v1/projects/p/runs/r/points", json={"points": [{"step": 1, "loss": 1}]}).json()
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=30)
        assert b"Traceback" not in log
        assert b"Application shutdown complete" in log


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_an_endless_body_is_answered_and_the_server_lives_on(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * MAX_BODY_BYTES

    with process(f"sqlite:///{tmp_path}/endless.db") as (server, client):
        wait_until_ready(client)
        client.put("/api/v1/projects/p/runs/r")
        before = resident_bytes(server.pid)
        assert client.post("/api/v1/projects/p/runs/r/points", content=endless()).status_code == 413
        assert client.get("/readyz").status_code == 200
        assert resident_bytes(server.pid) - before < 16 * MAX_BODY_BYTES


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_an_aborted_upload_is_no_failure_of_the_server(tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/aborted.db") as (server, client):
        wait_until_ready(client)
        client.put("/api/v1/projects/p/runs/r")
        address = (client.base_url.host, client.base_url.port or 0)
        for _ in range(5):
            with socket.create_connection(address) as connection:
                head = "POST /api/v1/projects/p/runs/r/points HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
                connection.sendall(head.encode() + b'{"curves": ')
        assert client.get("/readyz").status_code == 200
        server.terminate()
        _, log = server.communicate(timeout=30)
        assert b"Traceback" not in log


def test_a_setting_that_cannot_be_meant_stops_the_start(tmp_path: Path) -> None:
    with process("mysql://nowhere") as (server, _):
        _, log = server.communicate(timeout=60)
        assert server.returncode != 0
        assert b"InvalidInput" in log
