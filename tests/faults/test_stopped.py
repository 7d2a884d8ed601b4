"""A server is told to stop while eight clients write: what was acknowledged is there, and new work is refused."""

import signal
import time
from pathlib import Path

import pytest

from tests.faults.clients import Clients, open_runs, stored
from tests.server_process import free_port, process, wait_until_ready


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_under_load(tmp_path: Path, stop: signal.Signals) -> None:
    url, clients, port = f"sqlite:///{tmp_path}/stopped.db", Clients(), free_port()
    with process(url, port=port) as (server, client):
        wait_until_ready(client)
        open_runs(client)
        with clients.writing([str(client.base_url)]):
            while len(clients.promised) < 100:
                time.sleep(0.01)
            server.send_signal(stop)
            server.wait(timeout=30)
            promised = len(clients.promised)
            time.sleep(0.2)
        assert len(clients.promised) == promised
        assert clients.broken
    assert set(clients.refused) <= {503}
    with process(url, port=port) as (_, client):
        wait_until_ready(client)
        assert set(clients.promised) <= stored(client)
