"""The server as the image runs it: all read-only but /data, nobody's user, no shell, its own health check.

There need be no container engine: a mount and a user namespace make the same of the installed package.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
_UID = "10001"
# The volume stays as it is, all else becomes read-only, and whoever starts then is no root, without capabilities.
_SEALED = (
    'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,ro,bind / && cd "$1" && shift && '
    f"for each in /tmp /dev/shm; do mountpoint -q $each && mount -o remount,ro,bind $each; done; exec unshare --user "
    f'--map-user={_UID} --map-group={_UID} "$@"'
)


def instruction(name: str) -> list[str]:
    """The words of an instruction in exec form."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    (found,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return [str(word) for word in json.loads(found[found.index("[") :])]


def settings() -> dict[str, str]:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    (found,) = (line for line in text.splitlines() if line.startswith("ENV "))
    return dict(pair.split("=", 1) for pair in shlex.split(found[4:]))


def sealed(data: Path, command: list[str]) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", _SEALED, "sh", str(data), *command]


def can_seal(data: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    touch = [sys.executable, "-c", "import os; open(os.path.expanduser('~/touched'), 'w')"]
    allowed = subprocess.run(sealed(data, ["true"]), check=False, capture_output=True)
    kept = subprocess.run(sealed(data, touch), check=False, capture_output=True)
    return allowed.returncode == 0 and b"Read-only" in kept.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    if not can_seal(tmp_path / "data"):
        pytest.skip("namespaces cannot be made here; it takes Linux, unshare and root")
    return tmp_path / "data"


def test_it_serves_with_nothing_writable_but_its_volume(data: Path) -> None:
    url = f"sqlite:///{data}/curvewise.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    token = Tokens(database).create("admin", None)[0]
    database.close()
    port = free_port()
    environ = settings() | {"CURVEWISE_DATABASE_URL": url, "CURVEWISE_PORT": str(port)}
    environ |= {"PATH": str(Path(sys.executable).parent), "HOME": "/nonexistent"}
    environ |= {"CURVEWISE_ALLOWED_HOSTS": "curves.example"}
    (program, *arguments) = instruction("CMD")
    assert program == "curvewise"
    started = subprocess.Popen(
        sealed(data, [sys.executable, "-m", "app.cli.main", *arguments]),
        env={**environ, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        stderr=subprocess.PIPE,
    )
    try:
        health = instruction("HEALTHCHECK")
        assert health[0] == "python"
        wait_until(started, [sys.executable, *health[1:]], environ)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            client.headers.update({"Authorization": f"Bearer {token}", "Host": "curves.example"})
            run = "/api/v1/projects/p/runs/r"
            points = {"curves": {"train/loss": {"steps": list(range(50)), "values": [2.0] * 49 + ["NaN"]}}}
            assert client.put(run).status_code == 201
            assert client.post(f"{run}/points", json=points).json()["accepted"] == 50
            for path, form in ((f"{run}/diagnosis", "html"), (f"{run}/diagnosis", "svg"), ("/badge/p.svg", "")):
                assert client.get(path, params={"format": form} if form else {}).status_code == 200
            page = client.get("/projects/p/runs/r", headers={"Accept": "text/html"}).text
            for script in [part.split('"')[0] for part in page.split('src="')[1:]]:
                assert client.get(script).status_code == 200
        status = Path(f"/proc/{started.pid}/status").read_text()
        assert int(status.partition("CapEff:")[2].split()[0], 16) == 0
    finally:
        started.terminate()
        _, said = started.communicate(timeout=30)
    assert started.returncode == 0, said
    assert {found.name for found in data.iterdir()} <= {"curvewise.db", "curvewise.db-wal", "curvewise.db-shm"}


def wait_until(started: "subprocess.Popen[bytes]", healthy: list[str], environ: dict[str, str]) -> None:
    until = time.monotonic() + 60
    while subprocess.run(healthy, env=environ, check=False, capture_output=True).returncode:
        assert started.poll() is None, started.stderr and started.stderr.read()
        assert time.monotonic() < until, "not healthy in time"
        time.sleep(0.2)
