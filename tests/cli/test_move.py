"""`curvewise export`, `import` and `backup`, beside a server that goes on."""

import sqlite3
import threading
from pathlib import Path

import httpx
import pytest

from app.storage import migrate
from app.storage.database import make_engine
from tests.cli.conftest import Run
from tests.server_process import process, wait_until_ready

RUN = "/api/v1/projects/p/runs/r"


def send(client: httpx.Client, first: int, count: int = 100) -> None:
    steps = list(range(first, first + count))
    curve = {"steps": steps, "values": [1 / (1 + s) for s in steps]}
    client.post(f"{RUN}/points", json={"curves": {"train/loss": curve}}).raise_for_status()


def test_a_project_moves_from_server_to_server(call: Run, database_url: str, tmp_path: Path) -> None:
    file, other = tmp_path / "p.curvewise", f"sqlite:///{tmp_path}/other.db"
    with process(database_url) as (_, client):
        wait_until_ready(client)
        client.put(RUN, json={"context": {"num_classes": 10}, "tags": {"a": "b"}}).raise_for_status()
        send(client, 0)
        exported = call("export", str(file), "--project", "p", "--database-url", database_url)
        assert (exported.returncode, exported.stdout) == (0, f"1 projects with 1 runs and 100 points are in {file}\n")
        sent = [client.get(RUN + part).json() for part in ("", "/curves", "/diagnosis")]
        again = call("export", str(file), "--database-url", database_url)
        assert again.returncode == 2
        assert "--replace" in again.stderr
        assert call("export", str(file), "--replace", "--database-url", database_url).returncode == 0
    imported = call("import", str(file), "--database-url", other)
    assert (imported.returncode, imported.stdout) == (0, "1 projects with 1 runs and 100 points were imported\n")
    with process(other) as (_, client):
        wait_until_ready(client)
        assert [client.get(RUN + part).json() for part in ("", "/curves", "/diagnosis")] == sent
        send(client, 100)
        assert call("import", str(file), "--as", "q", "--database-url", other).returncode == 0
        assert len(client.get("/api/v1/projects").json()["items"]) == 2
        taken = call("import", str(file), "--database-url", other)
        assert (taken.returncode, "already" in taken.stderr) == (2, True)
        assert client.get(RUN).json()["curves"][0]["points"] == 200
    assert sorted(path.name for path in tmp_path.iterdir() if "p.curvewise" in path.name) == ["p.curvewise"]


def test_an_exported_file_can_be_served_and_imported_after_it(call: Run, tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/a.db", tmp_path / "all.db"
    with process(url) as (_, client):
        wait_until_ready(client)
        client.put(RUN).raise_for_status()
        client.put("/api/v1/projects/other/runs/x").raise_for_status()
        send(client, 0)
        assert call("export", str(file), "--database-url", url).stdout.startswith("2 projects with 2 runs")
    with process(f"sqlite:///{file}") as (_, client):
        wait_until_ready(client)
        assert client.get(RUN).json()["curves"][0]["points"] == 100
        send(client, 100)
    ambiguous = call("import", str(file), "--as", "q", "--database-url", url)
    assert (ambiguous.returncode, "these are 2" in ambiguous.stderr) == (2, True)
    assert call("import", str(file), "--as", "q", "--project", "p", "--database-url", url).returncode == 0


def test_a_file_of_an_older_version_is_imported_and_left_as_it_is(call: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    engine = make_engine(f"sqlite:///{file}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        columns = "name, roles, params, revision, created_at"
        connection.exec_driver_sql(f"INSERT INTO projects ({columns}) VALUES ('p', '{{}}', '{{}}', 1, '2026-01-01')")
    migrate.downgrade(engine, "0001")
    engine.dispose()
    before = file.read_bytes()
    done = call("import", str(file), "--database-url", f"sqlite:///{tmp_path}/new.db")
    assert (done.returncode, done.stdout) == (0, "1 projects with 0 runs and 0 points were imported\n")
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".migrated") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("import", "nothing.db"), "there is no file nothing.db"),
        (("import", "{text}"), "not a SQLite database"),
        (("export", "{new}", "--project", "nowhere"), "there is no project 'nowhere'"),
        (("export", "no/such/folder/file"), "no/such/folder"),
        (("backup", "{new}", "--database-url", "sqlite:///nothing.db"), "there is no file nothing.db"),
        (("backup", "{new}", "--database-url", "postgresql://host/x"), "pg_dump"),
        (("import", "{text}", "--as", "a/b"), "one part of a path"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    text, new = tmp_path / "text", tmp_path / "new"
    text.write_text("hello, I am long enough to be taken for a database page by nobody at all\n" * 30)
    engine = make_engine(f"sqlite:///{tmp_path}/here.db")
    migrate.upgrade(engine)
    engine.dispose()
    monkeypatch.setenv("CURVEWISE_DATABASE_URL", f"sqlite:///{tmp_path}/here.db")
    done = call(*(one.format(text=text, new=new) for one in arguments))
    assert done.returncode in {1, 2}
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not new.exists()
    assert not (tmp_path / "new.part").exists()


def test_a_backup_is_whole_while_a_job_writes(call: Run, tmp_path: Path) -> None:
    file, copy = tmp_path / "curvewise.db", tmp_path / "copy.db"
    stop = threading.Event()
    with process(f"sqlite:///{file}") as (_, client):
        wait_until_ready(client)
        client.put(RUN).raise_for_status()
        send(client, 0)

        def write() -> None:
            first = 100
            while not stop.is_set():
                send(client, first)
                first += 100

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                done = call("backup", str(copy), "--replace", "--database-url", f"sqlite:///{file}")
                assert done.returncode == 0, done.stderr
        finally:
            stop.set()
            writer.join()
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        points = connection.execute("SELECT sum(points) FROM chunks").fetchone()[0]
    connection.close()
    assert points > 0
    assert points % 100 == 0
    refused = call("backup", str(copy), "--database-url", f"sqlite:///{file}")
    assert (refused.returncode, "exists" in refused.stderr) == (2, True)
    with process(f"sqlite:///{copy}") as (_, client):
        wait_until_ready(client)
        assert client.get(RUN).json()["curves"][0]["points"] == points


@pytest.mark.parametrize("command", ["backup", "export"])
def test_a_file_that_a_server_has_open_is_not_replaced(call: Run, tmp_path: Path, command: str) -> None:
    url, other = f"sqlite:///{tmp_path}/curvewise.db", tmp_path / "other.db"
    with process(url) as (_, client):
        wait_until_ready(client)
        client.put(RUN).raise_for_status()
        send(client, 0)
        itself = call(command, str(tmp_path / "curvewise.db"), "--replace", "--database-url", url)
        assert (itself.returncode, "is the database itself" in itself.stderr) == (2, True)
        assert call(command, str(other), "--database-url", url).returncode == 0
        with process(f"sqlite:///{other}") as (server, served):
            wait_until_ready(served)
            send(served, 100)
            refused = call(command, str(other), "--replace", "--database-url", url)
            assert (refused.returncode, "other.db-wal is beside it" in refused.stderr) == (2, True)
            # What a server that is killed leaves in its log is of the old file, and would be put into the new one.
            server.kill()
            server.wait(timeout=30)
            assert call(command, str(other), "--replace", "--database-url", url).returncode == 2
        with process(f"sqlite:///{other}") as (_, served):
            wait_until_ready(served)
            assert served.get(RUN).json()["curves"][0]["points"] == 200
        assert call(command, str(other), "--replace", "--database-url", url).returncode == 0
        send(client, 100)
        assert client.get(RUN).json()["curves"][0]["points"] == 200


def test_a_damaged_database_is_not_taken_for_a_backup(call: Run, tmp_path: Path) -> None:
    file, copy = tmp_path / "curvewise.db", tmp_path / "copy.db"
    engine = make_engine(f"sqlite:///{file}")
    migrate.upgrade(engine)
    engine.dispose()
    torn = bytearray(file.read_bytes())
    torn[4096:] = b"\x07" * (len(torn) - 4096)
    file.write_bytes(torn)
    copy.write_bytes(b"the one before")
    done = call("backup", str(copy), "--replace", "--database-url", f"sqlite:///{file}")
    assert done.returncode == 1
    assert "damaged" in done.stderr or "could not be copied" in done.stderr
    assert copy.read_bytes() == b"the one before"
