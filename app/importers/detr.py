"""The log.txt of DETR, DeiT, MAE and their descendants: one object an epoch, `train_*`, `test_*`, `epoch`.

`test_` is the validation split there. Losses are means over the epoch.
"""

from collections.abc import Mapping, Sequence

from app.importers.imported import ImportedRun
from app.rules.caveats import Lie

SOURCE = "DETR-style log.txt"
_MEAN = Lie.INTERVAL_MEAN.said("train_* are means over each epoch, taken while the weights changed (DETR-style log)")
_TEST = "test_* were measured on the validation data (DETR-style log)"

Row = Mapping[str, float]


def recognises(rows: Sequence[Row]) -> bool:
    """Whether every row is an epoch's summary, with the number of parameters that these scripts add."""
    return bool(rows) and all(
        {"train_loss", "epoch", "n_parameters"} <= row.keys() and "step" not in row for row in rows
    )


def prepare(rows: Sequence[Row]) -> list[Row]:
    """The same rows; how many parameters there are is no curve."""
    return [{name: value for name, value in row.items() if name != "n_parameters"} for row in rows]


def adapt(run: ImportedRun) -> ImportedRun:
    """The run with what such logs hide."""
    return run.with_caveats(_MEAN, *([_TEST] if any(name.startswith("test_") for name in run.curves) else []))
