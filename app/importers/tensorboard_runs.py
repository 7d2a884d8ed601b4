"""Which folders of TensorBoard events are one run: `train` beside `validation`, and the sub-folders of `add_scalars`.

A tag is the same in each of them (Keras: `epoch_loss`), so the folder's name goes before it. Keras counts epochs in
some tags and iterations in others; where both are there all become iterations.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray
from app.curves.roles import is_split, names_split
from app.errors import UnreadableFile
from app.importers import tensorboard
from app.importers.imported import ImportedRun
from app.importers.keras import RUNNING_MEAN

_BY_ITERATION = "_vs_iterations"
_CONVERTED = "epoch_* tags were put at the iterations at which the epochs were evaluated (Keras)"


@dataclass(frozen=True)
class Part:
    """One folder of a run, and what goes before its tags."""

    folder: Path
    files: tuple[Path, ...]
    prefix: str


def read_alone(file: Path) -> ImportedRun:
    """One event file without its neighbours. Raises UnreadableFile, OSError."""
    folder = file.absolute().parent
    return read([Part(folder, (file,), folder.name if is_split(folder.name) else "")])


def group(files_of: Mapping[Path, Sequence[Path]]) -> dict[Path, list[Part]]:
    """Folder -> its event files, as runs: the folder that names each run -> its parts."""
    runs: dict[Path, list[Part]] = {}
    for folder, files in sorted(files_of.items()):
        if is_split(folder.name):
            runs.setdefault(folder.parent, []).append(Part(folder, tuple(files), folder.name))
        elif folder.parent in files_of and not is_split(folder.parent.name):
            # Below a folder with events of its own: add_scalars, or a run within a run. Its tags will tell.
            runs.setdefault(folder.parent, []).append(Part(folder, tuple(files), ""))
        else:
            runs.setdefault(folder, []).insert(0, Part(folder, tuple(files), ""))
    return runs


def read(parts: Sequence[Part]) -> ImportedRun:
    """Join the parts of one run. Raises UnreadableFile when none of them holds a scalar, and OSError."""
    curves: dict[str, Curve] = {}
    notes: list[str] = []
    caveats: list[str] = []
    missing: UnreadableFile | None = None
    for part in parts:
        try:
            run = tensorboard.read(part.files)
        except UnreadableFile as error:  # such as the file that add_scalars leaves empty above its own
            missing = error
            continue
        notes += run.notes
        caveats += [caveat for caveat in run.context.caveats if caveat not in caveats]
        for tag, curve in run.curves.items():
            name = _name(part, tag)
            curves[name] = replace(curve, name=name)
    if not curves and missing:
        raise missing
    run = ImportedRun(curves=curves, notes=tuple(notes), source="TensorBoard").with_caveats(*caveats)
    return _from_keras(run) if any(name.endswith("epoch_loss") for name in curves) else run


def _name(part: Part, tag: str) -> str:
    if part.prefix:
        return tag if names_split(tag) else f"{part.prefix}/{tag}"
    begin = f"{tag.replace('/', '_').replace(' ', '_')}_"  # add_scalars("loss", {"val": ...}) writes to loss_val/
    return f"{tag}/{part.folder.name.removeprefix(begin)}" if part.folder.name.startswith(begin) else tag


def _from_keras(run: ImportedRun) -> ImportedRun:
    """Epochs as iterations, where the evaluations or the batches say how many iterations an epoch had."""
    curves = dict(run.curves)
    run = run.with_caveats(RUNNING_MEAN)
    last = max(float(curve.steps[-1]) for curve in curves.values() if curve.name.endswith("epoch_loss"))
    iterations = _iterations(curves.values(), last)
    if iterations is None:
        return run
    for name, curve in curves.items():
        if name.rsplit("/", 1)[-1].startswith("epoch_") and curve.steps[-1] <= last:
            curves[name] = Curve(name, iterations(curve.steps.astype(np.int64)), curve.values)
    return replace(run, curves=curves).noting(_CONVERTED)


def _iterations(curves: Collection[Curve], last: float) -> Callable[[NDArray[np.int64]], FloatArray] | None:
    """Epochs -> the iterations done at the end of each; None where they cannot be told.

    A function and no table: a damaged file may name a last epoch for which no memory would do.
    """
    for steps in (curve.steps for curve in curves if curve.name.endswith(_BY_ITERATION)):
        if steps.size == last + 1:
            return steps.__getitem__
    batches = [float(curve.steps[-1]) for curve in curves if "batch_" in curve.name]
    length = max(batches, default=0.0) / (last + 1)
    if length < 1 or not length.is_integer():
        return None
    return lambda epochs: np.multiply(epochs + 1, length, dtype=np.float64)
