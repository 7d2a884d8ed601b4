"""Records go to the end of a file without letting go of the interpreter, and every failure of the disk is an error."""

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curvewise_client import appending
from curvewise_client.appending import Appended

RECORD = bytes(range(100))


@pytest.fixture(params=["kept", "let go"])
def _interpreter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of writing: the second is what an interpreter without ctypes has."""
    if request.param == "let go":
        monkeypatch.setattr(appending, "_write", None)
    else:
        assert appending._write is not None


@contextmanager
def file_size_limit(most_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_interpreter")
def test_what_is_appended_is_in_the_file(tmp_path: Path) -> None:
    file = Appended(tmp_path / "f")
    file.extend(bytearray(b"memory"))
    for number in range(10):
        file.append(bytes([number, 0]) * (number + 1))  # NUL ends no record
    file.close()
    expected = b"memory" + b"".join(bytes([number, 0]) * (number + 1) for number in range(10))
    assert (tmp_path / "f").read_bytes() == expected
    with pytest.raises(FileExistsError):
        Appended(tmp_path / "f")


@pytest.mark.usefixtures("_interpreter")
def test_a_file_that_may_not_grow_is_an_error(tmp_path: Path) -> None:
    file = Appended(tmp_path / "f")
    with file_size_limit(250):
        file.append(RECORD)
        file.append(RECORD)
        with pytest.raises(OSError, match="No space left"):  # half of it was written
            file.append(RECORD)
        with pytest.raises(OSError, match="too large"):
            file.append(RECORD)
    file.close()
    assert (tmp_path / "f").read_bytes() == (RECORD * 3)[:250]


@pytest.mark.usefixtures("_interpreter")
def test_a_file_that_others_truncate_or_remove_is_no_signal(tmp_path: Path) -> None:
    """With a mapped file each of these would end the job."""
    file = Appended(tmp_path / "f")
    file.append(RECORD)
    os.truncate(tmp_path / "f", 0)
    file.append(RECORD)
    assert (tmp_path / "f").read_bytes() == RECORD
    (tmp_path / "f").unlink()
    file.append(RECORD)
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.append(RECORD)


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="nobody waits for an interpreter here")
def test_other_threads_do_not_take_the_interpreter_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "_SLOW_S", 60.0)  # on a busy machine every disk is slow
    write = appending._write
    assert write is not None
    file = Appended(tmp_path / "f")
    usual, turns, going = sys.getswitchinterval(), 0, True

    def want_it_always() -> None:
        nonlocal turns
        while going:
            turns += 1
            time.sleep(0)  # lets go, and wants it back at once

    def turns_during(appends: int) -> int:
        before = turns
        for _ in range(appends):
            file.append(RECORD)
        return turns - before

    sys.setswitchinterval(30)  # nobody is made to let go; who does, does so by itself
    worker = threading.Thread(target=want_it_always)
    worker.start()
    try:
        while not turns:
            time.sleep(0.001)
        kept = turns_during(50)
        monkeypatch.setattr(appending, "_write", None)
        # A write that is over at once may be over before anybody else wakes: so it is tried until somebody does.
        let_go = next((taken for _ in range(1000) if (taken := turns_during(50))), 0)
    finally:
        going = False
        sys.setswitchinterval(usual)
        worker.join()
        file.close()
    assert kept == 0
    assert let_go > 0


def test_a_slow_disk_is_waited_for_by_one_thread_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = appending._write
    assert write is not None
    kept = []

    def slow(file: int, record: bytes, size: int) -> int:
        kept.append(record)
        time.sleep(2 * appending._SLOW_S)
        return write(file, record, size)

    monkeypatch.setattr(appending, "_write", slow)
    monkeypatch.setattr(appending, "_PATIENCE_S", 0.2)
    file = Appended(tmp_path / "f")
    for _ in range(10):
        file.append(RECORD)
    time.sleep(0.25)
    file.append(RECORD)
    file.close()
    assert 2 <= len(kept) < 11  # once at first, and again after a while
    assert (tmp_path / "f").read_bytes() == RECORD * 11
