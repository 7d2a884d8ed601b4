"""CSV files as frameworks write them, and as crashes leave them."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.read import read


def run_of(tmp_path: Path, text: str) -> ImportedRun:
    path = tmp_path / "metrics.csv"
    path.write_bytes(text.encode())
    return read(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiter_is_found_in_the_content(tmp_path: Path, delimiter: str, newline: str) -> None:
    rows = [["step", "train/loss", "val/loss"], ["0", "2.3", "2.4"], ["10", "1.5", "1.9"]]
    run = run_of(tmp_path, newline.join(delimiter.join(row) for row in rows) + newline)
    assert run.curves["train/loss"].steps.tolist() == [0, 10]
    assert run.curves["val/loss"].values.tolist() == [2.4, 1.9]
    assert run.notes == ()


def test_nan_and_infinity_are_data_and_blanks_are_not_measured(tmp_path: Path) -> None:
    run = run_of(tmp_path, "step,loss,acc\n0,nan,\n1,Infinity,NA\n2,-inf,0.5\n")
    np.testing.assert_array_equal(run.curves["loss"].values, [np.nan, np.inf, -np.inf])
    assert run.curves["acc"].steps.tolist() == [2]


def test_lightning_rows_of_one_step_merge(tmp_path: Path) -> None:
    run = run_of(tmp_path, "epoch,step,train_loss,val_loss\n0,49,0.9,\n0,49,,1.1\n1,99,0.5,\n1,99,,0.8\n")
    assert run.curves["train_loss"].steps.tolist() == [49, 99]
    assert run.curves["val_loss"].values.tolist() == [1.1, 0.8]
    assert run.curves["epoch"].values.tolist() == [0, 1]


def test_a_resumed_log_overwrites_its_overlap_and_says_so(tmp_path: Path) -> None:
    run = run_of(tmp_path, "step,loss\n1,9\n2,8\n3,7\n2,5\n3,4\n")
    assert run.curves["loss"].values.tolist() == [9, 5, 4]
    assert any("2 rows" in note for note in run.notes)


def test_epoch_counts_when_there_is_no_step_and_rows_when_there_is_neither(tmp_path: Path) -> None:
    by_epoch = run_of(tmp_path, "epoch,loss\n0,3\n1,2\n")
    assert by_epoch.curves["loss"].steps.tolist() == [0, 1]
    assert any("'epoch' counts as the step" in note for note in by_epoch.notes)
    by_row = run_of(tmp_path, "loss\n3\n2\n")
    assert by_row.curves["loss"].steps.tolist() == [1, 2]
    assert any("row number" in note for note in by_row.notes)


def test_padded_names_quoted_text_bom_and_index_columns(tmp_path: Path) -> None:
    run = run_of(tmp_path, '\ufeff,  step,   loss, note\n0, 1, 0.5,"a, b\nc"\n1, 2, 0.25,\n')
    assert sorted(run.curves) == ["loss"]
    assert run.curves["loss"].values.tolist() == [0.5, 0.25]


def test_decimal_commas_beside_semicolons(tmp_path: Path) -> None:
    assert run_of(tmp_path, "step;loss\n1;0,5\n2;0,25\n").curves["loss"].values.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("end", ["3,0.", "3,0.2,", "3", "3,1e-"])
def test_a_torn_last_line(tmp_path: Path, end: str) -> None:
    text = "step,loss,acc\n1,0.9,0.1\n2,0.8,0.2\n" + end
    run = run_of(tmp_path, text)
    if end == "3,0.2,":  # complete as far as anyone can tell
        assert len(run.curves["loss"]) == 3
    else:
        assert run.curves["loss"].steps.tolist() == [1, 2]
        assert any("line 4 is torn" in note for note in run.notes)


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("", "metrics.csv:", "empty"),
        (" \n\n", "metrics.csv:", "empty"),
        ("0.5,0.6\n0.4,0.5\n", ":1:", "column names should be"),
        ("a,b\nx,y\n", "metrics.csv:", "no column holds a number"),
        ("step,loss\n", "metrics.csv:", "no column holds a number"),
        ("step,loss\n1,0.5\n2,oops\n3,0.1\n", ":3:", "'oops'"),
        ("step,loss\n1,0.5\n2\n3,0.1\n", ":3:", "1 fields, but the header names 2"),
        ("step,loss\n1,0.5\n2,0.1,7", ":3:", "3 fields, but the header names 2"),
        ("step,loss\n1,0.5\n-2,0.4\n", ":3:", "a step is a finite number"),
        ("step,loss\n1,0.5\nnan,0.4\n", ":3:", "a step is a finite number"),
        ("step,loss\n1,0.5\n1e300,0.4\n", ":3:", "a step is a finite number"),
        ('step,loss\n1,"' + "x" * 200_000 + "\n", ":2:", "field larger"),
        ("\0\1\2", "metrics.csv:", "binary"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, where: str, reason: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        run_of(tmp_path, text)
    assert where in str(refused.value)
    assert reason in str(refused.value)


def test_text_beside_unknown_numbers_is_left_out_not_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path, "step,loss,version\n1,0.5,1.2\n2,0.4,1.2.3\n")
    assert run.curves["loss"].values.tolist() == [0.5, 0.4]


def test_many_rows_cross_chunk_borders_unharmed(tmp_path: Path) -> None:
    steps = np.arange(150_000)
    values = np.sqrt(steps)
    lines = [f"{s},{v!r},{'' if s % 3 else repr(v)}" for s, v in zip(steps.tolist(), values.tolist(), strict=True)]
    run = run_of(tmp_path, "step,loss,val_loss\n" + "\n".join(lines) + "\n")
    np.testing.assert_array_equal(run.curves["loss"].values, values)
    np.testing.assert_array_equal(run.curves["val_loss"].steps, steps[::3])


def test_utf_16_from_a_windows_shell(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes("step,loss\r\n1,0.5\r\n".encode("utf-16"))
    assert read(path).curves["loss"].values.tolist() == [0.5]


@pytest.mark.parametrize("name", ["missing.csv", ""])
def test_missing_files_and_directories(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match=r"No such file|Is a directory"):
        read(tmp_path / name)


def test_a_name_without_end_is_unreadable_and_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"metrics\.csv:1: field larger"):
        run_of(tmp_path, "a" * 200_000 + ",step\n1,2\n")
