"""Keras' CSVLogger: `epoch`, then the logs in alphabetical order, those of validation with `val_` before them.

The columns are those of the first epoch: what is first logged later is not in the file. Lists stand in quotes.
"""

from collections.abc import Sequence

from app.importers.imported import ImportedRun
from app.importers.table_format import TableFormat
from app.rules.caveats import Lie

RUNNING_MEAN = Lie.INTERVAL_MEAN.said(
    "train metrics are means over each epoch, taken while the weights changed (Keras)"
)
_FROZEN = "metrics that were first logged after the first epoch are not in the file (Keras CSVLogger)"


def _recognises(names: Sequence[str]) -> bool:
    logs = list(names[1:])
    trained = {name for name in logs if not name.startswith("val_")}
    # CSVLogger appends `val_` names of its own where the first epoch was not validated: two sorted parts, not one.
    parts = [[name for name in logs if name.startswith("val_") is val] for val in (False, True)]
    validated = {name.removeprefix("val_") for name in parts[1]}
    return names[0] == "epoch" and "loss" in trained and logs == sorted(parts[0]) + parts[1] and validated <= trained


def _adapt(run: ImportedRun) -> ImportedRun:
    return run.with_caveats(RUNNING_MEAN, _FROZEN)


FORMAT = TableFormat("Keras CSVLogger", _recognises, _adapt)
