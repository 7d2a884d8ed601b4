"""Curves as they leave in pieces: lines of JSON, and the streaming format of Apache Arrow."""

import io
from collections.abc import Iterator

import nanoarrow
import numpy as np
from nanoarrow.ipc import StreamWriter
from pydantic_core import to_json

from app.curves.curve import Curve

ARROW = "application/vnd.apache.arrow.stream"

_POINTS_AT_ONCE = 16_384  # one line, or one record batch [points]
_TEXT, _NUMBER = nanoarrow.string(nullable=False), nanoarrow.float64(nullable=False)
_TABLE = nanoarrow.struct({"curve": _TEXT, "step": _NUMBER, "value": _NUMBER}, nullable=False)


def ndjson(pieces: Iterator[Curve]) -> Iterator[bytes]:
    """A line for each stretch of a curve: `{"curve": name, "steps": [...], "values": [...]}`."""
    for curve in _short(pieces):
        line = {"curve": curve.name, "steps": curve.steps.tolist(), "values": curve.values.tolist()}
        yield to_json(line, inf_nan_mode="strings") + b"\n"


def arrow(pieces: Iterator[Curve]) -> Iterator[bytes]:
    """One table with a row for each point: curve (utf8), step and value (float64), by curve and then by step."""
    written = io.BytesIO()
    with StreamWriter.from_writable(written) as writer:
        writer.write_array(_batch(Curve("", np.empty(0), np.empty(0))))  # the columns, even where there is no curve
        for curve in _short(pieces):
            writer.write_array(_batch(curve))
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()


def _short(pieces: Iterator[Curve]) -> Iterator[Curve]:
    for curve in pieces:
        for start in range(0, len(curve), _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            yield Curve(curve.name, curve.steps[part], curve.values[part])


def _batch(curve: Curve) -> object:
    name, count = curve.name.encode(), len(curve)
    ends = np.arange(count + 1, dtype=np.int32) * np.int32(len(name))
    names = nanoarrow.c_array_from_buffers(_TEXT, count, [None, ends, name * count])
    columns = [names, *(_column(values) for values in (curve.steps, curve.values))]
    return nanoarrow.c_array_from_buffers(_TABLE, count, [None], children=columns)


def _column(values: np.ndarray) -> object:
    return nanoarrow.c_array_from_buffers(_NUMBER, len(values), [None, np.ascontiguousarray(values)])
