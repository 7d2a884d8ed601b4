"""JSON lines as home-made loops write them, and as crashes leave them."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.read import read


def run_of(tmp_path: Path, text: str) -> ImportedRun:
    path = tmp_path / "metrics.log"
    path.write_bytes(text.encode())
    return read(path)


def test_rows_with_bare_nan_nested_objects_and_nulls(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        '{"step": 0, "train": {"loss": 2.5, "acc": null}, "ok": true, "tag": "x", "list": [1]}\n'
        "\n"
        '{"step": 1, "train": {"loss": NaN, "acc": 0.5}}\n'
        '{"step": 2, "train": {"loss": "-Infinity"}}\n',
    )
    assert sorted(run.curves) == ["train/acc", "train/loss"]
    np.testing.assert_array_equal(run.curves["train/loss"].values, [2.5, np.nan, -np.inf])
    assert run.curves["train/acc"].steps.tolist() == [1]


def test_global_step_is_preferred_to_epoch(tmp_path: Path) -> None:
    run = run_of(tmp_path, '{"epoch": 1, "train/global_step": 100, "loss": 1}\n')
    assert run.curves["loss"].steps.tolist() == [100]


def test_rows_without_a_step_are_left_out_with_a_note(tmp_path: Path) -> None:
    run = run_of(tmp_path, '{"step": 1, "loss": 1}\n{"train_runtime": 3.5, "loss": 7}\n')
    assert run.curves["loss"].values.tolist() == [1]
    assert any("1 row without a step" in note for note in run.notes)


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    run = run_of(tmp_path, '{"step": 1, "loss": 1}\n{"step": 2, "lo')
    assert run.curves["loss"].values.tolist() == [1]
    assert run.notes == ("line 2 is torn: left out",)


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ('{"step": 1, "loss": 1}\n{"step": 2, "lo\n{"step": 3, "loss": 1}\n', ":2:", "Unterminated string"),
        ('{"step": 1, "loss": 1}\n[1, 2]\n', ":2:", "not a JSON object"),
        ('{"step": 1, "loss": 1}\n\0\0\0\0\n' * 2000, "", "binary"),
        ('{"step": 1, "loss": 1' + "0" * 400 + "}\n", ":1:", "larger than any float64"),
        ('{"step": 1, "loss": 1' + "0" * 9000 + "}\n", ":1:", ""),
        ('{"step": -1, "loss": 1}\n', ":1:", "a step is a finite number"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000 + "\n", ":1:", "nested too deep"),
        ('{"step": 1}\n', "", "no column holds a number"),
        ("{}\n", "", "no column holds a number"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, where: str, reason: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        run_of(tmp_path, text)
    assert where in str(refused.value)
    assert reason in str(refused.value)


def test_lone_surrogates_in_names_are_carried(tmp_path: Path) -> None:
    run = run_of(tmp_path, '{"step": 1, "loss\\ud800": 1}\n')
    assert list(run.curves) == ["loss\ud800"]
