"""What is known of a table beyond its columns when its header shows which framework wrote it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.importers.imported import ImportedRun


def _never(_names: Sequence[str]) -> bool:
    return False


def _as_it_is(run: ImportedRun) -> ImportedRun:
    return run


def _none(_names: Sequence[str]) -> Sequence[str] | None:
    return None


@dataclass(frozen=True)
class TableFormat:
    """One framework's way to write a table.

    source: who writes it, in words. recognises: whether it wrote these column names. adapt: the run with the format's
    caveats, and its columns by names that say their split. short_names: the columns of a row that leaves some out,
    None when every row is whole.
    """

    source: str
    recognises: Callable[[Sequence[str]], bool] = _never
    adapt: Callable[[ImportedRun], ImportedRun] = _as_it_is
    short_names: Callable[[Sequence[str]], Sequence[str] | None] = _none
