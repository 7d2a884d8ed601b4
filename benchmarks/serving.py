"""Server processes to be measured: Curvewise itself, the floor beneath it, and a peer."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from app.cli.console import say


@dataclass(frozen=True)
class Server:
    """A process that answers at `url` and keeps what it stores in `folder`."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path

    def memory_mb(self) -> float:
        """Resident memory of the process and all below it [10^6 bytes]; pages that they share are counted in each."""
        parent = psutil.Process(self.process.pid)
        return float(sum(one.memory_info().rss for one in (parent, *parent.children(recursive=True)))) / 1e6

    def stop(self) -> None:
        """End it as an operator would, so that what it keeps is at rest."""
        self.process.terminate()
        self.process.wait(30)

    def stored_bytes(self) -> int:
        """The size of all files it keeps."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


Start = Callable[[int, Path], Sequence[str]]


@contextmanager
def serving(start: Start, ready: str, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """start: (port, folder) -> command. ready: a path that is answered with 200 when it serves."""
    with TemporaryDirectory(prefix="curvewise-bench-") as home:
        port = _free_port()
        command = start(port, Path(home))
        process = subprocess.Popen(
            command, env={**os.environ, **(environ or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        server = Server(f"http://127.0.0.1:{port}", process, Path(home))
        try:
            _wait(process, server.url + ready)
            yield server
        finally:
            server.stop()


def curvewise(database_url: str | None = None, workers: int = 1) -> Start:
    """The server as `curvewise serve` runs it, on a new SQLite file when no database is named."""

    def start(port: int, folder: Path) -> Sequence[str]:
        url = database_url or f"sqlite:///{folder}/curvewise.db"
        flags = ["--port", str(port), "--database-url", url, "--workers", str(workers)]
        return [sys.executable, "-m", "app.cli.main", "serve", *flags]

    return start


def floor(port: int, _folder: Path) -> Sequence[str]:
    """The same web framework and the same parsing, nothing stored."""
    flags = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parent), "floor:app", *flags]


def mlflow(port: int, folder: Path) -> Sequence[str]:
    """MLflow's tracking server on SQLite. Exits where it is not installed."""
    command = shutil.which("mlflow")
    if command is None:
        say("mlflow is not on the PATH: .venv/bin/pip install -e '.[bench]'")
        sys.exit(2)
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder)]
    return [command, "server", "--port", str(port), *store]


@contextmanager
def peak_memory_mb(server: Server) -> Iterator[list[float]]:
    """Its resident memory every few milliseconds for as long as the block lasts [10^6 bytes]."""
    seen: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            seen.append(server.memory_mb())

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        done.set()
        watching.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    sys.exit("the server did not start within a minute")


def machine() -> str:
    """What this was measured on, in a line."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")), "unknown processor"
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Python {sys.version.split()[0]}, {sys.platform}"


def _cpu_lines() -> list[str]:
    described = Path("/proc/cpuinfo")
    return described.read_text().splitlines() if described.exists() else []
