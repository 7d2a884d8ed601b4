"""A real server process to send to, and a job's surroundings that no test of another run has touched."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server_process import process, wait_until_ready


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that all these tests share, each with a project of its own."""
    folder = tmp_path_factory.mktemp("server")
    with process(f"sqlite:///{folder}/curvewise.db") as (_, client):
        wait_until_ready(client)
        yield client


@pytest.fixture
def url(server: httpx.Client) -> str:
    return str(server.base_url).rstrip("/")


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project that only this test writes to."""
    return f"{request.module.__name__.rpartition('.')[2]}-{request.node.name}"[:100].replace("/", "-")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No launcher's ranks, and nothing of the person who runs the tests."""
    for name in ("URL", "TOKEN", "SPOOL", "DISABLED"):
        monkeypatch.delenv(f"CURVEWISE_{name}", raising=False)
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
