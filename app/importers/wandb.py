"""W&B run files, `run-<id>.wandb`: a LevelDB log of Record messages, one history record a step.

Behind a head of seven bytes stand blocks of 32 KiB. A record that does not fit into what is left of a block is cut into
a first, middle ones and a last. Checksums are CRC-32 of kind and data.
"""

import json
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from app.curves.curve import make_curve
from app.curves.points import MAX_STEP
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.jsonl import numbers
from app.importers.messages import Message, NotAMessage, declare, text
from app.rules.context import RunState

HEAD = b":W&B" + struct.pack("<H", 0xBEE1) + b"\0"
_RECORD = struct.Struct("<IHB")
_BLOCK = 32_768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_OWN = ("_step", "_timestamp", "_runtime", "_wandb")  # what W&B adds to every row
_MESSAGES = declare(
    "curvewise.wandb",
    {
        "Item": {"key": (1, "bytes"), "nested_key": (2, "bytes*"), "value_json": (16, "bytes")},
        "Step": {"num": (1, "int64")},
        "History": {"item": (1, "Item*"), "step": (2, "Step")},
        "Config": {"update": (1, "Item*")},
        "Run": {"run_id": (1, "bytes"), "config": (4, "Config"), "display_name": (8, "bytes")},
        "Exit": {"exit_code": (1, "int32")},
        "Record": {"history": (2, "History"), "config": (5, "Config"), "run": (17, "Run"), "exit": (18, "Exit")},
    },
)
_KILLED = "the file has no end record: the job was killed, or still runs"


class _Read:
    """What the records have said so far."""

    def __init__(self) -> None:
        self.points: dict[str, tuple[array[float], array[float]]] = {}
        self.name: str | None = None
        self.config: dict[str, object] = {}
        self.state: RunState | None = None
        self.notes: list[str] = []

    def add(self, record: Message) -> None:
        if record.HasField("history"):
            self._add_history(record.history)
        if record.HasField("run"):
            self.name = text(record.run.display_name or record.run.run_id) or self.name
            self._add_config(record.run.config.update)
        if record.HasField("config"):
            self._add_config(record.config.update)
        if record.HasField("exit"):
            self.state = "finished" if record.exit.exit_code == 0 else "failed"

    def _add_history(self, history: Message) -> None:
        row = {_key(item): _json(item.value_json) for item in history.item}
        step = history.step.num if history.HasField("step") else row.get("_step", -1)
        if not isinstance(step, int | float) or not 0 <= step <= MAX_STEP:
            self.notes.append(f"a row at step {step} was left out")
            return
        named = {name: value for name, value in row.items() if name.split("/")[0] not in _OWN}
        for name, value in numbers(named):
            steps, values = self.points.setdefault(name, (array("d"), array("d")))
            steps.append(step)
            values.append(value)

    def _add_config(self, items: Sequence[Message]) -> None:
        for item in items:
            if (key := _key(item)).split("/")[0] not in _OWN:
                self.config[key] = _json(item.value_json)


def read(path: Path) -> ImportedRun:
    """Read a run file. Raises UnreadableFile when it holds no number, and OSError."""
    found = _Read()
    with path.open("rb") as file:
        file.seek(len(HEAD))
        for data in _records(file, found.notes.append):
            try:
                found.add(_MESSAGES["Record"].FromString(data))
            except (NotAMessage, ValueError) as error:
                found.notes.append(f"a record is damaged: left out ({error})")
    curves = {
        name: make_curve(name, np.array(steps), np.array(values)) for name, (steps, values) in found.points.items()
    }
    if not curves:
        raise UnreadableFile(str(path), "; ".join(["no number was logged in this W&B run", *found.notes]))
    notes = (*found.notes, *([] if found.state else [_KILLED]))
    return ImportedRun(
        curves=curves, state=found.state, notes=notes, source="W&B run", name=found.name, config=found.config
    )


def _records(file: BinaryIO, damaged: Callable[[str], None]) -> Iterator[bytes]:
    """Whole records; the rest of a block in which something is wrong is passed over, as LevelDB does."""
    pieces: list[bytes] = []
    block, place = file.read(_BLOCK - len(HEAD)), 0
    while block:
        while place + _RECORD.size <= len(block):
            checksum, length, kind = _RECORD.unpack_from(block, place)
            data = block[place + _RECORD.size : place + _RECORD.size + length]
            if len(data) < length or checksum != zlib.crc32(data, zlib.crc32(bytes([kind]))):
                pieces = []
                at = file.tell() - len(block) + place
                damaged(f"the record at byte {at} is torn or damaged: left out with the rest of its block")
                break
            place += _RECORD.size + length
            if kind in (_FULL, _FIRST):
                pieces = [data]
            elif pieces:  # a continuation whose beginning was damaged means nothing
                pieces.append(data)
            if kind in (_FULL, _LAST) and pieces:
                yield b"".join(pieces)
                pieces = []
        block, place = file.read(_BLOCK), 0


def _key(item: Message) -> str:
    return "/".join(map(text, item.nested_key)) or text(item.key)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
