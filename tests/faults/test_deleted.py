"""Runs are deleted while eight clients write: they go from the file, and the others lose nothing and hardly wait."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app import upkeep
from app.settings import Settings
from app.storage.database import Database, make_engine
from app.storage.tables import metadata, projects, runs
from tests.api.conftest import serving
from tests.faults.clients import PROJECT, Clients, open_runs, stored

GONE = "/api/v1/projects/gone"
POINTS = 100_000  # more than a chunk needs to have bins


@pytest.fixture
def server_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(upkeep, "_TICK_S", 0.05)
    monkeypatch.setattr(upkeep, "_IDLE_S", 0.2)
    opened = Database(make_engine(database_url))
    yield opened
    opened.close()


def rows(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def of_runs(database: Database, ids: set[int]) -> int:
    """Rows that belong to any of these runs."""
    with database.reading() as connection:
        return sum(
            connection.execute(select(func.count()).where(table.c.run_id.in_(ids))).scalar_one()
            for table in metadata.tables.values()
            if "run_id" in table.c
        )


def test_what_is_deleted_goes_while_others_write(server_database: Database, database_url: str) -> None:
    clients = Clients()
    with serving(Settings(database_url=database_url)) as client:
        open_runs(client)
        for run in ("r", "s"):
            client.put(f"{GONE}/runs/{run}").raise_for_status()
            for first in range(0, 2 * POINTS, POINTS):
                steps = list(range(first, first + POINTS))
                sent = {"curves": {name: {"steps": steps, "values": [0.1] * POINTS} for name in ("loss", "acc")}}
                client.post(f"{GONE}/runs/{run}/points", json=sent).raise_for_status()
            client.post(f"{GONE}/runs/{run}/finish").raise_for_status()
            assert client.get(f"{GONE}/runs/{run}/diagnosis").status_code == 200
        settled(server_database)
        with server_database.reading() as connection:
            home = connection.execute(select(projects.c.id).where(projects.c.name == "gone")).scalar_one()
            ids = set(connection.execute(select(runs.c.id).where(runs.c.project_id == home)).scalars())
        assert of_runs(server_database, ids) > 8
        slowest = 0.0
        with clients.writing([str(client.base_url)]):
            while len(clients.promised) < 50:
                time.sleep(0.01)
            assert client.delete(f"{GONE}/runs/r").status_code == 204
            assert client.delete(GONE).status_code == 204
            late = client.post(f"{GONE}/runs/s/points", json={"points": [{"step": 1, "loss": 1.0}]})
            assert late.status_code == 404
            until = time.monotonic() + 30
            while rows(server_database)["projects"] > 1:
                assert time.monotonic() < until, "it was not erased within 30 s"
                began = time.monotonic()
                assert client.put(f"{PROJECT}/one").status_code == 200
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.01)
        assert of_runs(server_database, ids) == 0
        assert rows(server_database)["runs"] == 2
        assert slowest < 2
        assert not clients.refused
        assert set(clients.promised) <= stored(client)


def settled(database: Database) -> None:
    """Return when what was written has bins."""
    until = time.monotonic() + 30
    while rows(database)["bins"] < 4:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_file_gets_small_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_TICK_S", 0.05)
    file = tmp_path / "small.db"
    with serving(Settings(database_url=f"sqlite:///{file}")) as client:
        client.put(f"{GONE}/runs/r").raise_for_status()
        empty = page_count(file)
        steps = [x + 1 / 3 for x in range(POINTS)]
        sent = {"curves": {"loss": {"steps": steps, "values": [1 / (1 + x) for x in steps]}}}
        client.post(f"{GONE}/runs/r/points", json=sent).raise_for_status()
        pages = page_count(file)
        assert client.delete(GONE).status_code == 204
        until = time.monotonic() + 30
        while page_count(file) > empty + (pages - empty) / 5:
            assert time.monotonic() < until, "the file is as large as it was"
            time.sleep(0.05)
    assert file.stat().st_size == page_count(file) * 4096


def page_count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    return pages
