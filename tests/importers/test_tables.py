"""The tables of Keras, Lightning, timm and Ultralytics, as the libraries wrote them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.curves.roles import choose
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.read import read
from app.rules.caveats import Lie

DATA = Path(__file__).parent / "data"


def roles(run: ImportedRun) -> dict[str, str]:
    return choose(run.curves, {})


def test_keras_appends_what_a_resumed_job_logs() -> None:
    run = read(DATA / "keras" / "training.csv")
    assert run.source == "Keras CSVLogger"
    assert run.curves["val_loss"].steps.tolist() == list(range(8))
    assert roles(run) == {
        "train/loss": "loss",
        "train/accuracy": "accuracy",
        "val/loss": "val_loss",
        "val/accuracy": "val_accuracy",
    }
    assert ["mean" in caveat for caveat in run.context.caveats] == [True, False]
    assert run.context.lies == {Lie.INTERVAL_MEAN}


def test_keras_validated_every_second_epoch_has_points_there_alone() -> None:
    run = read(DATA / "keras" / "every_second.csv")
    assert run.source == "Keras CSVLogger"
    assert run.curves["loss"].steps.tolist() == list(range(6))
    assert run.curves["val_loss"].steps.tolist() == [1, 3, 5]


def test_keras_lists_in_quotes_are_no_curve(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('epoch,loss,per_class,val_loss\n0,1.0,"[0.1, 0.2]",1.1\n1,0.5,"[0.3, 0.4]",NA\n')
    assert {name: curve.steps.tolist() for name, curve in read(path).curves.items()} == {
        "loss": [0, 1],
        "val_loss": [0],
    }


def test_lightning_rows_of_train_and_validation_meet_at_their_step() -> None:
    run = read(DATA / "lightning" / "csv" / "version_0" / "metrics.csv")
    assert run.source == "Lightning CSVLogger"
    assert run.notes == ()
    assert run.curves["train_loss_step"].steps.tolist() == list(range(1, 48, 2))
    assert run.curves["val_loss"].steps.tolist() == [7, 15, 23, 31, 39, 47]
    assert run.curves["train_loss_epoch"].steps.tolist() == [7, 15, 23, 31, 39, 47]
    assert roles(run)["train/loss"] == "train_loss_step"
    assert any("train_loss_epoch are means" in caveat for caveat in run.context.caveats)
    assert run.context.lies == frozenset()  # the batches were logged as well, and they are judged


def test_lightning_means_over_epochs_alone_are_known_to_be_means(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_loss_epoch,val_loss\n0,9,1.0,\n0,9,,1.1\n1,19,0.8,\n1,19,,0.9\n")
    assert read(path).context.lies == {Lie.INTERVAL_MEAN}


def test_lightning_header_that_grew_leaves_blanks_before(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,extra,step,train_loss\n0,,0,1.0\n0,,9,0.9\n1,5.0,19,0.8\n")
    assert read(path).curves["extra"].steps.tolist() == [19]


@pytest.mark.parametrize(
    ("file", "accuracies"),
    [
        ("history.csv", {"val/accuracy": "valid/accuracy"}),
        ("train_metrics.csv", {"train/accuracy": "train_accuracy", "val/accuracy": "valid_accuracy"}),
        ("train_alone.csv", {"train/accuracy": "train/accuracy"}),
    ],
)
def test_fastai_metrics_are_of_the_data_that_was_measured(file: str, accuracies: dict[str, str]) -> None:
    run = read(DATA / "fastai" / file)
    assert run.source == "fastai history"
    assert run.context.lies == {Lie.SMOOTHED}
    found = roles(run)
    assert {role: raw for role, raw in found.items() if role.endswith("accuracy")} == accuracies
    assert found["train/loss"] == "train_loss"
    assert ("val/loss" in found) == ("val/accuracy" in found)


def test_timm_as_it_is_and_without_its_header() -> None:
    whole, resumed = read(DATA / "timm" / "summary.csv"), read(DATA / "timm" / "resumed.csv")
    assert whole.source == resumed.source == "timm summary"
    assert roles(whole) == roles(resumed)
    assert roles(resumed) == {
        "train/loss": "train_loss",
        "val/loss": "eval_loss",
        "val/accuracy": "eval_top1",
        "lr": "lr",
    }
    assert resumed.curves["eval_top1"].steps.tolist() == list(range(12, 20))
    assert any("no header" in note for note in resumed.notes)


def test_timm_rows_without_evaluation_and_headers_that_stand_again() -> None:
    run = read(DATA / "timm" / "late_evaluation.csv")
    assert run.source == "timm summary"
    assert run.curves["train_loss"].steps.tolist() == list(range(6))
    assert run.curves["eval_loss"].steps.tolist() == [2, 4]
    assert run.curves["lr"].values == pytest.approx([0.1 * 0.9**epoch for epoch in range(6)])


@pytest.mark.parametrize("row", ["0.5,2,2,50,80,0.1", "1,2,2,80,50,0.1", "1,2,2,50,80", "1,2,,50,80,0.1"])
def test_numbers_without_a_header_that_are_not_timms_are_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text(f"{row}\n{row}\n")
    with pytest.raises(UnreadableFile, match="column names should be"):
        read(path)


def test_ultralytics_detector_is_judged_by_the_sum_of_its_losses() -> None:
    run = read(DATA / "ultralytics" / "detect.csv")
    assert run.source == "Ultralytics results"
    parts = sum(run.curves[f"train/{name}_loss"].values for name in ("box", "cls", "dfl"))
    np.testing.assert_allclose(run.curves["train/loss"].values, parts)
    assert roles(run) == {"train/loss": "train/loss", "val/loss": "val/loss", "lr": "lr/pg0"}
    assert any("sum of train/box_loss, train/cls_loss, train/dfl_loss" in caveat for caveat in run.context.caveats)


def test_ultralytics_epochs_that_were_not_validated_are_left_out() -> None:
    run = read(DATA / "ultralytics" / "unvalidated.csv")
    assert run.curves["train/loss"].steps.tolist() == [1, 2, 3, 4]
    assert run.curves["val/loss"].steps.tolist() == [4]
    assert any("3 epochs" in note for note in run.notes)


def test_ultralytics_classifier_is_measured_on_validation_data() -> None:
    run = read(DATA / "ultralytics" / "classify.csv")
    assert roles(run) == {
        "train/loss": "train/loss",
        "val/loss": "val/loss",
        "val/accuracy": "val/metrics/accuracy_top1",
        "lr": "lr/pg0",
    }


def test_ultralytics_names_padded_with_spaces(tmp_path: Path) -> None:
    lines = (DATA / "ultralytics" / "detect.csv").read_text().splitlines()
    padded = "\n".join(",".join(f"{cell:>23}" for cell in line.split(",")) for line in lines) + "\n"
    (tmp_path / "results.csv").write_text(padded)
    assert read(tmp_path / "results.csv").curves.keys() == read(DATA / "ultralytics" / "detect.csv").curves.keys()


def test_the_name_of_a_file_decides_nothing(tmp_path: Path) -> None:
    for number, source in enumerate(sorted(DATA.rglob("*.csv"))):
        target = tmp_path / f"{number}.bin"
        shutil.copy(source, target)
        assert read(target).source == read(source).source != "plain columns"
