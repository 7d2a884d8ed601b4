"""Event files as TensorBoard's writers leave them: PyTorch, Lightning, Keras, the tensorboard package."""

import math
import shutil
import struct
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from app.errors import UnreadableFile
from app.importers import tensorboard
from app.importers.imported import ImportedRun
from app.importers.read import read
from app.importers.runs import read_path

DATA = Path(__file__).parent / "data"


def run_at(*parts: str) -> ImportedRun:
    (named,) = read_path(DATA.joinpath(*parts)).runs
    return named.run


def loss(step: int) -> float:
    """What write_tensorboard.py logs."""
    return 2.3 * math.exp(-step / 10)


def test_scalars_are_read_and_text_and_histograms_are_not() -> None:
    run = run_at("tensorboard", "run")
    assert sorted(run.curves) == ["Accuracy/val", "Loss/train", "Loss/val"]
    train = run.curves["Loss/train"]
    assert train.steps.tolist() == list(range(40))
    assert train.values[:39] == pytest.approx([loss(step) for step in range(39)], rel=1e-6)
    assert train.values[39] == math.inf
    assert run.curves["Loss/val"].steps.tolist() == list(range(0, 40, 4))
    assert any("float32" in caveat for caveat in run.context.caveats)
    assert run.source == "TensorBoard"


def test_a_resumed_job_hides_what_it_does_again() -> None:
    run = run_at("tensorboard", "resumed")
    assert run.curves["loss"].steps.tolist() == list(range(16))
    assert run.curves["loss"].values[:6] == pytest.approx([loss(step) for step in range(6)], rel=1e-6)
    assert run.curves["loss"].values[6:] == pytest.approx([loss(step) + 6 for step in range(6, 16)], rel=1e-6)


def test_a_second_file_hides_the_first_from_its_first_step_on_without_a_session_start(tmp_path: Path) -> None:
    """As Keras resumes: nothing but a file that was begun later."""
    write(tmp_path / "events.out.tfevents.200.host", [event(5, "loss", 50.0), event(7, "loss", 70.0)])
    first = [event(step, "loss", float(step)) for step in range(10)] + [event(9, "other", 1.0)]
    write(tmp_path / "events.out.tfevents.100.host", first)
    run = tensorboard.read(list(tmp_path.iterdir()))
    assert run.curves["loss"].steps.tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert run.curves["loss"].values.tolist() == [0, 1, 2, 3, 4, 50, 70]
    assert run.curves["other"].steps.tolist() == [9]


def test_add_scalars_is_one_run() -> None:
    run = run_at("tensorboard", "scalars")
    assert sorted(run.curves) == ["loss/train", "loss/val"]
    assert run.curves["loss/val"].values == pytest.approx([loss(step) + 0.1 for step in range(10)], rel=1e-6)


def test_tensors_of_siblings_are_joined_in_full_precision() -> None:
    run = run_at("tensorboard", "tensors")
    assert sorted(run.curves) == ["train/loss", "validation/loss"]
    assert run.curves["train/loss"].values.tolist() == [loss(step) for step in range(10)]
    assert run.context.caveats == ()


def test_keras_epochs_and_iterations_become_one_unit() -> None:
    run = run_at("keras", "logs")
    assert run.curves["train/epoch_loss"].steps.tolist() == [6, 12, 18, 24, 30, 36]
    assert run.curves["validation/epoch_loss"].steps.tolist() == [6, 12, 18, 24, 30, 36]
    assert any("mean" in caveat and "Keras" in caveat for caveat in run.context.caveats)
    by_batch = run_at("keras", "by_batch")
    assert by_batch.curves["train/batch_loss"].steps.tolist() == list(range(1, 19))
    assert by_batch.curves["train/epoch_learning_rate"].steps.tolist() == [6, 12, 18]


def test_keras_without_validation_takes_the_iterations_from_the_batches(tmp_path: Path) -> None:
    shutil.copytree(DATA / "keras" / "by_batch" / "train", tmp_path / "train")
    (named,) = read_path(tmp_path).runs
    assert named.run.curves["train/epoch_loss"].steps.tolist() == [6, 12, 18]
    shutil.copytree(DATA / "keras" / "logs" / "train", tmp_path / "other" / "train")
    by_epoch = next(one.run for one in read_path(tmp_path).runs if one.name == "other")
    assert by_epoch.curves["train/epoch_loss"].steps.tolist() == list(range(6))


def test_lightning_and_a_file_alone() -> None:
    run = run_at("lightning", "tensorboard")
    assert run.curves["train_loss_step"].steps.tolist() == list(range(1, 48, 2))
    (file,) = (DATA / "keras" / "logs" / "validation").iterdir()
    alone = read(file)
    assert "validation/epoch_loss" in alone.curves  # the folder's name is what tells it from train


def event(step: int, tag: str, value: float) -> bytes:
    message = tensorboard.MESSAGES["Event"](step=step)
    message.summary.value.add(tag=tag.encode(), simple_value=value)
    return bytes(message.SerializeToString())


def tensor(dtype: int, **fields: object) -> bytes:
    message = tensorboard.MESSAGES["Event"](step=1)
    value = message.summary.value.add(tag=b"loss")
    value.metadata.plugin_data.plugin_name = b"scalars"
    value.tensor.dtype = dtype
    for name, content in fields.items():
        if isinstance(content, list):
            getattr(value.tensor, name).extend(content)
        else:
            setattr(value.tensor, name, content)
    return bytes(message.SerializeToString())


def write(path: Path, records: list[bytes]) -> None:
    def checksum(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    parts = []
    for data in records:
        length = struct.pack("<Q", len(data))
        parts += [length, checksum(length), data, checksum(data)]
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (tensor(1, tensor_content=struct.pack("<f", 0.5)), 0.5),
        (tensor(1, float_val=[0.5]), 0.5),
        (tensor(2, double_val=[0.1]), 0.1),
        (tensor(3, int_val=[7]), 7.0),
        (tensor(9, int64_val=[7]), 7.0),
        (tensor(19, tensor_content=struct.pack("<e", 0.25)), 0.25),
        (tensor(19, half_val=[0x3400]), 0.25),
        (tensor(14, half_val=[0x3E80]), 0.25),
        (tensor(14, tensor_content=b"\x80\x3e"), 0.25),
        (tensor(7, tensor_content=b"text"), None),
        (tensor(1, float_val=[0.5, 0.6]), None),
    ],
)
def test_the_number_in_a_tensor(tmp_path: Path, record: bytes, value: float | None) -> None:
    write(tmp_path / "events.out.tfevents.1.host", [record, event(1, "other", 1.0)])
    curves = read(tmp_path / "events.out.tfevents.1.host").curves
    assert (curves["loss"].values.tolist() if "loss" in curves else None) == (None if value is None else [value])


def test_damage_costs_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    records = [event(step, "loss", float(step)) for step in range(4)]
    write(path, records)
    whole = path.read_bytes()
    length = len(whole) // 4
    spoiled = bytearray(whole)
    spoiled[length + 14] ^= 1  # within the second record's data
    path.write_bytes(spoiled)
    run = read(path)
    assert run.curves["loss"].steps.tolist() == [0, 2, 3]
    assert any(f"byte {length} is damaged" in note for note in run.notes)
    spoiled = bytearray(whole)
    spoiled[length] ^= 1  # the second record's length: nobody knows where the third begins
    path.write_bytes(spoiled)
    assert read(path).curves["loss"].steps.tolist() == [0]
    path.write_bytes(whole + b"\0" * 100)  # blocks that were allocated before a power cut
    assert read(path).curves["loss"].steps.tolist() == [0, 1, 2, 3]
    write(path, [*records, b"\xff\xff"])
    assert any("no event" in note for note in read(path).notes)


def test_negative_steps_are_told_and_events_without_scalars_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    write(path, [event(-1, "loss", 1.0), event(1, "loss", math.nan)])
    run = read(path)
    np.testing.assert_array_equal(run.curves["loss"].values, [math.nan])
    assert "1 scalars at steps below 0 or above 2**53 left out" in run.notes
    write(path, [bytes(tensorboard.MESSAGES["Event"](file_version=b"brain.Event:2").SerializeToString())])
    with pytest.raises(UnreadableFile, match="no scalar"):
        read(path)
