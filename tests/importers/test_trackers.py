"""What MLflow, W&B and DVCLive keep on disk."""

import math
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from app.errors import UnreadableFile
from app.importers import wandb
from app.importers.imported import ImportedRun
from app.importers.read import read, read_file
from app.importers.runs import read_path

DATA = Path(__file__).parent / "data"
STORES = ("mlruns", "store.sqlite")


def runs(path: Path) -> Mapping[str, ImportedRun]:
    return {named.name: named.run for named in read_path(path).runs}


@pytest.mark.parametrize("store", STORES)
def test_both_mlflow_stores_hold_the_same(store: str) -> None:
    found = runs(DATA / "mlflow" / store)
    assert sorted(found) == ["exploded", "good", "no step"]  # and not the one that was deleted
    good, exploded = found["good"], found["exploded"]
    assert {good.source, exploded.source} == {"MLflow"}
    assert (good.state, exploded.state) == ("finished", "failed")
    expected = [2.3 * math.exp(-step / 10) for step in range(19)] + [0.25]  # logged again: the later value
    assert good.curves["train/loss"].values.tolist() == expected
    # These lines name a data set behind the step, for which MLflow's own reader answers step 0.
    assert good.curves["val_loss"].steps.tolist() == list(range(20))
    assert (good.config, good.tags) == ({"lr": "0.1", "width": "16"}, {"team": "vision"})
    np.testing.assert_array_equal(exploded.curves["loss"].values, [2.3, 4.0, math.inf, -math.inf, math.nan])


@pytest.mark.parametrize("store", STORES)
def test_mlflow_metrics_without_a_step_are_taken_in_the_order_of_time(store: str) -> None:
    run = runs(DATA / "mlflow" / store)["no step"]
    assert run.curves["loss"].values.tolist() == [3.0, 2.0, 1.5, 1.2]
    assert run.curves["loss"].steps.tolist() == [0, 1, 2, 3]
    assert any("without a step" in note for note in run.notes)


def mlflow_run(tmp_path: Path) -> Path:
    (meta,) = [m for m in (DATA / "mlflow" / "mlruns").rglob("meta.yaml") if "run_name: good" in m.read_text()]
    return Path(shutil.copytree(meta.parent, tmp_path / "run"))


def test_one_mlflow_run_torn_old_and_damaged(tmp_path: Path) -> None:
    folder = mlflow_run(tmp_path)
    (named,) = read_path(folder).runs
    assert named.name == "good"
    metric = folder / "metrics" / "old"
    metric.write_text("1700000000000 2.5\n1700000000001 1.5\n17000")
    run = runs(folder)["good"]
    assert run.curves["old"].values.tolist() == [2.5, 1.5]
    assert "old: line 3 is torn: left out" in run.notes
    metric.write_text("1700000000000 2.5 -1\n1700000000000 2.5 1\n")
    assert "1 points at steps below 0 or above 2**53 left out" in runs(folder)["good"].notes
    metric.write_text("now 2.5 1\n1700000000000 2.5 1\n")
    with pytest.raises(UnreadableFile, match=r"old:1: 'now 2.5 1'"):
        read_path(folder)
    metric.unlink()
    (folder / "meta.yaml").write_text("a: [\n")
    with pytest.raises(UnreadableFile, match="YAML"):
        read_path(folder)
    (folder / "meta.yaml").write_text("just text\n")
    assert runs(folder).keys() == {"good"}  # by its tag


def test_an_mlflow_run_without_metrics_is_told(tmp_path: Path) -> None:
    folder = mlflow_run(tmp_path)
    shutil.rmtree(folder / "metrics")
    (folder / "metrics").mkdir()
    with pytest.raises(UnreadableFile, match="no metric was logged"):
        read_path(folder)


def test_other_sqlite_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    with pytest.raises(UnreadableFile, match="not MLflow's"):
        read(path)
    with sqlite3.connect(path) as database:
        for table in ("experiments", "runs", "metrics"):
            database.execute(f"CREATE TABLE {table} (run_uuid, name, status, lifecycle_stage, start_time)")
    database.close()
    with pytest.raises(UnreadableFile, match="no run of this MLflow database"):
        read(path)
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO runs VALUES ('a', 'b', 'FINISHED', 'active', 1)")
    database.close()
    with pytest.raises(UnreadableFile, match="cannot be read: no such column"):
        read(path)


def test_several_runs_in_a_file_are_not_one() -> None:
    assert len(read_file(DATA / "mlflow" / "store.sqlite")) == 3
    with pytest.raises(UnreadableFile, match="3 runs"):
        read(DATA / "mlflow" / "store.sqlite")


def wandb_file(name: str) -> Path:
    (path,) = (DATA / "wandb").rglob(f"run-{name}.wandb")
    return path


def test_a_wandb_run_that_finished() -> None:
    run = read(wandb_file("finished"))
    assert (run.source, run.name, run.state) == ("W&B run", "run finished", "finished")
    assert run.config == {"lr": 0.1, "net": {"width": 16}}
    assert sorted(run.curves) == ["lr", "train/loss", "val/acc", "val/loss"]
    train = run.curves["train/loss"]
    assert train.steps.tolist() == list(range(151))  # over the border between two blocks
    assert train.values[:150].tolist() == [2.3 * math.exp(-step / 90) for step in range(150)]
    assert math.isnan(train.values[150])
    assert run.curves["val/loss"].values[-1] == math.inf


def test_a_wandb_run_that_was_killed() -> None:
    run = read(wandb_file("killed"))
    assert run.state is None
    assert len(run.curves["train/loss"]) > 50
    whole = read(wandb_file("finished")).curves["train/loss"]
    count = len(run.curves["train/loss"])
    assert run.curves["train/loss"].values.tolist() == whole.values[:count].tolist()
    assert any("killed, or still runs" in note for note in run.notes)


def record(**fields: object) -> bytes:
    return bytes(wandb._MESSAGES["Record"](**fields).SerializeToString())


def row(step: int, *, nested: bool, **values: str) -> bytes:
    items = [
        {"nested_key" if nested else "key": [key.encode()] if nested else key.encode(), "value_json": value.encode()}
        for key, value in values.items()
    ]
    return record(history={"item": items, "step": {"num": step}})


def write(path: Path, records: list[bytes], kinds: list[int] | None = None) -> None:
    parts = [wandb.HEAD]
    for data, kind in zip(records, kinds or [1] * len(records), strict=True):
        parts.append(struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data)
    path.write_bytes(b"".join(parts))


def test_wandb_keys_old_and_new_and_rows_that_cannot_be_meant(tmp_path: Path) -> None:
    path = tmp_path / "run-x.wandb"
    rows = [row(0, nested=False, loss="2.0", ok="true"), row(1, nested=True, loss="NaN", bad="{"), row(-2, nested=True)]
    write(path, [*rows, b"\xff", record(exit={"exit_code": 1}), record(config={"update": []})])
    run = read(path)
    np.testing.assert_array_equal(run.curves["loss"].values, [2.0, math.nan])
    assert run.curves.keys() == {"loss"}
    assert run.state == "failed"
    assert any("step -2" in note for note in run.notes)
    assert any("damaged" in note for note in run.notes)
    write(path, [record(exit={"exit_code": 0})])
    with pytest.raises(UnreadableFile, match="no number was logged"):
        read(path)


def test_wandb_records_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "run-x.wandb"
    data = row(3, nested=True, loss="2.0")
    write(path, [data[:5], data[5:9], data[9:]], [2, 3, 4])
    assert read(path).curves["loss"].steps.tolist() == [3]
    write(path, [data[5:9], data[9:], data], [3, 4, 1])  # the beginning is gone
    assert read(path).curves["loss"].steps.tolist() == [3]


def test_dvclive() -> None:
    (named,) = read_path(DATA / "dvclive").runs
    run = named.run
    assert (run.source, run.config) == ("DVCLive", {"lr": 0.1, "width": 16})
    assert sorted(run.curves) == ["acc", "train/loss", "val/loss"]
    # Every second row leaves out the timestamp that the header names.
    assert run.curves["train/loss"].values[:9] == pytest.approx([2.3 * math.exp(-epoch / 4) for epoch in range(9)])
    assert math.isnan(run.curves["train/loss"].values[9])
    alone = read(DATA / "dvclive" / "plots" / "metrics" / "train" / "loss.tsv")
    assert alone.source == "DVCLive metric"
    assert len(alone.curves["loss"]) == 10


def test_dvclive_torn_empty_and_damaged(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA / "dvclive", tmp_path / "dvclive"))
    metrics = folder / "plots" / "metrics"
    (folder / "params.yaml").write_text("a: [\n")
    (metrics / "new.tsv").write_text("step\tnew\n")
    (metrics / "torn.tsv").write_text("step\ttorn\n0\t1.5\n1")
    (named,) = read_path(folder).runs
    assert named.name == tmp_path.name  # a folder of that name is every run's
    assert named.run.curves["torn"].steps.tolist() == [0]
    assert any("torn: line 3 is torn" in note for note in named.run.notes)
    assert "new" not in named.run.curves
    (metrics / "bad.tsv").write_text("step\tbad\n0\t1.5\n1\tx\n2\t3\n-1\t3\n")
    with pytest.raises(UnreadableFile, match=r"bad\.tsv:5"):
        read_path(folder)
    shutil.rmtree(metrics)
    metrics.mkdir()
    with pytest.raises(UnreadableFile, match="no metric was logged"):
        read_path(folder)
