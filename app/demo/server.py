"""A real server process of one's own, on a free loopback port."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import CurvewiseError

_SAYS = "Curvewise is at "
_STOP_S = 15


class ServerDied(CurvewiseError):
    """A server of one's own did not start, or ended before it was told to."""


@contextmanager
def running_server(database_url: str | None = None) -> Iterator[str]:
    """The address of a fresh server. However the block is left, no process stays behind.

    database_url: one that is kept; without it, the database goes away with the server.
    Raises ServerDied with what the server had to say when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="curvewise-demo-") as home, (Path(home) / "log").open("w+") as log:
        command = [sys.executable, "-m", "app.cli.main", "serve", "--host", "127.0.0.1", "--port", "0"]
        command += ["--workers", "1", "--until-stdin-closes"]
        # In its environment, and not in its words, which everybody may read: a URL may hold a password.
        environ = os.environ | {"CURVEWISE_DATABASE_URL": database_url or f"sqlite:///{home}/curvewise.db"}
        # Out of the terminal's reach: Ctrl-C goes to us alone, who then stop the server in order. Its standard
        # input is a pipe that only we hold, so that it ends even if we are killed.
        with subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environ,
            start_new_session=True,
        ) as server:
            try:
                yield _address(server, Path(home) / "log")
            finally:
                _stop(server)


def _address(server: subprocess.Popen[str], log: Path) -> str:
    line = server.stdout.readline() if server.stdout else ""
    if not line.startswith(_SAYS):
        server.wait(_STOP_S)
        raise ServerDied(f"the server did not start: {log.read_text(errors='replace').strip() or line.strip()}")
    return line.removeprefix(_SAYS).strip()


def _stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
