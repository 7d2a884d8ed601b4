"""A server or its database is killed while eight clients write: every acknowledged point is there, without help."""

import os
import random
import signal
import sqlite3
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from app.storage.database import make_engine
from app.storage.migrate import upgrade
from tests.conftest import get_server
from tests.faults.clients import Clients, open_runs, stored
from tests.server_process import free_port, process, wait_until_ready

LONG = pytest.mark.long


def test_a_short_life(database_url: str) -> None:
    killed(database_url, kills=3)


@LONG
def test_a_hundred_lives_on_sqlite(tmp_path: Path) -> None:
    killed(f"sqlite:///{tmp_path}/killed.db", kills=100)


@LONG
def test_twenty_lives_on_postgres(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    upgrade(engine)
    engine.dispose()
    killed(postgres_url, kills=20)


def killed(url: str, kills: int) -> None:
    clients, moment, port = Clients(), random.Random(kills), free_port()
    for _ in range(kills):
        with process(url, port=port) as (server, client):
            wait_until_ready(client)
            open_runs(client)
            before = len(clients.promised)
            with clients.writing([str(client.base_url)]):
                while len(clients.promised) < before + 20:
                    time.sleep(0.01)
                time.sleep(moment.uniform(0, 0.5))
                server.kill()
                server.wait(timeout=30)
    with process(url, port=port) as (_, client):
        wait_until_ready(client)
        assert set(clients.promised) <= stored(client)
    assert len(clients.promised) >= 20 * kills
    assert not clients.refused
    if url.startswith("sqlite:///"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        file.close()


def test_a_run_written_through_two_servers_of_which_one_dies(database_url: str) -> None:
    clients = Clients()
    with process(database_url) as (one, first), process(database_url) as (_, second):
        wait_until_ready(first)
        wait_until_ready(second)
        open_runs(first)
        with clients.writing([str(first.base_url), str(second.base_url)]):
            while len(clients.promised) < 200:
                time.sleep(0.01)
            one.kill()
            one.wait(timeout=30)
            alone = len(clients.promised)
            while len(clients.promised) < alone + 100:
                time.sleep(0.01)
        assert set(clients.promised) <= stored(second)
        assert not clients.refused
        said = second.get("/api/v1/projects/p/runs/one/diagnosis").json()
        assert said["through_step"] == max(step for run, step in clients.promised if run == "one")


def test_a_postgres_that_is_killed_refuses_and_then_takes_what_is_sent_again() -> None:
    clients = Clients()
    with TemporaryDirectory(prefix="curvewise-killed-", ignore_cleanup_errors=True) as home:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            postgres = get_server(Path(home) / "data", cleanup_mode="stop")
        url = postgres.get_uri().replace("postgresql+psycopg", "postgresql")
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        with process(url) as (_, client):
            wait_until_ready(client)
            open_runs(client)
            with clients.writing([str(client.base_url)], insist=True):
                while len(clients.promised) < 50:
                    time.sleep(0.01)
                kill_all(postgres.get_pid())
                until = time.monotonic() + 30
                while not clients.refused and time.monotonic() < until:
                    time.sleep(0.01)
                assert client.get("/healthz").status_code == 200
                assert client.get("/readyz").status_code == 503
                postgres.ensure_postgres_running()
                before = len(clients.promised)
                until = time.monotonic() + 60
                while len(clients.promised) < before + 50 and time.monotonic() < until:
                    time.sleep(0.01)
            assert len(clients.promised) >= before + 50
            assert set(clients.refused) == {503}
            assert set(clients.promised) <= stored(client)
        postgres.cleanup()


def kill_all(postmaster: int) -> None:
    """Kill -9 a Postgres with all its processes."""
    processes = [psutil.Process(postmaster), *psutil.Process(postmaster).children(recursive=True)]
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)
