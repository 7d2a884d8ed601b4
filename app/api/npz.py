"""NumPy's .npz, read within bounds: arrays of numbers alone, and never more of them in memory than was allowed.

`numpy.load` would make room for whatever size a header claims before it looks at what follows, so headers are held
against the file first. Objects, which only pickle could read, are refused by their type.
"""

import io
import math
import tokenize
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from app.ensembles.predictions import KINDS, TARGETS, Array
from app.errors import InvalidInput, TooLarge, UnreadableBody

NPZ = "application/x-npz"
OCTETS = "application/octet-stream"

_ENTRY = b"PK\x01\x02"  # begins what a zip file's directory says of one file
_MOST_FILES = 8
_END = ".npy"
_LONGEST_HEADER = 10_000  # [characters]; numpy's own bound
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_TORN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError,
    NotImplementedError, OverflowError, MemoryError, SyntaxError, tokenize.TokenError, Warning,
)  # fmt: skip


def read_npz(body: bytes, most: int) -> dict[str, Array]:
    """The arrays of an .npz file by name. most: bytes that they may have unpacked, together.

    Raises UnreadableBody for what is no such file, TooLarge, InvalidInput for arrays of another name or of objects.
    """
    if not body:
        raise UnreadableBody("the body is empty; send an .npz file, as numpy.savez writes it")
    # Each entry becomes an object many times its size, before anybody could count them.
    if body.count(_ENTRY) > _MOST_FILES:
        raise InvalidInput(f"the file holds more than {_MOST_FILES} arrays; it is to hold `targets` and one other")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return _arrays(archive, most)
    except _TORN as error:
        raise UnreadableBody(f"the body is not a whole .npz file, as numpy.savez writes it: {error}") from error


def _arrays(archive: zipfile.ZipFile, most: int) -> dict[str, Array]:
    found: dict[str, Array] = {}
    left = most
    for entry in archive.infolist():
        name = entry.filename.removesuffix(_END)
        if name not in {*KINDS, TARGETS} or not entry.filename.endswith(_END) or name in found:
            raise InvalidInput(
                f"the file holds {entry.filename[:100]!a}; it is to hold the array `targets` and one of "
                f"{', '.join(f'`{kind}`' for kind in KINDS)}, each once"
            )
        if entry.compress_type not in _READABLE or entry.flag_bits & _ENCRYPTED:
            raise UnreadableBody(f"{entry.filename} is packed in another way than numpy.savez packs")
        if entry.file_size > left:
            raise TooLarge(f"the arrays are over {most} bytes unpacked; send fewer examples, or float16")
        left -= entry.file_size
        with archive.open(entry) as file:
            found[name] = _array(name, file, entry.file_size)
    return found


def _array(name: str, file: Any, size: int) -> Array:
    """One array of a file of that many bytes, in the byte order and the order of memory that it was sent in."""
    shape, by_columns, dtype = _header(name, file)
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise InvalidInput(f"{name} is of objects or records ({dtype}), which is not read; send plain numbers")
    data = file.read(size)
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise UnreadableBody(f"{name} is {len(data)} bytes, which is not {shape} of {dtype}")
    if not dtype.itemsize:
        raise InvalidInput(f"{name} is {dtype}, which holds nothing; send plain numbers")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")


def _header(name: str, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file, max_header_size=_LONGEST_HEADER)
    if version == (2, 0):
        return npy.read_array_header_2_0(file, max_header_size=_LONGEST_HEADER)
    raise InvalidInput(f"{name} is written in version {version} of the .npy format, which is for records; send numbers")
