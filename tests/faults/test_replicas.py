"""Replicas behind a balancer: one dies and is replaced, and clients see no more than a 502 that they send again."""

import time
from collections.abc import Callable

import httpx

from app.storage.database import make_engine
from app.storage.migrate import upgrade
from tests.faults.balancer import Balancer
from tests.faults.clients import PROJECT, Clients, open_runs, stored
from tests.server_process import free_port, process, wait_until_ready


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_replica_that_is_killed_and_replaced_costs_no_point(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    upgrade(engine)
    engine.dispose()
    clients, ports = Clients(), (free_port(), free_port())
    balancer = Balancer(ports)
    with process(postgres_url, port=ports[0]) as (one, first), process(postgres_url, port=ports[1]) as (_, second):
        wait_until_ready(first)
        wait_until_ready(second)
        with balancer.serving() as address, httpx.Client(base_url=address, timeout=30) as anybody:
            open_runs(anybody)
            with clients.writing([address], insist=True):
                wait_until(lambda: min(balancer.answered[port] for port in ports) > 100)
                one.kill()
                one.wait(timeout=30)
                alone = balancer.answered[ports[1]]
                wait_until(lambda: balancer.answered[ports[1]] > alone + 100)
                before = balancer.answered[ports[0]]
                with process(postgres_url, port=ports[0]) as (_, replacement):
                    wait_until_ready(replacement)
                    wait_until(lambda: balancer.answered[ports[0]] > before + 100)
                    assert set(clients.promised) <= stored(anybody)
            assert clients.broken == 0
            assert set(clients.refused) <= {502, 503}
            # Each client had one request under way in the replica that died, and one in the one that was stopped.
            assert clients.refused.total() <= 2 * 8
            assert set(clients.promised) <= stored(anybody)
            assert stored(anybody) == stored(second)
            for run in ("one", "two"):
                said = anybody.get(f"{PROJECT}/{run}/diagnosis").json()
                assert said["through_step"] == max(step for other, step in clients.promised if other == run)
