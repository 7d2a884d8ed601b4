"""OpenMMLab's JSON logs, of MMEngine (`scalars.json`) and of MMCV before it (`*.log.json`).

A runner that counts epochs writes train rows at iterations and validation rows at epochs, both as numbers of their own:
MMEngine's `step` is an iteration in one row and an epoch in the next, MMCV's `iter` counts within an epoch. All of them
become iterations since the beginning. Whatever a validation row measures is put below `val/`.
"""

import math
from collections.abc import Mapping, Sequence

from app.curves.roles import names_split
from app.importers.imported import ImportedRun
from app.rules.caveats import Lie

SOURCE = "OpenMMLab log"
_MEAN = Lie.INTERVAL_MEAN.said("train metrics are means over the iterations since the row before (OpenMMLab)")
_PLACED = (
    "validation was logged by epoch: its steps were worked out from the train rows before and after it (OpenMMLab)"
)
_NOT_MEASURED = frozenset({"data_time", "time", "memory", "eta", "epoch", "iter", "step"})

Row = Mapping[str, float]


def recognises(rows: Sequence[Row]) -> bool:
    """Whether train rows have an iteration and both times that every OpenMMLab runner measures."""
    return any({"iter", "time", "data_time"} <= set(map(_plain, row)) and "loss" in map(_plain, row) for row in rows)


def prepare(rows: Sequence[Row]) -> list[Row]:
    """The same rows, each at the iteration at which it was measured."""
    epochs = _lengths(rows)
    by_epoch = any("epoch" in map(_plain, row) for row in rows)
    ready: list[Row] = []
    last = 0.0
    for row in rows:
        values = {_plain(name): value for name, value in row.items()}
        measured = {name: value for name, value in values.items() if name not in _NOT_MEASURED}
        if "loss" in measured and "iter" in values and not _is_val(row):
            last = _train_step(values, epochs)
            ready.append({"step": last, **{name: values[name] for name in ("epoch",) if name in values}, **measured})
        elif measured and {"step", "epoch"} & values.keys():
            step = _val_step(values, epochs, last, by_epoch=by_epoch)
            named = {n if names_split(n) else f"val/{n}": v for n, v in measured.items() if n != "lr"}
            ready.append({"step": step} | named)
        else:
            ready.append({})  # the environment, before the first row
    return ready


def adapt(run: ImportedRun) -> ImportedRun:
    """The run with what such logs hide."""
    validated = any(name.startswith("val/") for name in run.curves)
    return run.with_caveats(_MEAN, *([_PLACED] if validated and "epoch" in run.curves else []))


def _plain(name: str) -> str:
    """MMCV's rows name their mode, which stands before each name by now."""
    return name.split("/", 1)[1] if name.startswith(("train/", "val/")) else name


def _is_val(row: Row) -> bool:
    return any(name.startswith("val/") for name in row)


def _lengths(rows: Sequence[Row]) -> tuple[float, bool]:
    """Iterations an epoch, 0 where it cannot be told; and whether `iter` begins anew with each epoch, as in MMCV."""
    trained = [{_plain(n): v for n, v in row.items()} for row in rows if not _is_val(row)]
    first: dict[float, float] = {}
    greatest = 0.0
    for row in trained:
        if "loss" in row and "iter" in row and math.isfinite(row.get("epoch", math.nan)):
            first.setdefault(row["epoch"], row["iter"])
            greatest = max(greatest, row["iter"])
    if len(first) < 2:
        return greatest if first else 0.0, bool(first) and not any("step" in row for row in trained)
    begin, end = min(first), max(first)
    apart = (first[end] - first[begin]) / (end - begin)
    if apart == 0:
        # Within an epoch the last row logged may not be its last iteration; validation rows say how many there were.
        return greatest, True
    return (apart if apart.is_integer() else 0.0), False


def _train_step(values: Row, epochs: tuple[float, bool]) -> float:
    length, anew = epochs
    return (values["epoch"] - 1) * length + values["iter"] if anew and "epoch" in values else values["iter"]


def _val_step(values: Row, epochs: tuple[float, bool], last: float, *, by_epoch: bool) -> float:
    """Where a validation row stands: MMEngine's `step` and MMCV's `epoch` count epochs, if the runner does."""
    if not by_epoch:
        return values.get("step", last)
    length, _ = epochs
    epoch = values.get("epoch", values.get("step", 0.0))
    return max(last, epoch * length)
