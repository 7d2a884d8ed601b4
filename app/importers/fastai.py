"""fastai's history.csv: `epoch,train_loss,valid_loss`, then the metrics, then `time`, one row an epoch.

Metrics that name no split are of the data that was measured: of validation, unless there is no `valid_loss`.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.curves.curve import Curve
from app.curves.roles import names_split
from app.importers.imported import ImportedRun
from app.importers.table_format import TableFormat
from app.rules.caveats import Lie

_SMOOTHED = Lie.SMOOTHED.said("train_loss is a moving average over batches, taken while the weights changed (fastai)")


def _recognises(names: Sequence[str]) -> bool:
    return list(names[:2]) == ["epoch", "train_loss"] and names[-1] == "time"


def _adapt(run: ImportedRun) -> ImportedRun:
    split = "valid" if "valid_loss" in run.curves else "train"
    named = {name if names_split(name) else f"{split}/{name}": curve for name, curve in run.curves.items()}
    curves = {name: Curve(name, curve.steps, curve.values) for name, curve in named.items()}
    return replace(run, curves=curves).with_caveats(_SMOOTHED)


FORMAT = TableFormat("fastai history", _recognises, _adapt)
