"""The installed command, in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.main import main

COMMAND = (sys.executable, "-m", "app.cli.main")
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment without settings of whoever runs the tests, and a temporary directory that can be looked into."""
    (tmp_path / "tmp").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CURVEWISE_", "COLUMNS"))}
    return {**kept, "TMPDIR": str(tmp_path / "tmp")}


@pytest.fixture
def run(tmp_path: Path, environ: dict[str, str]) -> Run:
    """Run `curvewise ARGUMENTS` to its end."""

    def call(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environ | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `curvewise ARGUMENTS` in this process: the same entry point, without two seconds of imports."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["curvewise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def start(tmp_path: Path, environ: dict[str, str]) -> Iterator[Start]:
    """Start `curvewise ARGUMENTS`; what still runs when the test ends is killed."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str, **settings: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        with process:
            process.kill()
