"""Logs cut at any byte, damaged at any byte, or made of anything: a run or a clear error, and never a wrong number."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.curves.curve import Curve
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.read import read_file
from app.importers.runs import read_path

DATA = Path(__file__).parent / "data"
FILES = sorted(
    file
    for file in DATA.rglob("*")
    if file.is_file() and file.suffix != ".py" and not {"mlruns", "plots"} & set(file.parts) and file.stem != "params"
)
FOLDERS = [DATA / "dvclive", *sorted(meta.parent for meta in (DATA / "mlflow" / "mlruns").glob("*/*/meta.yaml"))[:3]]
_CUTS = 120  # a file; every byte of one that is shorter
# Where a step or what is a point depends on the rows around it, a cut may move points: there they are not compared.
_MOVED = ("openmmlab", "keras/logs", "keras/by_batch", "transformers")


def cuts(size: int) -> list[int]:
    return sorted({*range(0, size, max(1, size // _CUTS)), *range(max(0, size - 40), size)}, reverse=True)


def runs_or_error(read: Callable[[], list[ImportedRun]]) -> list[ImportedRun]:
    try:
        return read()
    except UnreadableFile as error:
        told = error
    assert told.reason
    assert "\n" not in str(told)
    return []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(DATA).as_posix())
def test_a_file_cut_at_any_byte(file: Path, tmp_path: Path) -> None:
    torn = tmp_path / file.name
    shutil.copy(file, torn)
    whole = runs_or_error(lambda: read_file(torn))
    compared = len(whole) == 1 and not any(part in file.as_posix() for part in _MOVED)
    for size in cuts(file.stat().st_size):
        with torn.open("r+b") as opened:
            opened.truncate(size)
        runs = runs_or_error(lambda: read_file(torn))
        if compared and runs:
            check_no_wrong_number(runs[0].curves, whole[0].curves)


def check_no_wrong_number(torn: Mapping[str, Curve], whole: Mapping[str, Curve]) -> None:
    """Every point of a torn log is a point of the whole."""
    for name, curve in torn.items():
        known = whole[name]
        places = np.searchsorted(known.steps, curve.steps).clip(max=len(known) - 1)
        same = (known.steps[places] == curve.steps) & (
            (known.values[places] == curve.values) | (np.isnan(known.values[places]) & np.isnan(curve.values))
        )
        assert same.all()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name[:8])
def test_any_file_of_a_folder_cut_at_any_byte(folder: Path, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        copy = shutil.copytree(folder, tmp_path / str(number))
        torn = copy / file.relative_to(folder)
        for size in cuts(file.stat().st_size)[::4]:
            with torn.open("r+b") as opened:
                opened.truncate(size)
            runs_or_error(lambda copy=copy: [named.run for named in read_path(copy).runs])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(DATA).as_posix())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_damaged_anywhere(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    spoiled = bytearray(file.read_bytes())
    begin = data.draw(st.integers(0, len(spoiled)))
    end = data.draw(st.integers(begin, min(len(spoiled), begin + 64)))
    spoiled[begin:end] = data.draw(st.binary(max_size=64) | st.sampled_from(SPICE))
    path = tmp_path / file.name
    path.write_bytes(spoiled)
    runs_or_error(lambda: read_file(path))


SPICE = [
    b"\n",
    b",",
    b'"',
    b"nan",
    b"-inf",
    b"1e999",
    b"{",
    b"}",
    b"[",
    b"null",
    b"\0",
    b"\xff",
    b"9" * 400,
    b"\r",
    b"-1",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(
            [*SPICE, b"step", b"epoch", b"loss", b"iter", b"time", b"data_time", b"mode", b"val", b": ", b"1"]
        )
        | st.binary(max_size=8),
        max_size=40,
    )
)
def test_anything(parts: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"".join(parts))
    runs_or_error(lambda: read_file(path))


_NUMBERS = st.floats() | st.integers(-5, 2**70) | st.none() | st.sampled_from(["NaN", "x"]) | st.booleans()
_KEYS = st.sampled_from(
    [
        "step",
        "iter",
        "epoch",
        "loss",
        "time",
        "data_time",
        "mode",
        "key",
        "value",
        "train_loss",
        "n_parameters",
        "lr",
        "a",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(_KEYS, _NUMBERS | st.sampled_from(["train", "val"]), max_size=8), max_size=8))
def test_any_rows(rows: list[dict[str, object]], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    by_line = runs_or_error(lambda: read_file(path))
    path.write_text(json.dumps(rows))
    runs_or_error(lambda: read_file(path))
    path.write_text(json.dumps({"log_history": rows}))
    runs_or_error(lambda: read_file(path))
    assert all(len(curve) for run in by_line for curve in run.curves.values())
