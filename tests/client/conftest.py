"""A real server process to send to, and a job's surroundings that no test of another run has touched."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.stub import RUN, Answer, Request, Stub, stub
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


@pytest.fixture
def judging() -> Iterator[tuple[Stub, Callable[..., None]]]:
    said: dict[str, Any] = {"diagnosis": {"verdicts": [], "through_step": 0.0}, "number": 0}

    def answer(request: Request) -> Answer:
        if request.path.endswith("/diagnosis"):
            return Answer(200, said["diagnosis"], {"ETag": f'"{said["number"]}"'})
        if "/attempts/" in request.path:
            return Answer(200, {"attempt": 1})
        return Answer(200, RUN)

    def found(through_step: float, *findings: dict[str, Any]) -> None:
        said["diagnosis"] = {"verdicts": list(findings), "through_step": through_step}
        said["number"] += 1

    with stub(answer) as serving:
        yield serving, found


@pytest.fixture
def run(judging: tuple[Stub, Callable[..., None]]) -> Iterator[curvewise.Run]:
    with curvewise.start("p", "r", url=judging[0].url, planned_steps=200, interval_s=0.05) as opened:
        yield opened


@pytest.fixture
def found(judging: tuple[Stub, Callable[..., None]]) -> Callable[..., None]:
    return judging[1]
