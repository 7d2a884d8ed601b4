"""Points of one curve <-> one binary block, losslessly: steps and values keep every bit, NaN payloads included.

    byte 0      version of the format, 1 or 2
    byte 1      low half: how the steps are written; high half: how the values are (version 2; 0 in version 1)
    bytes 2-5   number of points, uint32
    bytes 6-9   CRC-32 of all that follows
    ...         steps: 0 float64 each | 1 first and stride, int64 | 2 first, int64, and int8, int16 or int32 deltas
                | 3 the differences of the bits of neighbours, int64, byte planes, compressed with zstd
    ...         values: 0 float64 each | 1 float32 each, where that keeps every bit: what most trainers compute in

Little-endian throughout. A metric logged every k updates is the common case: its steps cost 16 bytes a block.
"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from app.curves.curve import FloatArray

_VERSIONS = (1, 2)
_RAW, _STRIDE, _DELTAS, _PACKED = 0, 1, 2, 3
_DOUBLE, _SINGLE = 0, 1
_VALUE_TYPES: dict[int, np.dtype[Any]] = {_DOUBLE: np.dtype("<f8"), _SINGLE: np.dtype("<f4")}
_HEADER = struct.Struct("<BBII")
_STRIDES = struct.Struct("<qq")
_FIRST = struct.Struct("<q")
_POINT_SINGLE = struct.Struct("<df")
_POINT_DOUBLE = struct.Struct("<dd")
_LARGEST_SINGLE = float(np.finfo(np.float32).max)
_EXACT = 2.0**53  # the largest magnitude up to which every integer is a float64
_DELTA_TYPES = tuple(np.dtype(name) for name in ("<i1", "<i2", "<i4"))
_PACKING_PAYS = 256  # below it compression saves less than it costs [points]


class CorruptBlock(Exception):
    """A block of points is not one that this version wrote; the message says what is wrong with it."""


def encode(steps: FloatArray, values: FloatArray) -> bytes:
    """steps, values: float64 [points], any values in any order, at least one point."""
    if len(steps) == 1:
        body, values_kind = _encode_point(float(steps[0]), float(values[0]))
        steps_kind = _RAW
    else:
        steps_kind, written = _encode_steps(steps)
        values_kind, data = _encode_values(values)
        body = written + data
    return _HEADER.pack(_VERSIONS[-1], steps_kind | values_kind << 4, len(steps), zlib.crc32(body)) + body


def decode(block: bytes) -> tuple[FloatArray, FloatArray]:
    """The steps and values given to `encode`, both float64 [points]. Raises CorruptBlock."""
    if len(block) < _HEADER.size:
        raise CorruptBlock(f"{len(block)} bytes are too few for a block")
    version, kinds, count, checksum = _HEADER.unpack_from(block)
    if version not in _VERSIONS:
        raise CorruptBlock(f"version {version} of the block format is not known")
    if zlib.crc32(memoryview(block)[_HEADER.size :]) != checksum:
        raise CorruptBlock("the checksum does not match")
    dtype = _VALUE_TYPES.get(kinds >> 4)
    if dtype is None:
        raise CorruptBlock(f"values of kind {kinds >> 4} are not known")
    values_at = len(block) - dtype.itemsize * count
    if values_at < _HEADER.size:
        raise CorruptBlock(f"{len(block)} bytes are too few for {count} points")
    values = np.frombuffer(block, dtype, count, values_at)
    return _decode_steps(kinds & 15, block, values_at, count), _as_double(values)


def _encode_point(step: float, value: float) -> tuple[bytes, int]:
    """A single point, the block that is written most, in a third of the time that arrays take."""
    if -_LARGEST_SINGLE <= value <= _LARGEST_SINGLE:  # a NaN is not: whether its payload fits is not looked into
        body = _POINT_SINGLE.pack(step, value)
        if _POINT_SINGLE.unpack(body)[1] == value:
            return body, _SINGLE
    return _POINT_DOUBLE.pack(step, value), _DOUBLE


def _encode_values(values: FloatArray) -> tuple[int, bytes]:
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype("<f4")
    if np.array_equal(_as_double(single).view(np.int64), values.astype(np.float64, copy=False).view(np.int64)):
        return _SINGLE, single.tobytes()
    return _DOUBLE, values.astype("<f8").tobytes()


def _as_double(values: NDArray[Any]) -> FloatArray:
    with np.errstate(invalid="ignore"):  # a signalling NaN is a value like any other
        return values.astype(np.float64, copy=False)


def _encode_steps(steps: FloatArray) -> tuple[int, bytes]:
    raw = _RAW, steps.astype("<f8").tobytes()
    if len(steps) <= 2:
        return raw
    if not _are_plain_integers(steps):
        return _packed(steps) or raw
    whole = steps.astype(np.int64)
    deltas = np.diff(whole)
    least, most = int(deltas.min()), int(deltas.max())
    if least == most:
        return _STRIDE, _STRIDES.pack(int(whole[0]), least)
    for dtype in _DELTA_TYPES:
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return _DELTAS, _FIRST.pack(int(whole[0])) + deltas.astype(dtype).tobytes()
    return _packed(steps) or raw


def _packed(steps: FloatArray) -> tuple[int, bytes] | None:
    """Sorted floats have neighbours whose bits differ little, and much alike; None where that saves nothing."""
    if len(steps) < _PACKING_PAYS:
        return None
    bits = np.ascontiguousarray(steps, "<f8").view("<i8")
    with np.errstate(over="ignore"):
        planes = np.diff(bits, prepend=np.int64(0)).view(np.uint8).reshape(-1, 8).T
    packed = ZstdCompressor(level=1).compress(planes.tobytes())
    return (_PACKED, packed) if len(packed) < steps.nbytes else None


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
    if kind == _PACKED and (steps := _unpacked(block[start:end], count)) is not None:
        return steps
    raise CorruptBlock(f"{size} bytes of steps of kind {kind} are not {count} steps")


def _unpacked(packed: bytes, count: int) -> FloatArray | None:
    try:
        planes = ZstdDecompressor().decompress(packed, max_output_size=8 * count)
    except ZstdError:
        return None
    if len(planes) != 8 * count:
        return None
    deltas = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(8, count).T).view("<i8")[:, 0]
    return deltas.cumsum().view(np.float64)
