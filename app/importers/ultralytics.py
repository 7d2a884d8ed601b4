"""Ultralytics' results.csv: `epoch` from 1, `train/*_loss`, `metrics/*`, `val/*_loss`, `lr/pg*`.

Older versions pad the names with spaces. Validation that was not run is written as zeros, and `metrics/` are always
measured on validation data. A detector logs the parts of its loss and not their sum, which is what it minimises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.curves.curve import Curve, make_curve
from app.importers.imported import ImportedRun
from app.importers.table_format import TableFormat
from app.rules.caveats import Lie

_SUM = "{}/loss is the sum of {}: the file holds no total"
_MEAN = Lie.INTERVAL_MEAN.said("train losses are means over each epoch, taken while the weights changed (Ultralytics)")
_ROUNDED = Lie.ROUNDED.said("losses have five decimals (Ultralytics)")


def _recognises(names: Sequence[str]) -> bool:
    losses = [name for name in names if name.startswith("train/") and name.endswith("loss")]
    return names[0] == "epoch" and bool(losses) and any(name.startswith(("metrics/", "lr/pg")) for name in names)


def _adapt(run: ImportedRun) -> ImportedRun:
    named = {f"val/{name}" if name.startswith("metrics/") else name: curve for name, curve in run.curves.items()}
    curves, dropped = _without_unmeasured(named)
    sums = {}
    for split in ("train", "val"):
        parts = [name for name in curves if name.startswith(f"{split}/") and name.endswith("_loss")]
        if f"{split}/loss" not in curves and (total := _sum(f"{split}/loss", [curves[name] for name in parts])):
            sums[total.name] = total
            run = run.with_caveats(_SUM.format(split, ", ".join(parts)))
    if dropped:
        run = run.noting(f"{dropped} epochs whose validation losses are all 0 were taken for not validated")
    return replace(run, curves={**curves, **sums}).with_caveats(_MEAN, _ROUNDED)


def _without_unmeasured(curves: Mapping[str, Curve]) -> tuple[dict[str, Curve], int]:
    """The curves without the epochs at which every validation loss is exactly 0, and how many those are."""
    losses = [curve for name, curve in curves.items() if name.startswith("val/") and name.endswith("loss")]
    if not losses:
        return dict(curves), 0
    filled = set.intersection(*(set(curve.steps[curve.values == 0].tolist()) for curve in losses))
    ready = {}
    for name, curve in curves.items():
        keep = ~np.isin(curve.steps, list(filled))
        ready[name] = Curve(name, curve.steps[keep], curve.values[keep]) if name.startswith("val/") else curve
    return {name: curve for name, curve in ready.items() if len(curve)}, len(filled)


def _sum(name: str, parts: Sequence[Curve]) -> Curve | None:
    """The parts added up at the steps that all of them have; None when there are none."""
    if not parts:
        return None
    steps = parts[0].steps
    for part in parts[1:]:
        steps = np.intersect1d(steps, part.steps)
    if not steps.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # infinite losses add up to infinity, or to nothing: NaN
        values = sum(part.values[np.searchsorted(part.steps, steps)] for part in parts)
    return make_curve(name, steps, np.asarray(values))


FORMAT = TableFormat("Ultralytics results", _recognises, _adapt)
