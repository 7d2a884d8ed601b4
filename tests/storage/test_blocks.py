import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.storage.blocks import CorruptBlock, decode, encode

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)
WHOLE = st.integers(-(2**53), 2**53).map(float)


def assert_round_trip(steps: np.ndarray, values: np.ndarray) -> None:
    again_steps, again_values = decode(encode(steps, values))
    # Bytes, not numbers: NaN payloads and the sign of zero count.
    assert again_steps.dtype == again_values.dtype == np.float64
    assert again_steps.tobytes() == steps.tobytes()
    assert again_values.tobytes() == values.tobytes()


@given(st.lists(st.tuples(st.one_of(FLOATS, WHOLE), FLOATS), min_size=1, max_size=50))
def test_any_floats_come_back_bit_for_bit(points: list[tuple[float, float]]):
    assert_round_trip(np.array([p[0] for p in points]), np.array([p[1] for p in points]))


@given(st.lists(WHOLE, min_size=1, max_size=50))
def test_any_whole_steps_come_back_bit_for_bit(steps: list[float]):
    assert_round_trip(np.array(steps), np.zeros(len(steps)))


@given(st.integers(0, 2**40), st.integers(-1000, 100_000), st.integers(1, 200))
def test_evenly_spaced_steps_come_back_bit_for_bit(first: int, stride: int, count: int):
    assert_round_trip(np.array([float(first + stride * i) for i in range(count)]), np.zeros(count))


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        np.nan,
        np.inf,
        -np.inf,
        -0.0,
        5e-324,
        3.4e38,
        3.5e38,
        np.finfo(float).max,
        struct.unpack("<d", b"\1\0\0\0\0\0\xf4\x7f")[0],
    ],
)
def test_the_ends_of_float64_are_kept(value: float):
    assert_round_trip(np.array([0.0, 1.0, 2.0**53]), np.array([value, 1.0, value]))
    assert_round_trip(np.array([7.0]), np.array([value]))


@pytest.mark.parametrize(
    ("steps", "bytes_a_step"),
    [
        (np.arange(0.0, 10_000.0, 10), 0.1),
        (np.cumsum(np.tile([1.0, 2.0], 500)), 1.1),
        (np.cumsum(np.tile([1.0, 200.0], 500)), 2.1),
        (np.cumsum(np.tile([1.0, 70_000.0], 500)), 4.1),
        (np.cumsum(np.tile([1.0, 2.0**33], 500)), 8.1),
        (np.arange(1000) + 0.5, 8.1),
    ],
)
def test_steps_cost_what_their_pattern_needs(steps: np.ndarray, bytes_a_step: float):
    assert_round_trip(steps, steps)
    assert len(encode(steps, steps)) / len(steps) - 8 <= bytes_a_step


BLOCK = encode(np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize("end", range(len(BLOCK)))
def test_a_torn_block_is_refused(end: int):
    with pytest.raises(CorruptBlock):
        decode(BLOCK[:end])


@pytest.mark.parametrize("at", range(len(BLOCK)))
def test_a_changed_byte_is_refused(at: int):
    changed = bytearray(BLOCK)
    changed[at] ^= 1
    with pytest.raises(CorruptBlock):
        decode(bytes(changed))


def test_a_later_format_is_refused_by_its_number():
    with pytest.raises(CorruptBlock, match="version 3"):
        decode(b"\3" + BLOCK[1:])


@pytest.mark.parametrize(
    ("kind", "count", "size"), [(0, 2, 24), (1, 2, 24), (2, 2, 20), (2, 1, 16), (9, 1, 16), (0, 0, 3)]
)
def test_a_block_whose_parts_do_not_fit_is_refused(kind: int, count: int, size: int):
    body = bytes(size)
    with pytest.raises(CorruptBlock, match="are not"):
        decode(struct.pack("<BBII", 1, kind, count, zlib.crc32(body)) + body)
