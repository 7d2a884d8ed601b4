"""A path -> its runs by name: a file, or a folder of one run or of many."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.curves.points import MAX_NAME_LENGTH
from app.errors import UnreadableFile
from app.importers import folders
from app.importers.folders import Source
from app.importers.imported import ImportedRun
from app.importers.read import read_file

# What no name of a run may hold: it is one part of a path, and is shown in terminals.
_NOT_IN_NAMES = re.compile("[/\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True)
class Named:
    """One run, its name among those read beside it, and the files that it was read from."""

    name: str
    run: ImportedRun
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Logs:
    """What stands at a path. unreadable: logs that are damaged, beside those that are not."""

    runs: tuple[Named, ...]
    unreadable: tuple[UnreadableFile, ...] = ()


def read_path(path: Path) -> Logs:
    """Every run of a file or below a folder. Raises UnreadableFile when there is none."""
    if not path.is_dir():
        source = source_of(path)
        return Logs(tuple(_named([(source, source.read())])))
    found: list[tuple[Source, list[ImportedRun]]] = []
    unreadable: list[UnreadableFile] = []
    for source in folders.find(path):
        try:
            found.append((source, folders.read_source(source)))
        except UnreadableFile as error:
            unreadable.append(error)
    runs = tuple(_named(found))
    if not runs and unreadable:
        raise unreadable[0]
    if not runs:
        raise UnreadableFile(str(path), "no file below this folder is a log of training that is known")
    return Logs(runs, tuple(unreadable))


def source_of(file: Path) -> Source:
    """One file as a log, whatever it holds."""
    return Source(folders.file_name(file.absolute().parent, file.absolute()), (file,), lambda: read_file(file))


class Namer:
    """Makes names of runs that a project takes, no two of them the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, wanted: str) -> str:
        """As near to what is wanted as can be."""
        wanted = _NOT_IN_NAMES.sub("-", wanted)[:MAX_NAME_LENGTH]
        wanted = "run" if wanted in {"", ".", ".."} else wanted
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted[: MAX_NAME_LENGTH - 8]}~{number}"
        self._taken.add(name)
        return name


def _named(found: Iterable[tuple[Source, Sequence[ImportedRun]]]) -> Iterator[Named]:
    namer = Namer()
    beside: dict[Path, list[ImportedRun]] = {}
    for source, runs in found:
        known = beside.setdefault(source.files[0].parent, [])
        for run in runs:
            if any(_same(run, other) for other in known):
                continue  # MMEngine writes one log under two names
            known.append(run)
            yield Named(namer.name(run.name or source.name), run, source.files)


def _same(one: ImportedRun, other: ImportedRun) -> bool:
    if one.name != other.name or one.curves.keys() != other.curves.keys():
        return False
    pairs = ((one.curves[name], other.curves[name]) for name in one.curves)
    return all(
        np.array_equal(a.steps, b.steps) and np.array_equal(a.values, b.values, equal_nan=True) for a, b in pairs
    )
