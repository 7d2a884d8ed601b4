"""`curvewise serve` as a process: what it prints, what it refuses, how it ends."""

import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run, Start


def address_of(server: "subprocess.Popen[str]") -> str:
    line = server.stdout.readline() if server.stdout else ""
    assert line.startswith("Curvewise is at http://"), line + (server.stderr.read() if server.stderr else "")
    return line.split()[-1]


def answers(address: str) -> bool:
    """Whether the server became ready; the socket takes connections a little before the application does."""
    for _ in range(100):
        try:
            return httpx.get(f"{address}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serves_on_a_free_port_and_stops_cleanly(
    start: Start, tmp_path: Path, workers: str, stop: signal.Signals
) -> None:
    server = start("serve", "--port", "0", "--workers", workers, "--database-url", f"sqlite:///{tmp_path}/c.db")
    address = address_of(server)
    assert answers(address)
    assert httpx.put(f"{address}/api/v1/projects/p/runs/r", json={}).status_code == 201
    server.send_signal(stop)
    _, said = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in said
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/healthz")
    with sqlite3.connect(tmp_path / "c.db") as database:
        assert database.execute("SELECT name FROM runs").fetchall() == [("r",)]
    database.close()


def test_settings_come_from_the_environment_and_flags_go_before(start: Start, tmp_path: Path) -> None:
    server = start(
        "serve",
        "--port",
        "0",
        CURVEWISE_PORT="1",
        CURVEWISE_HOST="127.0.0.1",
        CURVEWISE_DATABASE_URL=f"sqlite:///{tmp_path}/environment.db",
    )
    assert answers(address_of(server))
    assert (tmp_path / "environment.db").exists()


def test_ends_with_the_process_that_holds_its_input(start: Start, tmp_path: Path) -> None:
    server = start("serve", "--port", "0", "--until-stdin-closes", "--database-url", f"sqlite:///{tmp_path}/c.db")
    assert answers(address_of(server))
    assert server.stdin
    server.stdin.close()
    assert server.wait(30) == 0


def test_a_port_in_use_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("--port", "70000"), "CURVEWISE_PORT", 2),
        (("--workers", "0"), "CURVEWISE_WORKERS", 2),
        (("--database-url", "mysql://x/y"), "mysql", 2),
        (("--database-url", "sqlite:////nowhere/at/all/c.db"), "unable to open", 1),
        (("--database-url", "postgresql://u:secret@127.0.0.1:1/d"), "does not answer", 1),
        (("--host", "192.0.2.1", "--port", "0", "--insecure"), "cannot listen", 1),
        (("--host", "0.0.0.0", "--port", "0"), "curvewise token create", 1),
    ],
)
def test_settings_that_cannot_work(run: Run, arguments: tuple[str, ...], says: str, code: int) -> None:
    done = run("serve", *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_postgres_is_refused_until_migrated(run: Run, start: Start, postgres_url: str) -> None:
    refused = run("serve", "--port", "0", "--database-url", postgres_url)
    assert refused.returncode == 1
    assert "curvewise migrate --database-url" in refused.stderr
    migrated = run("migrate", "--database-url", postgres_url)
    assert migrated.returncode == 0, migrated.stderr
    assert "upgraded from empty to" in migrated.stdout
    assert "already at revision" in run("migrate", CURVEWISE_DATABASE_URL=postgres_url).stdout
    server = start("serve", "--port", "0", "--database-url", postgres_url)
    assert answers(address_of(server))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_others_reach_asks_for_a_token(start: Start, run: Run, tmp_path: Path, workers: str) -> None:
    database = ("--database-url", f"sqlite:///{tmp_path}/c.db")
    made = run("token", "create", "--project", "p", *database)
    assert made.returncode == 0, made.stderr
    server = start("serve", "--host", "0.0.0.0", "--port", "0", "--workers", workers, *database)
    address = address_of(server).replace("0.0.0.0", "127.0.0.1")
    assert answers(address)
    opened = f"{address}/api/v1/projects/p/runs/r"
    assert httpx.put(opened).status_code == 401
    assert httpx.put(opened, headers={"Authorization": f"Bearer {made.stdout.strip()}"}).status_code == 201


def test_insecure_is_said_and_done(start: Start, tmp_path: Path) -> None:
    server = start(
        "serve", "--host", "0.0.0.0", "--port", "0", "--insecure", "--database-url", f"sqlite:///{tmp_path}/c.db"
    )
    address = address_of(server).replace("0.0.0.0", "127.0.0.1")
    assert answers(address)
    assert httpx.put(f"{address}/api/v1/projects/p/runs/r").status_code == 201
