"""Postgres freezes: its connections stay and nothing comes. Nobody waits for ever, and new connections take over."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from app.settings import Settings
from app.storage import database
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from tests.api.conftest import serving

RUN = "/api/v1/projects/p/runs/r"
SERVED = "application_name = 'curvewise' AND datname = current_database()"


@pytest.fixture
def other(postgres_url: str) -> Iterator[Database]:
    if os.environ.get("CURVEWISE_TEST_POSTGRES"):
        pytest.skip("freezes processes of a Postgres on this machine")
    opened = Database(make_engine(postgres_url))
    upgrade(opened.engine)
    yield opened
    opened.close()


@contextmanager
def frozen(url: str, which: str = "true") -> Iterator[None]:
    """The server's backends do nothing, whatever is sent to them."""
    with psycopg.connect(url) as connection:
        pids = [row[0] for row in connection.execute(f"SELECT pid FROM pg_stat_activity WHERE {SERVED} AND {which}")]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_connections_that_froze_while_idle_are_replaced(
    other: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_GREETING_S", 1)
    with serving(Settings(database_url=postgres_url)) as client:
        client.put(RUN).raise_for_status()
        other.engine.dispose()  # so that no connection of this one is taken for the server's
        with frozen(postgres_url):
            began = time.monotonic()
            assert client.get("/readyz").status_code == 200
            assert client.post(f"{RUN}/points", json={"points": [{"step": 1, "loss": 1.0}]}).status_code == 200
            assert client.get(f"{RUN}/diagnosis").status_code == 200
            assert time.monotonic() - began < 10


def test_a_statement_that_froze_is_given_up(
    other: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SILENCE_S", 1.5)
    with serving(Settings(database_url=postgres_url)) as client, ThreadPoolExecutor() as elsewhere:
        client.put(RUN).raise_for_status()
        with other.writing() as connection:
            connection.execute(text("UPDATE runs SET attempt = attempt"))
            waiting = elsewhere.submit(client.post, f"{RUN}/points", json={"points": [{"step": 1, "loss": 1.0}]})
            time.sleep(0.5)
            with frozen(postgres_url, "wait_event_type = 'Lock'"):
                refused = waiting.result(timeout=20)
        assert refused.status_code == 503
        assert "nothing arrived" in refused.json()["detail"]
        assert client.post(f"{RUN}/points", json={"points": [{"step": 1, "loss": 1.0}]}).status_code == 200
        assert client.get(f"{RUN}/curves").json()["curves"]["loss"]["steps"] == [1.0]
