"""The disk is full: a clear answer, readers go on, and so do writers when there is room again."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from app.settings import Settings
from tests.api.conftest import serving

RUN = "/api/v1/projects/p/runs/r"
NO_LIMIT = 2**30


@pytest.fixture
def limit_pages() -> Iterator[Callable[[int], None]]:
    """Sets how many pages the SQLite files of this process may have: what a full disk looks like from inside."""
    most = NO_LIMIT

    def limit(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {most}")

    def change(pages: int) -> None:
        nonlocal most
        most = pages

    event.listen(Pool, "checkout", limit)
    yield change
    event.remove(Pool, "checkout", limit)


def test_a_full_disk_is_said_and_reads_and_later_writes_go_on(
    tmp_path: Path, limit_pages: Callable[[int], None]
) -> None:
    file = tmp_path / "full.db"
    many = {"curves": {"loss": {"steps": [x + 0.5 for x in range(20_000)], "values": [1 / 3] * 20_000}}}
    with serving(Settings(database_url=f"sqlite:///{file}")) as client:
        client.put(RUN)
        assert client.post(f"{RUN}/points", json={"points": [{"step": 1, "loss": 1.0}]}).status_code == 200
        with sqlite3.connect(file) as other:
            (pages,) = other.execute("PRAGMA page_count").fetchone()
        other.close()
        limit_pages(pages)
        refused = client.post(f"{RUN}/points", json=many)
        assert refused.status_code == 507
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"].endswith("storage-full")
        assert client.get(f"{RUN}/curves").json()["curves"] == {"loss": {"steps": [1.0], "values": [1.0]}}
        assert client.get(f"{RUN}/diagnosis").status_code == 200
        limit_pages(NO_LIMIT)
        assert client.post(f"{RUN}/points", json=many).json()["accepted"] == 20_000
        assert len(client.get(f"{RUN}/curves").json()["curves"]["loss"]["steps"]) == 20_001
