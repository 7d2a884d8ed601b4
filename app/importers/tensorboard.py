"""TensorBoard event files: TFRecords of Event messages. The files of one folder are one writer's, in the order of time.

A job that was resumed writes a second file, whose steps may overlap those of the first: it hides them from its first
step on. Scalars are float32 numbers, or tensors whose tag was named a scalar when it was first written.
"""

import re
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.curves.attempts import AttemptPoints, resolve
from app.curves.curve import Curve
from app.curves.points import MAX_STEP
from app.errors import UnreadableFile
from app.importers import tfrecord
from app.importers.imported import ImportedRun
from app.importers.messages import Message, NotAMessage, declare, text
from app.rules.caveats import Lie

SINGLE = Lie.ROUNDED.said("values are of float32, about seven digits (TensorBoard)")
_START = 1  # SessionLog.SessionStatus
MESSAGES = declare(
    "curvewise.tensorboard",
    {
        "Tensor": {
            "dtype": (1, "int32"),
            "tensor_content": (4, "bytes"),
            "float_val": (5, "float*"),
            "double_val": (6, "double*"),
            "int_val": (7, "int32*"),
            "int64_val": (10, "int64*"),
            "half_val": (13, "int32*"),
        },
        "PluginData": {"plugin_name": (1, "bytes")},
        "Metadata": {"plugin_data": (1, "PluginData")},
        "Value": {
            "tag": (1, "bytes"),
            "simple_value": (2, "float"),
            "tensor": (8, "Tensor"),
            "metadata": (9, "Metadata"),
        },
        "Summary": {"value": (1, "Value*")},
        "SessionLog": {"status": (1, "int32")},
        "Event": {
            "step": (2, "int64"),
            "file_version": (3, "bytes"),
            "summary": (5, "Summary"),
            "session_log": (7, "SessionLog"),
        },
    },
)
# TensorFlow's DataType -> how its bytes are read; bfloat16, the upper half of a float32, is made one.
_UNPACK = {1: "<f", 2: "<d", 3: "<i", 9: "<q", 19: "<e"}
_BFLOAT16 = 14


class _Points:
    """One tag's points of one file, in the order they were written."""

    def __init__(self) -> None:
        self.steps = array("d")
        self.values = array("d")

    def purge(self, step: float) -> None:
        """Forget what stands at this step or later: the job goes on from there."""
        kept = [place for place, known in enumerate(self.steps) if known < step]
        self.steps = array("d", (self.steps[place] for place in kept))
        self.values = array("d", (self.values[place] for place in kept))


class _Folder:
    """What the files of one folder hold."""

    def __init__(self) -> None:
        self.tags: dict[str, list[AttemptPoints]] = {}
        self.scalar_tensors: set[bytes] = set()
        self.single = False
        self.placeless = 0
        self.notes: list[str] = []

    def add_file(self, path: Path, number: int) -> None:
        """Raises OSError."""
        points: dict[bytes, _Points] = {}
        with path.open("rb") as file:
            for data in tfrecord.records(file, lambda said: self.notes.append(f"{path.name}: {said}")):
                try:
                    event = MESSAGES["Event"].FromString(data)
                except NotAMessage:
                    self.notes.append(f"{path.name}: a record is no event: left out")
                    continue
                self._add_event(event, points)
        for raw, found in points.items():
            steps, values = np.array(found.steps), np.array(found.values)
            if steps.size:
                self.tags.setdefault(text(raw), []).append(AttemptPoints(number, steps, values))

    def _add_event(self, event: Message, points: dict[bytes, _Points]) -> None:
        if event.session_log.status == _START:
            for earlier in points.values():
                earlier.purge(event.step)
            for parts in self.tags.values():
                parts[:] = [_before(part, event.step) for part in parts]
        for value in event.summary.value:
            number = self._scalar(value)
            if number is None:
                continue
            if not 0 <= event.step <= MAX_STEP:
                self.placeless += 1
                continue
            found = points.setdefault(value.tag, _Points())
            found.steps.append(event.step)
            found.values.append(number)

    def _scalar(self, value: Message) -> float | None:
        if value.HasField("simple_value"):
            self.single = True
            return float(value.simple_value)
        if value.metadata.plugin_data.plugin_name == b"scalars":
            self.scalar_tensors.add(value.tag)
        if value.tag not in self.scalar_tensors or not value.HasField("tensor"):
            return None
        self.single = self.single or value.tensor.dtype == 1
        return _number(value.tensor)

    def curves(self) -> dict[str, Curve]:
        """By tag; a later file hides earlier ones from its first step on."""
        curves = {}
        for tag, parts in self.tags.items():
            first_steps = {part.attempt: float(part.steps.min()) for part in parts if part.steps.size}
            curves[tag] = resolve(tag, parts, first_steps)
        return {tag: curve for tag, curve in curves.items() if len(curve)}


def read(files: Sequence[Path]) -> ImportedRun:
    """Read the event files of one folder. Raises UnreadableFile when they hold no scalar, and OSError."""
    folder = _Folder()
    for number, path in enumerate(sorted(files, key=_age)):
        folder.add_file(path, number)
    curves = folder.curves()
    if not curves:
        raise UnreadableFile(str(files[0]), "; ".join(["no scalar in these TensorBoard events", *folder.notes]))
    if folder.placeless:
        folder.notes.append(f"{folder.placeless} scalars at steps below 0 or above 2**53 left out")
    run = ImportedRun(curves=curves, notes=tuple(folder.notes), source="TensorBoard")
    return run.with_caveats(SINGLE) if folder.single else run


def _age(path: Path) -> tuple[int, str]:
    """The second at which a file was begun, from its name, where every writer puts it."""
    found = re.search(r"tfevents\.(\d+)", path.name)
    return int(found[1]) if found else 0, path.name


def _before(part: AttemptPoints, step: float) -> AttemptPoints:
    keep = part.steps < step
    return AttemptPoints(part.attempt, part.steps[keep], part.values[keep])


def _number(tensor: Message) -> float | None:
    """The one number of a tensor without dimensions, None when it holds another thing."""
    content: bytes = tensor.tensor_content
    if tensor.dtype == _BFLOAT16 and (len(content) == 2 or len(tensor.half_val) == 1):
        half = content or struct.pack("<H", tensor.half_val[0] & 0xFFFF)
        return float(struct.unpack("<f", b"\0\0" + half)[0])
    kind = _UNPACK.get(tensor.dtype)
    if kind is None:
        return None
    if len(content) == struct.calcsize(kind):
        return float(struct.unpack(kind, content)[0])
    if len(tensor.half_val) == 1 and kind == "<e":
        return float(struct.unpack("<e", struct.pack("<H", tensor.half_val[0] & 0xFFFF))[0])
    for listed in (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val):
        if len(listed) == 1:
            return float(listed[0])
    return None
