"""Points of one curve <-> one binary block, losslessly: steps and values keep every bit, NaN payloads included.

    byte 0      version of the format, 1
    byte 1      how the steps are written: 0 float64, 1 constant stride, 2 deltas
    bytes 2-5   number of points, uint32
    bytes 6-9   CRC-32 of all that follows
    ...         steps: float64 each | first and stride, int64 | first, int64, and int8, int16 or int32 deltas
    ...         values: float64 each

Little-endian throughout. A metric logged every k updates is the common case: its steps cost 16 bytes a block.
"""

import struct
import zlib

import numpy as np

from app.curves.curve import FloatArray

_VERSION = 1
_RAW, _STRIDE, _DELTAS = 0, 1, 2
_HEADER = struct.Struct("<BBII")
_STRIDES = struct.Struct("<qq")
_FIRST = struct.Struct("<q")
_EXACT = 2.0**53  # the largest magnitude up to which every integer is a float64
_DELTA_TYPES = tuple(np.dtype(name) for name in ("<i1", "<i2", "<i4"))


class CorruptBlock(Exception):
    """A block of points is not one that this version wrote; the message says what is wrong with it."""


def encode(steps: FloatArray, values: FloatArray) -> bytes:
    """steps, values: float64 [points], any values in any order, at least one point."""
    kind, written = _encode_steps(steps)
    body = written + values.astype("<f8").tobytes()
    return _HEADER.pack(_VERSION, kind, len(steps), zlib.crc32(body)) + body


def decode(block: bytes) -> tuple[FloatArray, FloatArray]:
    """The steps and values given to `encode`, both float64 [points]. Raises CorruptBlock."""
    if len(block) < _HEADER.size:
        raise CorruptBlock(f"{len(block)} bytes are too few for a block")
    version, kind, count, checksum = _HEADER.unpack_from(block)
    if version != _VERSION:
        raise CorruptBlock(f"version {version} of the block format is not known")
    if zlib.crc32(memoryview(block)[_HEADER.size :]) != checksum:
        raise CorruptBlock("the checksum does not match")
    values_at = len(block) - 8 * count
    if values_at < _HEADER.size:
        raise CorruptBlock(f"{len(block)} bytes are too few for {count} points")
    return _decode_steps(kind, block, values_at, count), np.frombuffer(block, "<f8", count, values_at)


def _encode_steps(steps: FloatArray) -> tuple[int, bytes]:
    raw = _RAW, steps.astype("<f8").tobytes()
    if len(steps) <= 2 or not _are_plain_integers(steps):
        return raw
    whole = steps.astype(np.int64)
    deltas = np.diff(whole)
    least, most = int(deltas.min()), int(deltas.max())
    if least == most:
        return _STRIDE, _STRIDES.pack(int(whole[0]), least)
    for dtype in _DELTA_TYPES:
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return _DELTAS, _FIRST.pack(int(whole[0])) + deltas.astype(dtype).tobytes()
    return raw


def _are_plain_integers(steps: FloatArray) -> bool:
    """True when int64 holds every step exactly; -0.0 is not plain, its sign would be lost."""
    with np.errstate(invalid="ignore"):
        return (
            bool(((np.abs(steps) <= _EXACT) & (np.floor(steps) == steps)).all())
            and not (np.signbit(steps) & (steps == 0)).any()
        )


def _decode_steps(kind: int, block: bytes, end: int, count: int) -> FloatArray:
    start = _HEADER.size
    size = end - start
    if kind == _RAW and size == 8 * count:
        return np.frombuffer(block, "<f8", count, start)
    if kind == _STRIDE and size == _STRIDES.size:
        first, stride = _STRIDES.unpack_from(block, start)
        return np.asarray(first + stride * np.arange(count, dtype=np.int64), dtype=np.float64)
    if kind == _DELTAS and count > 1:
        for dtype in _DELTA_TYPES:
            if size == _FIRST.size + (count - 1) * dtype.itemsize:
                whole = np.empty(count, dtype=np.int64)
                (whole[0],) = _FIRST.unpack_from(block, start)
                whole[1:] = np.frombuffer(block, dtype, count - 1, start + _FIRST.size)
                return np.asarray(whole.cumsum(), dtype=np.float64)
    raise CorruptBlock(f"{size} bytes of steps of kind {kind} are not {count} steps")
