"""Lightning's CSVLogger: every column in alphabetical order, `step` and mostly `epoch` among them.

Train and validation of one step are rows of their own with blanks. `x_step` is one batch, `x_epoch` a mean over epochs.
"""

from collections.abc import Sequence

from app.curves.roles import choose
from app.importers.imported import ImportedRun
from app.importers.table_format import TableFormat
from app.rules.caveats import Lie

_EPOCH_MEAN = "{} are means over each epoch, taken while the weights changed (Lightning)"
_LATE = "rows reach the file a hundred steps late, or never when the job was killed (Lightning CSVLogger)"


def _recognises(names: Sequence[str]) -> bool:
    filled = [name for name in names if name]
    return {"epoch", "step"} <= set(filled) and len(filled) > 2 and filled == sorted(filled)


def _adapt(run: ImportedRun) -> ImportedRun:
    means = sorted(name for name in run.curves if name.endswith("_epoch") and name.startswith("train"))
    if not means:
        return run.with_caveats(_LATE)
    said = _EPOCH_MEAN.format(", ".join(means)[:200])
    judged = choose(run.curves, {}).get("train/loss") in means  # not where the batches were logged as well
    return run.with_caveats(Lie.INTERVAL_MEAN.said(said) if judged else said, _LATE)


FORMAT = TableFormat("Lightning CSVLogger", _recognises, _adapt)
