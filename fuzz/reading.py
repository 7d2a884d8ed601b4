"""Ways to put an importer in front of bytes: as text, as one file, as the files of a folder, or found by content."""

import atexit
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from app.curves.points import MAX_STEP
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.runs import read_path
from fuzz.target import promise

Read = Callable[[bytes], Iterable[ImportedRun]]
SEPARATOR = b"\n\0\n"  # between the files of a folder that is one input
_SCRATCH = Path(tempfile.mkdtemp(prefix="curvewise-fuzz-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)


def checked(read: Read) -> Callable[[bytes], None]:
    """A check that what is read is a run as it should be, or one clear sentence."""

    def check(data: bytes) -> None:
        try:
            runs = list(read(data))
        except UnreadableFile as error:
            promise(error.reason, "an error that says nothing")
            promise("\n" not in str(error), f"an error of several lines: {error!r}")
            return
        promise(runs, "neither a run nor an error")
        for run in runs:
            _check_run(run)

    return check


def _check_run(run: ImportedRun) -> None:
    promise(run.curves, "a run without a curve")
    promise(run.source, "a run of no source")
    for name, curve in run.curves.items():
        steps, values = curve.steps, curve.values
        promise(isinstance(name, str), f"{name!r} is no name")
        promise(steps.size == values.size > 0, f"{name!r}: {steps.size} steps and {values.size} values")
        promise(steps.dtype == values.dtype == np.float64, f"{name!r} is not float64")
        promise(np.isfinite(steps).all() and steps[0] >= 0 and steps[-1] <= MAX_STEP, f"{name!r}: a step is no step")
        promise((np.diff(steps) > 0).all(), f"{name!r}: steps do not increase")
    json.dumps({"config": dict(run.config), "tags": dict(run.tags)}).encode()  # as it is stored
    for said in (*run.notes, *run.context.caveats):
        promise(isinstance(said, str) and said, f"{said!r} tells nobody anything")


def text(read: Callable[[str, Iterable[str]], ImportedRun]) -> Read:
    """Lines, as a file of damaged UTF-8 gives them."""

    def reader(data: bytes) -> list[ImportedRun]:
        with io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="") as lines:
            return [read("log", lines)]

    return reader


def file(read: Callable[[Path], Iterable[ImportedRun]], name: str) -> Read:
    """One file of this name."""
    path = _SCRATCH / name

    def reader(data: bytes) -> Iterable[ImportedRun]:
        path.write_bytes(data)
        return read(path)

    return reader


def folder(read: Callable[[Path], Iterable[ImportedRun]], home: str, names: Sequence[str]) -> Read:
    """The files of a folder, one after the other in the bytes with SEPARATOR between them."""
    root = _SCRATCH / home
    paths = [root / name for name in names]

    def reader(data: bytes) -> Iterable[ImportedRun]:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        for path, part in zip(paths, [*data.split(SEPARATOR, len(paths) - 1), *[b""] * len(paths)], strict=False):
            path.write_bytes(part)
        return read(root)

    return reader


def sniffed(path: Path) -> Iterator[ImportedRun]:
    """The runs of a file by what it holds, each with a name that a project takes."""
    for named in read_path(path).runs:
        promise(named.name and "/" not in named.name, f"{named.name!r} is no name of a run")
        yield named.run
