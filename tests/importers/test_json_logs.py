"""The JSON of Transformers, OpenMMLab and DETR's descendants, and documents of plain lists."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from app.curves.roles import choose
from app.errors import UnreadableFile
from app.importers.read import read
from app.rules.caveats import Lie

DATA = Path(__file__).parent / "data"


def test_a_trainer_state() -> None:
    run = read(DATA / "transformers" / "run" / "trainer_state.json")
    assert run.source == "Transformers trainer state"
    assert run.curves["loss"].steps.tolist() == [5, 10, 15, 20, 25, 30]
    assert choose(run.curves, {}) == {
        "train/loss": "loss",
        "val/loss": "eval_loss",
        "lr": "learning_rate",
        "epoch": "epoch",
    }
    assert "train_loss" not in run.curves  # the mean over the whole run, which is no point
    assert (run.state, run.context.planned_steps) == ("finished", 30)
    assert "mean over the 5 steps" in run.context.caveats[0]
    assert "logging_nan_inf_filter" in run.context.caveats[1]
    assert run.context.lies == {Lie.INTERVAL_MEAN, Lie.NON_FINITE_HIDDEN}


def test_a_trainer_state_of_a_checkpoint_is_of_a_job_that_goes_on() -> None:
    run = read(DATA / "transformers" / "run" / "checkpoint-20" / "trainer_state.json")
    assert run.state == "running"
    assert run.curves["eval_loss"].steps.tolist() == [5, 10, 15, 20]


def test_bare_nan_in_a_trainer_state() -> None:
    run = read(DATA / "transformers" / "nan" / "trainer_state.json")
    np.testing.assert_array_equal(run.curves["loss"].values, [math.nan, math.nan])
    assert Lie.NON_FINITE_HIDDEN not in run.context.lies  # it was not: the filter was off


def test_a_trainer_state_says_by_its_losses_what_was_done_to_them(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    rows = [{"step": step, "loss": loss} for step, loss in enumerate((2.3026, 1.71, 0.0021), 1)]
    path.write_text(json.dumps({"log_history": rows, "logging_steps": 1}))
    assert read(path).context.lies == {Lie.NON_FINITE_HIDDEN, Lie.ROUNDED}  # of single updates, as versions before 5 do
    path.write_text(json.dumps({"log_history": [{"step": 10, "eval_loss": 2.0}]}))
    assert read(path).context.lies == frozenset()


def test_a_torn_trainer_state_says_where(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text((DATA / "transformers" / "run" / "trainer_state.json").read_text()[:900])
    with pytest.raises(UnreadableFile, match=r"trainer_state\.json:\d+: .*column"):
        read(path)


def test_openmmlab_validation_by_epoch_stands_at_its_iteration() -> None:
    run = read(DATA / "openmmlab" / "by_epoch.json")
    assert run.source == "OpenMMLab log"
    assert run.curves["loss"].steps.tolist() == [4, 8, 14, 18, 24, 28, 34, 38, 44, 48]
    assert run.curves["val/accuracy/top1"].steps.tolist() == [10, 20, 30, 40, 50]
    assert choose(run.curves, {})["val/accuracy"] == "val/accuracy/top1"
    assert not {"time", "data_time"} & run.curves.keys()
    assert len(run.context.caveats) == 2


def test_openmmlab_validation_by_iteration_stays_where_it_is() -> None:
    run = read(DATA / "openmmlab" / "by_iteration.json")
    assert run.curves["val/accuracy/top1"].steps.tolist() == [20, 40, 50]
    assert len(run.context.caveats) == 1


def test_mmcv_iterations_that_begin_anew_with_each_epoch_are_counted_on() -> None:
    run = read(DATA / "openmmlab" / "mmcv.log.json")
    assert run.source == "OpenMMLab log"
    assert run.curves["loss"].steps.tolist() == [4, 8, 12, 16, 20, 24, 28, 32]
    assert run.curves["val/loss"].steps.tolist() == [8, 16, 24, 32]
    assert choose(run.curves, {})["val/loss"] == "val/loss"


def test_detr() -> None:
    run = read(DATA / "detr" / "log.txt")
    assert run.source == "DETR-style log.txt"
    assert choose(run.curves, {}) == {"train/loss": "train_loss", "val/loss": "test_loss", "lr": "train_lr"}
    assert "n_parameters" not in run.curves
    assert len(run.context.caveats) == 2


@pytest.mark.parametrize(
    "document",
    [
        [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}],
        {"step": [1, 2], "loss": [2.0, 1.0]},
        {"history": {"step": [1, 2], "loss": [2.0, 1.0]}, "params": {"epochs": 2}},
        {"log_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, 7]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_documents(tmp_path: Path, document: object, indent: int | None) -> None:
    path = tmp_path / "history"
    path.write_text(json.dumps(document, indent=indent))
    run = read(path)
    assert run.curves["loss"].steps.tolist() == [1, 2]
    assert run.curves["loss"].values.tolist() == [2, 1]


@pytest.mark.parametrize("text", ['{\n"a": 1}', "[1, 2]", "[[1]]", "[]", '{\n"a": "b"\n}', "[" * 100_000])
def test_other_documents_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UnreadableFile):
        read(tmp_path / "file")


def test_rows_that_name_their_split_or_are_one_point_each(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        '{"step": 1, "mode": "train", "loss": 2}\n{"step": 1, "mode": "val", "loss": 3}\n'
        '{"step": 2, "key": "train/lr", "value": 0.1}\n{"step": 3, "mode": "fast", "acc": 1}\n'
    )
    run = read(path)
    assert {name: curve.values.tolist() for name, curve in run.curves.items()} == {
        "train/loss": [2],
        "val/loss": [3],
        "train/lr": [0.1],
        "acc": [1],
    }


def test_rows_that_name_an_epoch_alone_stand_at_the_step_before(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        '{"epoch": 0, "val_loss": 9}\n'
        '{"step": 10, "epoch": 1, "loss": 2}\n{"step": 20, "epoch": 1, "loss": 1.5}\n{"epoch": 1, "val_loss": 1.7}\n'
    )
    run = read(path)
    assert run.curves["val_loss"].steps.tolist() == [20]
    assert any("1 row with an epoch but no step" in note for note in run.notes)
    assert any("1 row without a step left out" in note for note in run.notes)
