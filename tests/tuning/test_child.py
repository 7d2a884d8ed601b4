"""Children of a walk: real processes, real signals."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.tuning.child import Child

Start = Callable[[str], Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Run a Python program as a child; what still runs afterwards is killed."""
    started = []

    def call(program: str) -> Child:
        started.append(Child([sys.executable, "-c", program], os.environ, tmp_path / "log"))
        return started[-1]

    yield call
    for child in started:
        child.stop(0)
        ended(child)


def ended(child: Child) -> int:
    begun = time.monotonic()
    while (code := child.poll()) is None:
        assert time.monotonic() - begun < 20, "it did not end"
        time.sleep(0.01)
    return code


def until(seen: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not seen():
        assert time.monotonic() - begun < 20, "it did not come about"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_tells_its_exit_code_and_what_it_printed(start: Start) -> None:
    child = start("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    assert ended(child) == 3
    assert child.poll() == 3
    assert sorted(child.tail()) == ["one", "two"]
    assert child.tail(1) in (["one"], ["two"])


def test_a_child_that_does_not_listen_is_killed_after_the_grace(start: Start, tmp_path: Path) -> None:
    child = start("import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)")
    until(lambda: (tmp_path / "log").read_text() == "up\n")
    child.stop(0.2)
    assert child.poll() is None
    assert ended(child) == -9


def test_a_child_that_is_told_again_to_stop_is_killed_sooner(start: Start, tmp_path: Path) -> None:
    child = start("import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)")
    until(lambda: (tmp_path / "log").read_text() == "up\n")
    child.stop(60)
    child.stop(0)
    assert ended(child) == -9


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_a_child_started_ends_with_it(start: Start, tmp_path: Path) -> None:
    grandchild = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    child = start(grandchild)
    assert ended(child) == 0
    pid = int((tmp_path / "log").read_text())
    until(lambda: not alive(pid))


def test_a_program_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing-here"):
        Child(["./nothing-here"], os.environ, tmp_path / "log")
