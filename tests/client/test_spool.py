"""The spool's bytes: what was written is read, wherever reading stops, and damage is seen."""

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
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


def one_by_one(segment: bytes) -> Iterator[records.Points]:
    for _, record in records.Reader().read(segment):
        if isinstance(record, records.Points):
            yield record


def together(segment: bytes) -> Iterator[records.Points]:
    """Calls with the same names at once, at most seven points' worth."""
    reader, offset = records.Reader(), 0
    while True:
        if (found := reader.calls(segment, offset, 7)) is not None:
            offset, (names, steps, columns) = found
            assert len(steps) == 1 or len(steps) * len(names) <= 7
            yield from (records.Points(names, *call) for call in zip(steps, zip(*columns, strict=True), strict=True))
        elif (other := next(reader.read(segment, offset), None)) is not None:
            offset = other[0]
        else:
            return


WAYS = pytest.mark.parametrize("points_in", [one_by_one, together])
Reading = Callable[[bytes], Iterator[records.Points]]


@WAYS
@given(calls=CALLS)
def test_what_was_written_is_read_to_the_last_bit(
    points_in: Reading, calls: list[tuple[int, dict[str, float]]]
) -> None:
    segment, expected = written(calls)
    assert same(list(points_in(segment)), expected)


@WAYS
@given(calls=CALLS, data=st.data())
def test_a_segment_cut_off_anywhere_gives_its_whole_records(
    points_in: Reading, calls: list[tuple[int, dict[str, float]]], data: st.DataObject
) -> None:
    segment, expected = written(calls)
    cut = segment[: data.draw(st.integers(0, len(segment)))]
    read = list(points_in(cut))
    assert same(read, expected[: len(read)])
    assert len(read) == len(expected) or len(cut) < len(segment)


@WAYS
@given(calls=CALLS.filter(bool), data=st.data())
def test_no_flipped_bit_becomes_a_point(
    points_in: Reading, calls: list[tuple[int, dict[str, float]]], data: st.DataObject
) -> None:
    segment, expected = written(calls)
    place = data.draw(st.integers(0, len(segment) - 1))
    damaged = bytearray(segment)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    read: list[records.Points] = []
    with suppress(records.Damaged):
        for points in points_in(bytes(damaged)):
            read.append(points)  # noqa: PERF402 - what came before the damage is kept
    assert len(read) < len(expected) or not expected
    assert same(read, expected[: len(read)])


# Five calls' segment as the first version wrote it: (1, loss 0.5, lr 0.1), (2, loss nan, lr 0.1), (2.5, acc inf), an
# update, (3, loss -0.0, lr 1e-300), finished.
SEGMENT = bytes.fromhex(
    "130000007815d11701000000005b226c6f7373222c20226c72225d1d0000002613c6000200000000000000000000f03f0000"
    "00000000e03f9a9999999999b93f1d000000525e182f02000000000000000000000040000000000000f87f9a9999999999b9"
    "3f0c000000b054703f01010000005b22616363225d15000000ddd1d8c302010000000000000000000440000000000000f07f"
    "0100000037be0b4b031d000000668db67a02000000000000000000000840000000000000008059f3f8c21f6ea50109000000"
    "f73188780466696e6973686564"
)


def test_a_spool_of_the_first_version_is_read(tmp_path: Path) -> None:
    one = session(tmp_path)
    one.path(1).write_bytes(SEGMENT)
    backlog = Backlog(one, Notices())
    before = backlog.next(100)
    assert before is not None
    assert (before.calls, before.points, before.then) == (3, 5, records.Update())
    assert before.curves["lr"] == ([1.0, 2.0], [0.1, 0.1])
    assert before.curves["loss"][0] == [1.0, 2.0]
    assert before.curves["loss"][1][0] == 0.5
    assert math.isnan(before.curves["loss"][1][1])
    assert before.curves["acc"] == ([2.5], [math.inf])
    backlog.done(before)
    after = backlog.next(100)
    assert after is not None
    assert after.curves["lr"] == ([3.0], [1e-300])
    assert math.copysign(1, after.curves["loss"][1][0]) == -1
    assert after.then == records.Finish("finished")


def test_what_is_written_now_is_what_the_first_version_wrote(tmp_path: Path) -> None:
    """An older `curvewise-client sync` sends what this version's jobs leave."""
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    writer.points(1, {"loss": 0.5, "lr": 0.1})
    writer.points(2, {"loss": math.nan, "lr": 0.1})
    writer.points(2.5, {"acc": math.inf})
    writer.update()
    writer.points(3, {"loss": -0.0, "lr": 1e-300})
    writer.finish("finished")
    assert one.path(1).read_bytes() == SEGMENT


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


def test_the_last_batch_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends what had been logged when it began stops there, though the job goes on."""
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 300)
    one = session(tmp_path)
    writer = spooling.Spool(one, Notices())
    backlog = Backlog(one, Notices(), writer)
    for step in range(20):
        writer.points(step, {"x": float(step)})
    seen = []
    while (batch := backlog.next(7)) is not None:
        seen.append((batch.curves["x"][0][-1], batch.last))
        backlog.done(batch)
    assert [last for _, last in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1][0] == 19.0
    writer.points(20, {"x": 20.0})
    folder, one.folder = one.folder, None  # as a disk that takes no new file
    for step in range(21, 40):
        writer.points(step, {"x": float(step)})
    one.folder = folder
    assert writer.memory_bytes()
    assert (on_disk := backlog.next(1000)) is not None
    assert not on_disk.last
