"""The disk is full: a clear answer, readers go on, and so do writers when there is room again."""

import errno
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from app.settings import Settings
from tests.api.conftest import serving
from tests.server_process import process, wait_until_ready

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


# A small file system of the server's own, which ends with it; no privilege is needed where name spaces may be made.
PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")
SMALL = 'mount -t tmpfs -o size=4m curvewise "$1" && shift && exec "$@"'


def can_have_a_private_disk(folder: Path) -> bool:
    try:
        tried = subprocess.run([*PRIVATE, "sh", "-c", SMALL, "sh", folder, "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def test_a_disk_that_somebody_else_fills(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not can_have_a_private_disk(disk):
        pytest.skip("no file system may be mounted here")
    many = {"curves": {"loss": {"steps": [x + 0.5 for x in range(20_000)], "values": [1 / 3] * 20_000}}}
    within = (*PRIVATE, "sh", "-c", SMALL, "sh", str(disk))
    with process(f"sqlite:///{disk}/full.db", within=within) as (server, client):
        wait_until_ready(client)
        client.put(RUN).raise_for_status()
        assert client.post(f"{RUN}/points", json={"points": [{"step": 1, "loss": 1.0}]}).status_code == 200
        rubbish = Path(f"/proc/{server.pid}/root{disk}/rubbish")
        fill_up(rubbish)
        for _ in range(2):
            refused = client.post(f"{RUN}/points", json=many)
            assert refused.status_code == 507, refused.text
            assert refused.json()["type"].endswith("storage-full")
            assert int(refused.headers["Retry-After"]) >= 1
            assert client.get(f"{RUN}/curves").json()["curves"] == {"loss": {"steps": [1.0], "values": [1.0]}}
            assert client.get(f"{RUN}/diagnosis").status_code == 200
            unready = client.get("/readyz")
            assert unready.status_code == 507
            assert "bytes left" in unready.json()["detail"]
        rubbish.unlink()
        assert client.get("/readyz").status_code == 200
        assert client.post(f"{RUN}/points", json=many).json()["accepted"] == 20_000
        assert len(client.get(f"{RUN}/curves").json()["curves"]["loss"]["steps"]) == 20_001


def fill_up(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as rubbish:
        try:
            while True:
                rubbish.write(b"\xff" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
