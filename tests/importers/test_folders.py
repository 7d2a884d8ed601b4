"""Folders of one run and of many: what belongs together, what each is called, what is passed over."""

import json
import os
import shutil
from pathlib import Path

import pytest

from app.errors import UnreadableFile
from app.importers.runs import Namer, read_path

DATA = Path(__file__).parent / "data"
CSV = "step,loss\n1,2\n2,1\n"


def names(path: Path) -> list[str]:
    return [named.name for named in read_path(path).runs]


def test_every_log_of_a_folder_of_many_runs() -> None:
    found = {named.name: named.run.source for named in read_path(DATA).runs}
    assert found == {
        "data": "DVCLive",
        "detr": "DETR-style log.txt",
        "fastai": "fastai history",
        "fastai-train_alone": "fastai history",
        "fastai-train_metrics": "fastai history",
        "keras": "Keras CSVLogger",
        "keras-by_batch": "TensorBoard",
        "keras-every_second": "Keras CSVLogger",
        "keras-logs": "TensorBoard",
        "lightning-csv-version_0": "Lightning CSVLogger",
        "lightning-tensorboard-version_0": "TensorBoard",
        "good": "MLflow",
        "good~2": "MLflow",
        "exploded": "MLflow",
        "exploded~2": "MLflow",
        "no step": "MLflow",
        "no step~2": "MLflow",
        "openmmlab-by_epoch": "OpenMMLab log",
        "openmmlab-by_iteration": "OpenMMLab log",
        "openmmlab-mmcv": "OpenMMLab log",
        "run finished": "W&B run",
        "run killed": "W&B run",
        "tensorboard-resumed": "TensorBoard",
        "tensorboard-run": "TensorBoard",
        "tensorboard-scalars": "TensorBoard",
        "tensorboard-tensors": "TensorBoard",
        "timm": "timm summary",
        "timm-late_evaluation": "timm summary",
        "timm-resumed": "timm summary",
        "transformers-nan": "Transformers trainer state",
        "transformers-run": "Transformers trainer state",
        "ultralytics-classify": "Ultralytics results",
        "ultralytics-detect": "Ultralytics results",
        "ultralytics-unvalidated": "Ultralytics results",
    }


def test_a_trainers_checkpoints_are_one_run_as_far_as_any_goes(tmp_path: Path) -> None:
    run = Path(shutil.copytree(DATA / "transformers" / "run", tmp_path / "out"))
    shutil.copytree(DATA / "tensorboard" / "run", run / "runs" / "Jan01_host")  # the same, written by report_to
    (run / "trainer_state.json").unlink()
    (named,) = read_path(run).runs
    assert named.name == "out"
    assert named.run.curves["loss"].steps[-1] == 30
    (run / "checkpoint-30" / "trainer_state.json").write_text('{\n  "log_history": [')  # killed while it was written
    (named,) = read_path(run).runs
    assert named.run.curves["loss"].steps[-1] == 20
    (run / "checkpoint-20" / "trainer_state.json").write_text("")
    with pytest.raises(UnreadableFile):
        read_path(run)


def test_what_is_no_log_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV)
    (tmp_path / "requirements.txt").write_text("torch==2.0\nnumpy\n")
    (tmp_path / "config.json").write_text(json.dumps({"layers": [1, 2, 3], "name": "x"}))
    (tmp_path / "prices.csv").write_text("day,price\n1,2\n2,3\n")
    (tmp_path / "model.bin").write_bytes(b"\0" * 100)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / ".hidden.csv").write_text(CSV)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "metrics.csv").write_text(CSV)
    os.mkfifo(tmp_path / "pipe")
    logs = read_path(tmp_path)
    assert [named.name for named in logs.runs] == [tmp_path.name]
    assert logs.unreadable == ()


def test_names_come_from_the_way_to_a_log(tmp_path: Path) -> None:
    for place in ("a/metrics.csv", "b/c/metrics.csv", "b/c/other.log", "alone.csv", "d/vis_data/scalars.json"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CSV.replace("2,1", f"2,{len(place)}"))
    assert sorted(names(tmp_path)) == ["a", "alone", "b-c", "b-c-other", "d"]
    assert names(tmp_path / "alone.csv") == ["alone"]
    assert names(tmp_path / "a" / "metrics.csv") == ["a"]


def test_one_log_under_two_names_is_one_run(tmp_path: Path) -> None:
    (tmp_path / "20260101.json").write_text('{"step": 1, "loss": NaN}\n')
    shutil.copy(tmp_path / "20260101.json", tmp_path / "scalars.json")
    assert names(tmp_path) == ["20260101"]


def test_damaged_logs_are_told_beside_those_that_are_not(tmp_path: Path) -> None:
    shutil.copytree(DATA / "wandb", tmp_path / "wandb")
    broken = tmp_path / "wandb" / "offline-run-20260101_000000-killed" / "run-killed.wandb"
    broken.write_bytes(broken.read_bytes()[:300])
    logs = read_path(tmp_path)
    assert [named.name for named in logs.runs] == ["run finished"]
    assert [error.path for error in logs.unreadable] == [str(broken)]
    with pytest.raises(UnreadableFile, match="run-killed"):
        read_path(broken.parent)


def test_a_folder_without_logs_or_that_cannot_be_looked_into(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no file below this folder"):
        read_path(tmp_path)
    with pytest.raises(UnreadableFile, match="No such file"):
        read_path(tmp_path / "nowhere")


def test_names_that_no_project_takes_are_made_fit(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[0mb"
    folder.mkdir()
    (folder / "metrics.csv").write_text(CSV)
    assert names(tmp_path) == ["a-[0mb"]
    namer = Namer()
    assert [namer.name(one) for one in ("a/b", "a/b", "..", "", "x" * 300)] == [
        "a-b",
        "a-b~2",
        "run",
        "run~2",
        "x" * 250,
    ]
