"""A real server in a thread, and clients that speak HTTP to it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from app.api.app import create_app
from app.settings import Settings

MAX_BODY_BYTES = 256 * 1024


def serving(settings: Settings) -> AbstractContextManager[httpx.Client]:
    """A client of a server for these settings; both are gone afterwards."""
    return serving_app(create_app(settings))


@contextmanager
def serving_app(app: FastAPI) -> Iterator[httpx.Client]:
    """The same for an app that is made already."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as client:
            while thread.is_alive() and not server.started:  # then its tables are made
                time.sleep(0.01)
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server on SQLite that all tests share, with a small limit for bodies."""
    url = f"sqlite:///{tmp_path_factory.mktemp('api')}/api.db"
    with serving(Settings(database_url=url, max_body_bytes=MAX_BODY_BYTES)) as opened:
        yield opened


@pytest.fixture
def client_on_each(database_url: str) -> Iterator[httpx.Client]:
    """A client of a server with nothing in it, once on SQLite and once on Postgres."""
    with serving(Settings(database_url=database_url, max_body_bytes=MAX_BODY_BYTES)) as opened:
        yield opened


@pytest.fixture
def project() -> str:
    """The path of a project that no other test uses."""
    return f"/api/v1/projects/{uuid4().hex}"


@pytest.fixture
def run(client: httpx.Client, project: str) -> str:
    """The path of an open run in it."""
    assert client.put(f"{project}/runs/r").status_code == 201
    return f"{project}/runs/r"


@pytest.fixture
def run_on_each(client_on_each: httpx.Client) -> str:
    """The path of an open run, once on SQLite and once on Postgres."""
    path = "/api/v1/projects/p/runs/r"
    assert client_on_each.put(path).status_code == 201
    return path
