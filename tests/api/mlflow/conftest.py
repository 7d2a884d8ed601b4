"""A server process of its own, and the address that MLflow's clients are given."""

from collections.abc import Iterator

import httpx
import pytest

from tests.server_process import process, wait_until_ready


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server process that all tests share."""
    with process(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db") as (_, client):
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="session")
def tracking_uri(server: httpx.Client) -> str:
    """What a job sets MLFLOW_TRACKING_URI to."""
    return f"{str(server.base_url).rstrip('/')}/mlflow"
