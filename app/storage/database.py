"""The database: its URL, its connections, its transactions, and what its errors mean."""

import math
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import InvalidInput, StorageFull, StorageUnavailable, Unavailable
from app.storage.patience import PatientConnection

_LOCK_WAIT_S = 10  # how long a transaction waits for another writer before it gives up
_STATEMENT_S = 60  # how long Postgres works on one statement, or waits for the next of an open transaction
_SILENCE_S = 65  # then it does not even say that it took too long
_GREETING_S = 10  # how long a connection may take to be made, or to answer after it was idle
_KEPT_FREE = 20  # one page in so many may stay free
_LEAST_FREE_BYTES = 1024 * 1024  # the log of a few batches; what is left then is not worth being asked for
_PAGES_AT_ONCE = 1000  # 4 MB; others write in between
_READABLE = "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded"
_UNAVAILABLE_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}


def parse_url(url: str) -> URL:
    """`sqlite:///FILE`, `postgres://…` or `postgresql://…` -> a URL with its driver. Raises InvalidInput."""
    if not url.isprintable():
        raise InvalidInput(f"the database URL holds a control character; {_READABLE}")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause: its message can hold a piece of the password.
        raise InvalidInput(f"the database URL cannot be read; {_READABLE}") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            if parsed.host or parsed.query or parsed.database in {None, "", ":memory:"}:
                raise InvalidInput("the database URL names no SQLite file; write sqlite:///FILE, without options")
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgres" | "postgresql" | "postgresql+psycopg":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise InvalidInput(f"no database of kind {other!r} is supported; {_READABLE}")


def make_engine(url: str) -> Engine:
    """An engine that has not connected yet; the caller disposes of it. Raises InvalidInput."""
    parsed = parse_url(url)
    if parsed.drivername.startswith("sqlite"):
        # The driver begins no transaction before DDL; with its own handling off, every BEGIN is ours (see _begin).
        arguments: dict[str, Any] = {"isolation_level": None, "timeout": _LOCK_WAIT_S}
        engine = create_engine(parsed, connect_args=arguments, pool_size=8, max_overflow=64, pool_timeout=_LOCK_WAIT_S)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # For the session, since a statement of its own in every transaction is a round trip. A reader waits for locks as
    # well, where a table is locked whole as by VACUUM FULL. What a frozen client holds is let go of by the last one.
    limits = {
        "lock_timeout": _LOCK_WAIT_S,
        "statement_timeout": _STATEMENT_S,
        "idle_in_transaction_session_timeout": _STATEMENT_S,
    }
    options = " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items())
    arguments = {"connect_timeout": _GREETING_S, "application_name": "curvewise", "options": options}
    engine = create_engine(
        parsed,
        connect_args={name: value for name, value in arguments.items() if name not in parsed.query},
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,  # a restarted Postgres costs no request
        pool_size=8,
        max_overflow=24,
        pool_timeout=_LOCK_WAIT_S,
    )
    event.listen(
        engine, "do_connect", lambda _dialect, _record, given, named: PatientConnection.connect(*given, **named)
    )
    event.listen(engine, "checkin", _be_patient_for(_GREETING_S))
    # Whoever sets Postgres' own limits may want statements to take longer.
    event.listen(engine, "checkout", _be_patient_for(math.inf if "options" in parsed.query else _SILENCE_S))
    return engine


def _be_patient_for(seconds: float) -> Callable[..., None]:
    def change(connection: PatientConnection | None, *_: object) -> None:
        if connection is not None:  # it was closed for good
            connection.patience_s = seconds

    return change


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # for `shrink`; a file that has tables would need VACUUM
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged point survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer half-way fails without waiting.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Transactions on one engine; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.on_sqlite = engine.dialect.name == "sqlite"
        reader = {} if self.on_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**reader)
        self._writer = engine.execution_options(writes=True)
        # SQLite's waiting writers poll and may starve; those of one process queue here instead.
        self._write_lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the database as it stands at one moment. Raises StorageUnavailable."""
        with translated(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or leaves nothing.

        Raises StorageUnavailable, StorageFull.
        """
        if self.on_sqlite:
            with self._write_lock, translated(), self._writer.begin() as connection:
                yield connection
        else:
            with translated(), self._writer.begin() as connection:
                yield connection

    def shrink(self) -> None:
        """Give back to the file system what compaction and deletion left free in a SQLite file, when it is much."""
        if not self.on_sqlite:
            return
        with self.reading() as connection:
            free, all_pages = (
                connection.exec_driver_sql(f"PRAGMA {name}_count").scalar_one() for name in ("freelist", "page")
            )
        # The rest is for what is written next: a file that shrinks and grows all the time gains nothing.
        surplus = free - all_pages // _KEPT_FREE
        while surplus > 0:
            with self._write_lock, translated(), self.engine.connect() as connection:
                # The statement takes a step a page. Only executescript takes them all, and in a transaction of its own.
                driver: Any = connection.connection.driver_connection
                driver.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
            surplus -= _PAGES_AT_ONCE

    def check_room(self) -> None:
        """Raise StorageFull when the disk of a SQLite file has hardly any room left; Postgres tells when it writes."""
        if not self.on_sqlite:
            return
        free = shutil.disk_usage(Path(self.engine.url.database or ".").absolute().parent).free
        if free < _LEAST_FREE_BYTES:
            raise StorageFull(f"the disk of the database has {free} bytes left")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Raise the database's own errors as ours where they have a meaning to a client."""
    try:
        yield
    except PoolTimeout as error:
        raise StorageUnavailable("every connection to the database is in use") from error
    except DBAPIError as error:
        if meaning := _meaning(error):
            raise meaning from error
        raise


def _meaning(error: DBAPIError) -> Unavailable | None:
    cause = error.orig
    reason = (str(cause).splitlines() or [""])[0]
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
        if code == sqlite3.SQLITE_FULL:
            return StorageFull(f"the database has no room left: {reason}")
        return StorageUnavailable(f"the database does not answer: {reason}") if code in _UNAVAILABLE_SQLITE else None
    if isinstance(cause, psycopg.errors.DiskFull):
        return StorageFull(f"the database has no room left: {reason}")
    # OperationalError: no connection, too many, shut down, deadlock, lock timeout. Read-only: a failover's standby.
    unavailable = psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction
    # Without a statement the mistake is in the URL: an option that the driver does not know.
    misnamed = error.statement is None and isinstance(cause, psycopg.ProgrammingError)
    if isinstance(cause, unavailable) or misnamed or error.connection_invalidated:
        return StorageUnavailable(f"the database does not answer: {reason}")
    return None
