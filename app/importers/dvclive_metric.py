"""One metric's file of DVCLive: `[timestamp] step <last part of its name>`.

A row may leave out the timestamp that the header names.
"""

from collections.abc import Sequence

from app.importers.table_format import TableFormat


def _recognises(names: Sequence[str]) -> bool:
    return list(names[:-1]) == ["timestamp", "step"]


def _without_timestamp(names: Sequence[str]) -> Sequence[str]:
    return [name for name in names if name != "timestamp"]


FORMAT = TableFormat("DVCLive metric", _recognises, short_names=_without_timestamp)
