"""Bins <-> one binary value, losslessly.

byte 0       version of the format, 1
bytes 1-4    number of bins, uint32
bytes 5-12   points of the stretch, uint64
bytes 13-16  CRC-32 of all that follows
...          the nine arrays of Bins in the order they are declared, float64 each
...          the exact points, a block (see blocks.py)
"""

import struct
import zlib
from dataclasses import fields

import numpy as np

from app.curves.bins import Bins
from app.curves.curve import Curve
from app.storage.blocks import CorruptBlock
from app.storage.blocks import decode as decode_points
from app.storage.blocks import encode as encode_points

_VERSION = 1
_HEADER = struct.Struct("<BIQI")
_ARRAYS = tuple(field.name for field in fields(Bins) if field.name not in {"exact", "points"})


def encode(bins: Bins) -> bytes:
    """What `decode` reads."""
    table = np.stack([getattr(bins, name) for name in _ARRAYS]).astype("<f8")
    body = table.tobytes() + encode_points(bins.exact.steps, bins.exact.values)
    return _HEADER.pack(_VERSION, table.shape[1], bins.points, zlib.crc32(body)) + body


def decode(name: str, written: bytes) -> Bins:
    """The bins of a stretch of the curve of this name. Raises CorruptBlock."""
    if len(written) < _HEADER.size:
        raise CorruptBlock(f"{len(written)} bytes are too few for bins")
    version, count, points, checksum = _HEADER.unpack_from(written)
    if version != _VERSION:
        raise CorruptBlock(f"version {version} of the format of bins is not known")
    if zlib.crc32(memoryview(written)[_HEADER.size :]) != checksum:
        raise CorruptBlock("the checksum of the bins does not match")
    table = np.frombuffer(written, "<f8", len(_ARRAYS) * count, _HEADER.size).reshape(len(_ARRAYS), count)
    exact = Curve(name, *decode_points(written[_HEADER.size + table.nbytes :]))
    return Bins(**dict(zip(_ARRAYS, table, strict=True)), exact=exact, points=points)
