import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app.errors import InvalidInput, StorageFull, StorageUnavailable
from app.storage import runs
from app.storage.database import Database, make_engine, parse_url


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sqlite:///curves.db", "sqlite+pysqlite:///curves.db"),
        ("sqlite:////var/lib/curves.db", "sqlite+pysqlite:////var/lib/curves.db"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u:p@h:5433/d?sslmode=require", "postgresql+psycopg://u:p@h:5433/d?sslmode=require"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@/d?host=/run/pg", "postgresql+psycopg://u@/d?host=/run/pg"),
    ],
)
def test_the_urls_people_write_are_read(written: str, read: str):
    assert parse_url(written).render_as_string(hide_password=False).replace("%2F", "/") == read


@pytest.mark.parametrize(
    "url",
    [
        "",
        "curves.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "sqlite://host/x.db",
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@h:port-hunter2/d",
        "postgresql+asyncpg://u:hunter2@h/d",
        "postgresql://u:hun\0ter2@[h/d",
    ],
)
def test_other_urls_are_refused_without_telling_the_password(url: str):
    with pytest.raises(InvalidInput, match="database") as refused:
        make_engine(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_committed_sqlite_transaction_is_on_disk_and_refers_only_to_what_exists(tmp_path: Path):
    with closing(Database(make_engine(f"sqlite:///{tmp_path}/x.db"))) as database, database.reading() as connection:
        settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert settings == ["wal", 2]  # 2 is FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_failed_block_leaves_nothing(database: Database):
    def stop_half_way() -> None:
        with database.writing() as connection:
            runs.lock_project(connection, "p")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        stop_half_way()
    with database.reading() as connection:
        assert runs.find_project(connection, "p") is None


def test_a_reader_sees_one_moment(database: Database):
    with database.reading() as connection:
        assert runs.list_projects(connection, limit=9, after=None) == []
        with database.writing() as writer:
            runs.lock_project(writer, "p")
        assert runs.list_projects(connection, limit=9, after=None) == []
    with database.reading() as connection:
        assert len(runs.list_projects(connection, limit=9, after=None)) == 1


def test_who_waits_too_long_for_another_process_is_told_to_try_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.storage.database._LOCK_WAIT_S", 1)
    ours, theirs = Database(make_engine(database_url)), Database(make_engine(database_url))
    with theirs.writing() as holder:
        runs.lock_project(holder, "p")
        with pytest.raises(StorageUnavailable, match="lock"), ours.writing() as connection:
            runs.lock_project(connection, "p")
    with ours.writing() as connection:
        assert runs.lock_project(connection, "p")[1] is False
    ours.close()
    theirs.close()


def test_a_reader_of_a_table_that_is_locked_whole_is_told_to_try_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.storage.database._LOCK_WAIT_S", 1)
    ours, theirs = Database(make_engine(postgres_url)), Database(make_engine(postgres_url))
    with theirs.writing() as holder:
        holder.execute(text("CREATE TABLE t (x TEXT)"))

    def read() -> None:
        with ours.reading() as connection:
            # Bounds the test: a reader that is not bounded itself would keep it for ever.
            connection.execute(text("SELECT set_config('statement_timeout', '5s', true)"))
            connection.execute(text("SELECT * FROM t"))

    with theirs.writing() as holder:
        holder.execute(text("LOCK TABLE t IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            read()
    ours.close()
    theirs.close()


def test_writers_of_one_process_wait_for_each_other(database: Database):
    entered = threading.Event()
    order = []

    def second() -> None:
        entered.set()
        with database.writing() as connection:
            order.append(runs.lock_project(connection, "p")[1])

    thread = threading.Thread(target=second)
    with database.writing() as connection:
        order.append(runs.lock_project(connection, "p")[1])
        thread.start()
        entered.wait()
        time.sleep(0.05)
    thread.join()
    assert order == [True, False]


def test_a_full_sqlite_file_says_so_and_keeps_what_it_has(tmp_path: Path):
    engine = make_engine(f"sqlite:///{tmp_path}/x.db")
    event.listen(engine, "connect", _no_room)
    database = Database(engine)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
    with pytest.raises(StorageFull, match="room"), database.writing() as connection:
        connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": "x" * 1_000_000})
    with database.writing() as connection:
        connection.execute(text("INSERT INTO t VALUES ('small')"))
    with database.reading() as connection:
        assert connection.execute(text("SELECT x FROM t")).scalars().all() == ["small"]
    database.close()


def _no_room(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA max_page_count = 10")


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path):
    database = Database(make_engine(f"sqlite:///{tmp_path}/no/such/folder/x.db"))
    with pytest.raises(StorageUnavailable, match="unable to open"), database.reading():
        pass


@pytest.mark.parametrize(("damaged_at", "says"), [(0, "not a database"), (100, "malformed")])
def test_a_damaged_sqlite_file_is_unavailable_and_says_why(tmp_path: Path, damaged_at: int, says: str):
    path = tmp_path / "x.db"
    database = Database(make_engine(f"sqlite:///{path}"))
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:damaged_at] + b"\xff" * 64 + whole[damaged_at + 64 :])
    with pytest.raises(StorageUnavailable, match=says), database.reading() as connection:
        connection.execute(text("SELECT * FROM t"))
    database.close()


def test_an_option_that_the_driver_does_not_know_is_named(postgres_url: str):
    database = Database(make_engine(f"{postgres_url}&bogus=1" if "?" in postgres_url else f"{postgres_url}?bogus=1"))
    with pytest.raises(StorageUnavailable, match="bogus"), database.reading():
        pass


def test_a_postgres_that_is_not_there_is_unavailable_and_the_password_stays_secret():
    database = Database(make_engine("postgresql://u:hunter2@127.0.0.1:1/d"))
    with pytest.raises(StorageUnavailable, match="does not answer") as refused, database.reading():
        pass
    assert "hunter2" not in str(refused.value)


def test_postgres_that_restarted_costs_no_request(postgres_url: str):
    database, admin = Database(make_engine(postgres_url)), Database(make_engine(postgres_url))
    with database.reading():
        pass
    with admin.reading() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"))
    with database.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    database.close()
    admin.close()


def test_a_connection_lost_in_a_transaction_is_unavailable(postgres_url: str):
    database, admin = Database(make_engine(postgres_url)), Database(make_engine(postgres_url))

    def lose_connection() -> None:
        with database.writing() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with admin.reading() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            connection.execute(text("SELECT 1"))

    with pytest.raises(StorageUnavailable, match="does not answer"):
        lose_connection()
    database.close()
    admin.close()


def test_a_mistake_of_ours_is_not_called_unavailable(database: Database):
    with pytest.raises(Exception, match="nowhere") as raised, database.reading() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(raised.value, StorageUnavailable)


def test_postgres_gives_up_a_statement_that_takes_for_ever(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.storage.database._STATEMENT_S", 1)
    opened = Database(make_engine(postgres_url))
    with pytest.raises(StorageUnavailable, match="statement timeout"), opened.reading() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    opened.close()
