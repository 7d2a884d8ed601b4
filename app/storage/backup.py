"""A copy of a SQLite file that is being written to."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.errors import CurvewiseError, InvalidInput, StorageUnavailable
from app.storage.database import parse_url


class DamagedDatabase(CurvewiseError):
    """The database is not whole; what is wrong with it is in the message."""


def file_of(url: str) -> Path | None:
    """The file of a SQLite URL, whether or not it is there; None of another database. Raises InvalidInput."""
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.drivername.startswith("sqlite") else None


def sqlite_file(url: str) -> Path:
    """The file of a SQLite URL. Raises InvalidInput when it is of another database, or there is none."""
    path = file_of(url)
    if path is None:
        raise InvalidInput("only a SQLite file is backed up by this; for Postgres use pg_dump")
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    return path


def back_up(file: Path, copy: Path) -> int:
    """Write the database as it stands at one moment to `copy`, and check it; the size [bytes].

    Writers go on meanwhile. `copy` appears when it is whole and on disk, in place of an older one.
    Raises DamagedDatabase, StorageUnavailable, OSError.
    """
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    try:
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(part)) as target:
            # In one go: in pieces it would begin anew whenever somebody writes.
            source.backup(target, pages=-1)
            # One file, without a log beside it, until a server opens it.
            target.execute("PRAGMA journal_mode = DELETE")
            found = [row[0] for row in target.execute("PRAGMA quick_check")]
        if found != ["ok"]:
            raise DamagedDatabase(f"{file} is damaged: {'; '.join(found[:3])}")
        keep(part, copy)
    except sqlite3.DatabaseError as error:
        raise StorageUnavailable(f"{file} could not be copied: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return copy.stat().st_size


def keep(part: Path, file: Path) -> None:
    """Give a finished file its name; both survive a power cut."""
    for path in (part, part.absolute().parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    part.replace(file)
