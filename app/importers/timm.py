"""timm's summary.csv: `epoch`, `train_*`, `eval_*`, `lr`, one row an epoch.

A resumed job may write no header, and an epoch without evaluation a row without the `eval_` columns.
"""

from collections.abc import Sequence

from app.importers.imported import ImportedRun
from app.importers.table_format import TableFormat
from app.rules.caveats import Lie

_USUAL = ("epoch", "train_loss", "eval_loss", "eval_top1", "eval_top5", "lr")
_MEAN = Lie.INTERVAL_MEAN.said(
    "train_loss is the mean over each epoch's logged batches, taken while the weights changed (timm)"
)


def names_of(first_row: Sequence[str]) -> tuple[str, ...] | None:
    """The names of a file without a header, as far as its first row of numbers bears them out; None when not."""
    if len(first_row) != len(_USUAL) or not all(first_row):
        return None
    epoch, _, _, top1, top5, rate = map(float, first_row)
    return _USUAL if epoch >= 0 and epoch.is_integer() and 0 <= top1 <= top5 <= 100 and 0 <= rate < 10 else None


def _recognises(names: Sequence[str]) -> bool:
    between = names[1:-1] if names[-1] == "lr" else names[1:]
    splits = [name.split("_")[0] for name in between]
    return (
        names[0] == "epoch"
        and "train_loss" in between
        and splits == sorted(splits, reverse=True)
        and (set(splits) == {"train", "eval"} or (set(splits) == {"train"} and names[-1] == "lr"))
    )


def _adapt(run: ImportedRun) -> ImportedRun:
    return run.with_caveats(_MEAN)


def _without_evaluation(names: Sequence[str]) -> Sequence[str]:
    return [name for name in names if not name.startswith("eval_")]


FORMAT = TableFormat("timm summary", _recognises, _adapt, _without_evaluation)
