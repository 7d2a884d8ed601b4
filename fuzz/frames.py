"""Logs whose records carry checksums: taken apart, one record changed, and put together again whole.

Blind changes break a checksum nearly always, and what is behind it is then never reached. One change in four is blind
even so, for what the framing does with damage.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence

import google_crc32c

from app.importers import wandb
from fuzz.target import Mutate

_TF_HEAD, _TF_FOOT, _TF_MASK = struct.Struct("<QI"), struct.Struct("<I"), 0xA282EAD8
_WB_RECORD, _WB_BLOCK = struct.Struct("<IHB"), 32_768
_WB_WHOLE = 1  # the kind of a record that is not cut into pieces
Split = Callable[[bytes], list[bytes]]
Join = Callable[[Iterable[bytes]], bytes]


def mutating(split: Split, join: Join) -> Callable[[bytes, int, random.Random, Mutate], bytes]:
    """Changes one record, drops it, repeats it or puts it elsewhere."""

    def mutated(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
        records = split(data)
        if not records or chance.random() < 0.25:
            return mutate(data, most)
        place = chance.randrange(len(records))
        match chance.randrange(6):
            case 0:
                del records[place]
            case 1:
                records.insert(place, records[chance.randrange(len(records))])
            case 2:
                records.insert(chance.randrange(len(records)), records.pop(place))
            case _:
                records[place] = mutate(records[place], max(16, most // 4))
        return join(records)[:most]

    return mutated


def shortened(split: Split, join: Join, data: bytes, first: int = 24, last: int = 6, longest: int = 300) -> bytes:
    """The first and the last records of a long log: a seed is to be changed often, not to be long."""
    records = [record for record in split(data) if len(record) <= longest]
    return join([*records[:first], *records[max(first, len(records) - last) :]])


def tfrecords(data: bytes) -> list[bytes]:
    """The records by their lengths, whatever their checksums say; the last one as far as it goes."""
    records, place = [], 0
    while place + _TF_HEAD.size < len(data):
        length = min(_TF_HEAD.unpack_from(data, place)[0], len(data))
        place += _TF_HEAD.size
        records.append(data[place : place + length])
        place += length + _TF_FOOT.size
    return records


def as_tfrecords(records: Iterable[bytes]) -> bytes:
    """Records with the lengths and checksums that they should have."""
    parts = []
    for record in records:
        length = struct.pack("<Q", len(record))
        parts += [_TF_HEAD.pack(len(record), _masked(length)), record, _TF_FOOT.pack(_masked(record))]
    return b"".join(parts)


def wandb_records(data: bytes) -> list[bytes]:
    """The pieces in a W&B file of one block, whatever their checksums say."""
    records, place = [], len(wandb.HEAD)
    while place + _WB_RECORD.size < len(data):
        _, length, _ = _WB_RECORD.unpack_from(data, place)
        place += _WB_RECORD.size
        records.append(data[place : place + length])
        place += length
    return records


def as_wandb(records: Iterable[bytes]) -> bytes:
    """Whole records in one block, with the head before them."""
    parts: list[bytes] = [wandb.HEAD]
    for record in _fitting(list(records)):
        checksum = zlib.crc32(record, zlib.crc32(bytes([_WB_WHOLE])))
        parts += [_WB_RECORD.pack(checksum, len(record), _WB_WHOLE), record]
    return b"".join(parts)


def _fitting(records: Sequence[bytes]) -> list[bytes]:
    room, kept = _WB_BLOCK - len(wandb.HEAD), []
    for record in records:
        room -= _WB_RECORD.size + len(record)
        if room < 0:
            break
        kept.append(record)
    return kept


def _masked(data: bytes) -> int:
    checksum: int = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + _TF_MASK) & 0xFFFFFFFF
