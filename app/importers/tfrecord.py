"""TFRecord: `length u64, masked crc32c of it, data, masked crc32c of that`, little endian, one after the other."""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import google_crc32c

_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")
_MASK = 0xA282EAD8


def starts(data: bytes) -> bool:
    """Whether these first bytes of a file are the head of a record: four bytes of checksum are no accident."""
    return len(data) >= _HEAD.size and _length(data[: _HEAD.size]) is not None


def records(file: BinaryIO, damaged: Callable[[str], None]) -> Iterator[bytes]:
    """The records of a file from where it stands. damaged: told, in a sentence, what could not be read.

    A file that ends within a record was cut there by a crash, or its writer is not done. A record whose own checksum is
    wrong is passed over; after a head that is wrong nobody knows where the next one begins.
    """
    while head := file.read(_HEAD.size):
        place = file.tell() - len(head)
        length = _length(head)
        if length is None:
            torn = len(head) < _HEAD.size
            damaged(f"the record at byte {place} is {'torn' if torn else 'damaged'}: left out with all after it")
            return
        data, foot = _read(file, length), file.read(_FOOT.size)
        if len(data) < length or len(foot) < _FOOT.size:
            damaged(f"the record at byte {place} is torn: left out")
            return
        if _FOOT.unpack(foot)[0] == _masked(data):
            yield data
        else:
            damaged(f"the record at byte {place} is damaged: left out")


def _read(file: BinaryIO, length: int) -> bytes:
    """At most `length` bytes, in pieces: a length may be right by its checksum and still be larger than any memory."""
    pieces = []
    while length and (piece := file.read(min(length, 2**24))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _length(head: bytes) -> int | None:
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    return int(length) if checksum == _masked(head[:8]) else None


def _masked(data: bytes) -> int:
    checksum: int = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF
