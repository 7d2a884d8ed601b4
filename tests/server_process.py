"""A server process of its own, as it is run: to be sent requests, signals and kills."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest

MAX_BODY_BYTES = 1024 * 1024


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def process(
    url: str, *flags: str, port: int | None = None, within: Sequence[str] = (), **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server process, and a client of it; the process is gone afterwards.

    port: a free one when not given. within: a command that runs it. settings: more of its environment.
    """
    port = port or free_port()
    environ = os.environ | {"CURVEWISE_DATABASE_URL": url, "CURVEWISE_MAX_BODY_BYTES": str(MAX_BODY_BYTES)} | settings
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.api.app:create_app_from_environ", "--port", str(port)]
    server = subprocess.Popen([*within, *command, *flags], env=environ, stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield server, client
    finally:
        server.terminate()
        server.communicate(timeout=30)


def wait_until_ready(client: httpx.Client) -> None:
    """Return when the server answers that it is ready; the test fails when it does not within 30 s."""
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("the server did not get ready in 30 s")
