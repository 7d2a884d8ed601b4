"""MLflow's file store: `<run>/meta.yaml`, a file a metric below `metrics/` whose path is its name, `params/`, `tags/`.

A line is `timestamp value step`; older ones have no step, newer ones name a data set behind it, and MLflow's own reader
takes the step of those for 0.
"""

from collections.abc import Iterator
from pathlib import Path

from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.mlflow_runs import Point, state_of, to_run
from app.importers.yaml_file import read_mapping

_NAME_TAG = "mlflow.runName"


def is_run(folder: Path) -> bool:
    """Whether a folder is a run of the file store."""
    return (folder / "metrics").is_dir() and (folder / "meta.yaml").is_file()


def read(folder: Path) -> ImportedRun:
    """Read one run. Raises UnreadableFile when it holds no number or a line of it cannot be meant, and OSError."""
    meta = read_mapping(folder / "meta.yaml")
    notes: list[str] = []
    points = {}
    for file in _files(folder / "metrics"):
        points[file.relative_to(folder / "metrics").as_posix()] = list(_points(file, notes))
    tags = {file.relative_to(folder / "tags").as_posix(): _text(file) for file in _files(folder / "tags")}
    return to_run(
        str(folder),
        points,
        name=str(meta.get("run_name") or tags.get(_NAME_TAG) or folder.name),
        state=state_of(meta.get("status")),
        config={file.relative_to(folder / "params").as_posix(): _text(file) for file in _files(folder / "params")},
        tags={name: value for name, value in tags.items() if not name.startswith("mlflow.")},
        notes=notes,
    )


def is_deleted(folder: Path) -> bool:
    """Whether the run was deleted, which leaves it on disk. Raises UnreadableFile, OSError."""
    return bool(read_mapping(folder / "meta.yaml").get("lifecycle_stage") == "deleted")


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _text(file: Path) -> str:
    return file.read_text(errors="replace").rstrip("\n")


def _points(file: Path, notes: list[str]) -> Iterator[Point]:
    text = file.read_text(errors="replace")
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        if number == len(lines):  # MLflow ends every line: this one was cut, and perhaps within its step
            notes.append(f"{file.name}: line {number} is torn: left out")
            return
        try:
            yield Point(int(fields[0]), float(fields[1]), _step(fields[2]) if len(fields) > 2 else None)
        except (ValueError, IndexError) as error:
            raise UnreadableFile(str(file), f"{line[:60]!r} is not `timestamp value step`", number) from error


def _step(text: str) -> int:
    step = int(text)
    if not -(2**63) <= step < 2**63:  # MLflow's steps are of 64 bits
        raise ValueError
    return step
