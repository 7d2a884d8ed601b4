"""A folder -> the runs that were logged below it, each read by what its files hold.

What no importer knows is passed over: a folder of runs is full of checkpoints, configurations and pictures.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.curves.roles import role_of
from app.errors import UnreadableFile
from app.importers import dvclive, mlflow_files, tensorboard_runs
from app.importers.imported import ImportedRun
from app.importers.read import kind_of, read_file, readable

# Names that frameworks give to every run's log, so that the folder is what tells runs apart.
_USUAL_STEMS = frozenset(
    {"metrics", "results", "summary", "trainer_state", "log", "scalars", "training", "history", "progress", "mlflow"}
)
_USUAL_FOLDERS = frozenset({"vis_data", "dvclive"})
_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Source:
    """Where one log stands.

    name: of its run, when the log itself names none. read: its runs; raises UnreadableFile. sure: whether its form
    shows that it is a log, so that it is worth telling when it cannot be read.
    """

    name: str
    files: tuple[Path, ...]
    read: Callable[[], list[ImportedRun]]
    sure: bool = True


class _Found:
    """What a walk has met, until it is known which files belong together."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sources: list[Source] = []
        self._events: dict[Path, list[Path]] = {}
        self._states: dict[Path, list[Path]] = {}

    def add_folder(self, folder: Path, files: Sequence[Path]) -> None:
        """A folder that is a run as a whole, or one whose files are looked at one by one."""
        whole = _read_mlflow if mlflow_files.is_run(folder) else dvclive.read if dvclive.is_run(folder) else None
        if whole is not None:
            name = _folder_name(self._root, folder)
            self._sources.append(Source(name, tuple(files), _careful(folder, lambda: whole(folder))))
            return
        for file in files:
            self._add_file(folder, file)

    def _add_file(self, folder: Path, file: Path) -> None:
        kind = _kind(file)
        if kind == "text" and file.name == _STATE:
            home = folder.parent if folder.name.startswith("checkpoint-") else folder
            self._states.setdefault(home, []).append(file)
        elif kind == "tensorboard":
            self._events.setdefault(folder, []).append(file)
        elif kind in ("wandb", "sqlite", "text"):
            name = file_name(self._root, file)
            self._sources.append(Source(name, (file,), lambda: read_file(file), sure=kind in ("wandb", "sqlite")))

    def sources(self) -> list[Source]:
        """In the order of their paths."""
        sources = list(self._sources)
        for home, states in self._states.items():
            reader = _furthest(states)
            sources.append(Source(_folder_name(self._root, home), tuple(states), reader))
        for home, parts in tensorboard_runs.group(self._events).items():
            if home.parent.name == "runs" and home.parent.parent in self._states:
                continue  # the Trainer's own copy of what its state holds
            files = tuple(file for part in parts for file in part.files)
            sources.append(Source(_folder_name(self._root, home), files, _joined(home, parts)))
        return sorted(sources, key=lambda source: source.files)


def find(root: Path) -> list[Source]:
    """Every log at or below a folder, in the order of their paths. Raises UnreadableFile."""
    found = _Found(root)
    for folder, files in _walk(root):
        found.add_folder(folder, files)
    return found.sources()


def read_source(source: Source) -> list[ImportedRun]:
    """The runs of one log; none when a file that only might have been a log is none. Raises UnreadableFile."""
    try:
        runs = source.read()
    except UnreadableFile:
        if source.sure:
            raise
        return []
    return runs if source.sure else [run for run in runs if any(map(_says_something, run.curves))]


def _says_something(name: str) -> bool:
    return (role := role_of(name).name) is not None and role not in ("lr", "epoch")


def _walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder that is not hidden with its files, recursively only for those that are a run as a whole."""
    with readable(root):
        os.scandir(root).close()
    for name, folders, files in os.walk(root):
        folder = Path(name)
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        if mlflow_files.is_run(folder) or dvclive.is_run(folder):
            folders.clear()
            yield folder, sorted(file for file in folder.rglob("*") if file.is_file())
        else:
            yield folder, [folder / file for file in sorted(files) if not file.startswith(".")]


def _kind(file: Path) -> str:
    try:
        return kind_of(file) if file.is_file() else "special"
    except OSError:
        return "unreadable"


def _careful(folder: Path, read: Callable[[], list[ImportedRun]]) -> Callable[[], list[ImportedRun]]:
    def reader() -> list[ImportedRun]:
        with readable(folder):
            return read()

    return reader


def _read_mlflow(folder: Path) -> list[ImportedRun]:
    return [] if mlflow_files.is_deleted(folder) else [mlflow_files.read(folder)]


def _joined(home: Path, parts: Sequence[tensorboard_runs.Part]) -> Callable[[], list[ImportedRun]]:
    return _careful(home, lambda: [tensorboard_runs.read(parts)])


def _furthest(states: Sequence[Path]) -> Callable[[], list[ImportedRun]]:
    """Of a job's states, at its end and at each checkpoint, the one that goes furthest: each holds all before it."""

    def reader() -> list[ImportedRun]:
        found: list[ImportedRun] = []
        failed: UnreadableFile | None = None
        for file in states:
            try:
                found += read_file(file)
            except UnreadableFile as error:
                failed = error
        if failed and not found:
            raise failed
        return [max(found, key=_reach)]

    return reader


def _reach(run: ImportedRun) -> tuple[float, bool]:
    last = max(float(curve.steps[-1]) for curve in run.curves.values())
    return last, run.state == "finished"


def _folder_name(root: Path, folder: Path) -> str:
    """The way to a folder as one name, without last parts that every run has; at the root, the root's own."""
    parts = list(folder.relative_to(root).parts) if root in folder.parents else []
    while parts and parts[-1] in _USUAL_FOLDERS:
        parts.pop()
    if parts:
        return "-".join(parts)
    home = (root if root in (folder, *folder.parents) else folder).absolute()
    while home.name in _USUAL_FOLDERS:
        home = home.parent
    return home.name or "run"


def file_name(root: Path, file: Path) -> str:
    """The name of a run that has one file to itself: its own, or its folder's where every run's log is called so."""
    stem = file.name.split(".")[0]
    if stem in _USUAL_STEMS:
        return _folder_name(root, file.parent)
    return stem if file.parent == root else f"{_folder_name(root, file.parent)}-{stem}"
