"""Several workers on one SQLite file: those that are killed are replaced, and cost eight clients no point."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.faults.clients import Clients, open_runs, stored
from tests.server_process import process, wait_until_ready

WORKERS = 3


def workers_of(supervisor: int) -> list[int]:
    found = []
    for child in psutil.Process(supervisor).children():
        with suppress(psutil.NoSuchProcess):  # killed, and perhaps not yet buried
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child.pid)
    return found


def test_a_worker_that_is_killed_costs_no_point(tmp_path: Path) -> None:
    clients, url = Clients(), f"sqlite:///{tmp_path}/shared.db"
    with process(url, "--workers", str(WORKERS)) as (supervisor, client):
        wait_until_ready(client)
        open_runs(client)
        before = workers_of(supervisor.pid)
        assert len(before) == WORKERS
        with clients.writing([str(client.base_url)]):
            for victim in before[:2]:
                promised = len(clients.promised)
                while len(clients.promised) < promised + 100:
                    time.sleep(0.01)
                os.kill(victim, signal.SIGKILL)
            until = time.monotonic() + 30
            while len(workers_of(supervisor.pid)) < WORKERS or set(before[:2]) & set(workers_of(supervisor.pid)):
                assert time.monotonic() < until, "no worker took the place of the one that was killed"
                time.sleep(0.05)
            promised = len(clients.promised)
            while len(clients.promised) < promised + 100:
                time.sleep(0.01)
        assert set(clients.promised) <= stored(client)
        assert not clients.refused
