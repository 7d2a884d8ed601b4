"""A server process of its own, as it is run: several workers, killed in mid-write, stopped in mid-request."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server_process import MAX_BODY_BYTES, process, wait_until_ready


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


def processes_below(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads processes from /proc")
def test_workers_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/orphans.db", "--workers", "2") as (server, client):
        wait_until_ready(client)
        workers = processes_below(server.pid)
        assert len(workers) >= 2
        server.kill()
        server.wait(timeout=30)
        until = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until, "a worker outlived its supervisor"
            time.sleep(0.1)


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
                head = "POST /api/v1/projects/p/runs/r/points HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 900000\r\n\r\n"
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
