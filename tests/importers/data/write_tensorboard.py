"""Writes tensorboard/: event files of PyTorch's SummaryWriter, and of the tensorboard package's own writer.

python -m venv V && V/bin/pip install 'torch==2.13.0' tensorboard && V/bin/python write_tensorboard.py
"""

import math
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard import SummaryWriter

HERE = Path(__file__).parent / "tensorboard"


def main() -> None:
    """One run with everything but scalars beside them; one resumed; one by add_scalars; one of tensor summaries."""
    with SummaryWriter(HERE / "run") as writer:
        writer.add_text("note", "hello")
        for step in range(40):
            writer.add_scalar("Loss/train", math.inf if step == 39 else loss(step), step)
            writer.add_histogram("weights", np.arange(8), step) if step % 20 == 0 else None
            if step % 4 == 0:
                writer.add_scalar("Loss/val", loss(step) + 0.1, step)
                writer.add_scalar("Accuracy/val", 1 - loss(step) / 3, step)
    for first, purge in ((0, None), (6, 6)):
        with SummaryWriter(HERE / "resumed", purge_step=purge, filename_suffix=f".{first}") as writer:
            for step in range(first, first + 10):
                writer.add_scalar("loss", loss(step) + first, step)
    with SummaryWriter(HERE / "scalars") as writer:
        for step in range(10):
            writer.add_scalars("loss", {"train": loss(step), "val": loss(step) + 0.1}, step)
    for split, more in (("train", 0.0), ("validation", 0.1)):
        writer = EventFileWriter(str(HERE / "tensors" / split))
        for step in range(10):
            writer.add_event(
                Event(step=step, wall_time=1.7e9 + step, summary=tensor(loss(step) + more, first=step == 0))
            )
        writer.close()


def tensor(value: float, first: bool) -> Summary:
    """A scalar as version 2 of the summary API writes it: a tensor, named a scalar when its tag is first written."""
    plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars")) if first else None
    return Summary(value=[Summary.Value(tag="loss", tensor=make_tensor_proto(np.float64(value)), metadata=plugin)])


def loss(step: int) -> float:
    """A loss that falls."""
    return 2.3 * math.exp(-step / 10)


if __name__ == "__main__":
    main()
