"""DVCLive: `plots/metrics/**/<name>.tsv`, whose path is the metric's name; `params.yaml` beside it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.curves.curve import Curve
from app.errors import UnreadableFile
from app.importers import csv_file
from app.importers.imported import ImportedRun
from app.importers.yaml_file import read_mapping

_METRICS = Path("plots/metrics")


def is_run(folder: Path) -> bool:
    """Whether DVCLive wrote into this folder."""
    return (folder / _METRICS).is_dir()


def read(folder: Path) -> list[ImportedRun]:
    """Read the run of a folder. Raises UnreadableFile when it holds no number or a damaged line, and OSError."""
    curves: dict[str, Curve] = {}
    notes: list[str] = []
    for file in sorted((folder / _METRICS).rglob("*.tsv")):
        name = file.relative_to(folder / _METRICS).with_suffix("").as_posix()
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            try:
                run = csv_file.read(str(file), lines)
            except UnreadableFile as error:
                if error.line is not None:
                    raise
                continue  # opened, and not one step logged yet
        notes += [f"{name}: {note}" for note in run.notes if "torn" in note]
        for raw, curve in run.curves.items():
            if raw != "timestamp":
                curves[name] = replace(curve, name=name)  # the header has the last part of the name alone
    if not curves:
        raise UnreadableFile(str(folder), "no metric was logged in this DVCLive folder")
    config, said = _params(folder / "params.yaml")
    notes += said
    return [ImportedRun(curves=curves, notes=tuple(notes), source="DVCLive", config=config)]


def _params(file: Path) -> tuple[Mapping[str, object], list[str]]:
    """What it holds, and what to tell: a configuration that cannot be read costs no number."""
    if not file.is_file():
        return {}, []
    try:
        return read_mapping(file), []
    except UnreadableFile as error:
        return {}, [f"{file.name} is left out: {error.reason}"]
