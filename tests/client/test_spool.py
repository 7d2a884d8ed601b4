"""The spool's bytes: what was written is read, wherever reading stops, and damage is seen."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvewise_client import records, sessions
from curvewise_client import spool as spooling
from curvewise_client.backlog import Backlog
from curvewise_client.notices import Notices

CALLS = st.lists(
    st.tuples(
        st.integers(0, 2**53),
        st.dictionaries(st.sampled_from(["loss", "lr", "acc", "ä/β"]), st.floats(), min_size=1),
    ),
    max_size=30,
)


def written(calls: list[tuple[int, dict[str, float]]]) -> tuple[bytes, list[records.Points]]:
    """A segment of these calls, and what is to be read from it."""
    layouts: dict[tuple[str, ...], records.Layout] = {}
    segment, expected = b"", []
    for step, metrics in calls:
        names = tuple(metrics)
        if names not in layouts:
            layouts[names] = records.layout(len(layouts), names)
            segment += layouts[names].names_record
        segment += records.points_record(layouts[names], step, list(metrics.values()))
        expected.append(records.Points(names, float(step), tuple(metrics.values())))
    return segment, expected


def same(read: list[records.Points], expected: list[records.Points]) -> bool:
    def bits(points: records.Points) -> object:
        return tuple(points.names), points.step, [struct.pack("<d", value) for value in points.values]

    return [bits(points) for points in read] == [bits(points) for points in expected]


def points_in(segment: bytes) -> list[records.Points]:
    return [record for _, record in records.Reader().read(segment) if isinstance(record, records.Points)]


@given(CALLS)
def test_what_was_written_is_read_to_the_last_bit(calls: list[tuple[int, dict[str, float]]]) -> None:
    segment, expected = written(calls)
    assert same(points_in(segment), expected)


@given(CALLS, st.data())
def test_a_segment_cut_off_anywhere_gives_its_whole_records(
    calls: list[tuple[int, dict[str, float]]], data: st.DataObject
) -> None:
    segment, expected = written(calls)
    cut = segment[: data.draw(st.integers(0, len(segment)))]
    read = points_in(cut)
    assert same(read, expected[: len(read)])
    assert len(read) == len(expected) or len(cut) < len(segment)


@given(CALLS.filter(bool), st.data())
def test_no_flipped_bit_becomes_a_point(calls: list[tuple[int, dict[str, float]]], data: st.DataObject) -> None:
    segment, expected = written(calls)
    place = data.draw(st.integers(0, len(segment) - 1))
    damaged = bytearray(segment)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    read: list[records.Points] = []
    try:
        for _, record in records.Reader().read(bytes(damaged)):
            if isinstance(record, records.Points):
                read.append(record)
    except records.Damaged:
        pass
    assert len(read) < len(expected) or not expected
    assert same(read, expected[: len(read)])


def session(folder: Path) -> sessions.Session:
    return sessions.create(folder, sessions.About("p", "r", "http://127.0.0.1:9", {}))


def drained(backlog: Backlog, most_points: int = 7) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    while (batch := backlog.next(most_points)) is not None:
        assert backlog.next(most_points) == batch  # the same again until it is done
        found += list(zip(*batch.curves.get("x", ()), strict=True))
        backlog.done(batch)
    return found


def test_a_new_reader_goes_on_where_the_last_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 500)
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    for step in range(100):
        writer.points(step, {"x": float(step)})
    found = []
    while True:
        backlog = Backlog(one, Notices(), writer)  # a new process: nothing is known but what is on disk
        if (batch := backlog.next(7)) is None:
            break
        found += list(zip(*batch.curves["x"], strict=True))
        backlog.done(batch)
    assert found == [(float(step), float(step)) for step in range(100)]
    assert len(one.segments()) == 1  # what was acknowledged is gone


def test_what_waited_in_memory_keeps_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk refuses, takes again, refuses again: the order is that of the calls."""
    monkeypatch.setattr(spooling, "_RETRY_S", 0.0)
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 300)
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    backlog = Backlog(one, Notices(), writer)
    folder, found = one.folder, []
    for step in range(300):
        if step % 30 == 10:
            one.folder = None  # as a disk that takes no new file
        if step % 30 == 25:
            one.folder = folder
        writer.points(step, {"x": float(step)})
        if step % 13 == 0 and one.folder is not None:
            found += drained(backlog)
    one.folder = folder
    found += drained(backlog)
    assert found == [(float(step), float(step)) for step in range(300)]


def test_names_that_change_with_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_MOST_NAMES", 10)
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    for step in range(100):
        writer.points(step, {"x": float(step), f"y{step}": 0.0})
    assert drained(Backlog(one, Notices())) == [(float(step), float(step)) for step in range(100)]


def test_a_call_larger_than_a_piece_is_read(tmp_path: Path) -> None:
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    writer.points(1, {"x": 1.0, **{f"{'n' * 60}{number}": 0.0 for number in range(9_000)}})
    writer.points(2, {"x": 2.0})
    assert drained(Backlog(one, Notices())) == [(1.0, 1.0), (2.0, 2.0)]
