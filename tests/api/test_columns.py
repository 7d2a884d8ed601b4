import json

import numpy as np
import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from app.api.columns import MOST_CURVES, MOST_VALUES, read_columns, read_lines
from app.api.diagnoses import DiagnoseIn
from app.api.points import PointsIn
from app.errors import TooLarge, UnreadableBody

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
STEPS = st.floats(min_value=0, max_value=2**53) | st.integers(min_value=0, max_value=2**53)


@given(st.lists(st.tuples(STEPS, FLOATS | st.integers())))
def test_numbers_are_read_as_they_are_or_refused(points: list[tuple[float, float]]) -> None:
    text = json.dumps({"curves": {"a": {"steps": [p[0] for p in points], "values": [p[1] for p in points]}}})
    _, batch = read_columns(PointsIn, text.encode())
    refused = {rejected.index for rejected in batch.rejected}
    kept = [point for index, point in enumerate(points) if index not in refused]
    steps = np.concatenate([part.steps for part in batch.points] or [np.empty(0)]).tolist()
    values = np.concatenate([part.values for part in batch.points] or [np.empty(0)]).tolist()
    # An int equals a float only when that float is exactly it, so this is equality of what was written.
    assert [(s, v) for s, v in zip(steps, values, strict=True)] == kept
    assert all(
        isinstance(points[index][1], int) and float_of(points[index][1]) != points[index][1] for index in refused
    )


def float_of(integer: float) -> float | None:
    try:
        return float(integer)
    except OverflowError:
        return None


def test_plain_and_tolerant_reading_agree() -> None:
    plain = {"steps": [1, 2.5, 3], "values": [0.1, 7, -1e-9]}
    odd = {"steps": [1], "values": ["NaN"]}
    _, alone = read_columns(PointsIn, json.dumps({"curves": {"a": plain}}).encode())
    _, beside = read_columns(PointsIn, json.dumps({"curves": {"a": plain, "odd": odd}}).encode())
    assert alone.points[0].steps.tolist() == beside.points[0].steps.tolist() == plain["steps"]
    assert alone.points[0].values.tolist() == beside.points[0].values.tolist() == plain["values"]


def test_as_many_values_as_are_allowed_are_read() -> None:
    count = MOST_VALUES // 2 - 10
    body = b'{"curves": {"a": {"steps": [' + b"1," * (count - 1) + b'1], "values": [' + b"2," * (count - 1) + b"2]}}}"
    assert read_columns(PointsIn, body)[1].accepted == count


@pytest.mark.parametrize(
    "body",
    [
        b'{"points": [' + b"[]," * (MOST_VALUES // 2) + b"[]]}",
        b'{"points": [' + b"1," * MOST_VALUES + b"1]}",
        b'{"curves": {"a": {"steps": [' + b"1," * MOST_VALUES + b'1], "values": [1]}}}',
        b'{"points": [], ' + b", ".join(b'"%d": 0' % number for number in range(200_000)) + b"}",
        b'{"points": [], "x": "' + b"x" * 2_000_000 + b'"}',
    ],
    ids=["rows", "numbers", "steps", "fields", "text"],
)
def test_a_body_that_would_cost_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(TooLarge):
        read_columns(PointsIn, body)


def test_too_many_lines_or_curves_are_refused() -> None:
    with pytest.raises(TooLarge, match="values"):
        read_lines(b"1\n" * (MOST_VALUES + 1))
    column = {"steps": [1], "values": [1]}
    fits = {f"c{number}": column for number in range(MOST_CURVES)}
    assert read_columns(DiagnoseIn, json.dumps({"curves": fits}).encode())[1].accepted == MOST_CURVES
    with pytest.raises(TooLarge, match="curves"):
        read_columns(DiagnoseIn, json.dumps({"curves": {**fits, "one more": column}}).encode())
    with pytest.raises(TooLarge, match="curves"):
        read_lines(json.dumps({"step": 1, **dict.fromkeys(fits, 1), "one more": 1}).encode())


def test_thousands_of_wrong_fields_are_counted_and_not_listed() -> None:
    body = json.dumps({"points": [], **{f"x{number}": 0 for number in range(1500)}}).encode()
    with pytest.raises(RequestValidationError) as caught:
        read_columns(PointsIn, body)
    assert [error["msg"] for error in caught.value.errors()] == ["1500 fields are wrong"]


def test_nothing_at_all_is_unreadable() -> None:
    for body in (b"", b" ", b"\n\n"):
        with pytest.raises(UnreadableBody):
            read_lines(body)
