"""The small forms of the benchmarks that start servers, and that what they check can fail."""

import asyncio
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

import jobs
import stored
from app.api.streams import arrow
from app.curves.curve import Curve
from app.storage import chunks, compaction
from app.storage.database import Database
from app.storage.tables import curves as curve_table
from connection import Connection
from ledger import Written, lost, values
from serving import curvewise, serving

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def run(script: str, *arguments: str) -> Any:
    command = [sys.executable, BENCHMARKS / script, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_ingest_measures_a_real_server_beside_a_floor() -> None:
    rows = run("ingest.py", "--small")
    assert [(row["server"], row["points"], row["clients"]) for row in rows] == [
        (server, points, 8) for points in (1, 100) for server in ("floor", "curvewise")
    ]
    for row in rows:
        assert row["refused"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["points_per_s"] == pytest.approx(row["requests_per_s"] * row["points"])
    assert [row["of_floor"] for row in rows[::2]] == [1, 1]


def test_fairness_measures_a_job_beside_a_flood() -> None:
    alone, beside, flood = run("fairness.py", "--small", "--token-requests-per-s", "100")
    assert (alone["refused"], beside["refused"]) == (0, 0)
    assert flood["refused"] > 0
    assert beside["of_alone"] == pytest.approx(beside["p99_ms"] / alone["p99_ms"])


def test_telling_asks_in_turn_of_what_is_foreign_and_what_is_missing() -> None:
    rows = run("telling.py", "--requests", "10")
    assert len({row["what"] for row in rows}) == 6
    for row in rows:
        assert row["requests"] == 20
        assert 0 <= row["low"] <= row["auc"] <= row["high"] <= 1


def test_read_measures_the_rules_the_streams_and_the_thinned() -> None:
    figures = run("read.py", "--small")
    assert [(row["points"], row["state"]) for row in figures["rules"]] == [
        (100_000, "settled"),
        (100_000, "255 chunks of 196 not settled"),
    ]
    assert all(row["floor_ms"] < row["every_point_ms"] for row in figures["rules"])
    full = {(row["format"], row["points"]): row for row in figures["full"]}
    assert list(full) == [(form, points) for form in ("ndjson", "arrow") for points in (100_000, 1_000_000)]
    for form in ("ndjson", "arrow"):
        short, long = full[form, 100_000], full[form, 1_000_000]
        assert long["mb"] / short["mb"] == pytest.approx(10, rel=0.1)
        # A million points in one piece would be 28 MB of text or more, and several times that as objects.
        assert long["memory_most_mb"] - long["memory_before_mb"] < 60
    assert [(row["points"], row["shown"]) for row in figures["thinned"]] == [(1_000, 500), (100_000, 500)]
    short, long = figures["thinned"]
    assert long["thinned_ms"] < 10 * short["thinned_ms"]
    assert long["unchanged_ms"] < 10 * short["unchanged_ms"]


def test_listing_asks_for_pages_in_every_order_and_through_every_filter() -> None:
    rows = {row["question"]: row for row in run("listing.py", "--small")}
    assert {"sort=name", "sort=updated, deep", "finding=overfitting", "tag=seed=7", "state=stalled"} <= rows.keys()
    assert rows["sort=updated"]["runs"] == 100
    assert rows["state=stalled"]["runs"] == 5
    assert rows["tag of nobody"]["runs"] == rows["finding of nobody"]["runs"] == 0
    assert all(0 < row["median_ms"] <= row["largest_ms"] for row in rows.values())


def test_latency_measures_fresh_curves_beside_a_floor_and_stored_ones_after_an_append() -> None:
    figures = run("latency.py", "--small")
    assert [row["points"] for row in figures["fresh"]] == [100, 1_000, 10_000]
    for row in figures["fresh"]:
        assert 0 < row["median_ms"] <= row["p99_ms"]
        assert row["ratio"] == pytest.approx(row["median_ms"] / row["floor_ms"])
    short, long = figures["appended"]
    assert (short["points"], long["points"]) == (1_000, 100_000)
    assert short["of_base"] == 1
    assert long["of_base"] == pytest.approx(long["median_ms"] / short["median_ms"])
    assert long["of_base"] < 10


def test_soak_finds_every_acknowledged_point_of_runs_that_come_and_go() -> None:
    figures = run("soak.py", "--small")
    assert len(figures["slices"]) == 3
    for row in figures["slices"]:
        assert min(row[f"{kind}_count"] for kind in ("write", "diagnosis", "curve")) > 0
        assert row["write_p50_ms"] <= row["write_p99_ms"]
        assert row["memory_mb"] > 20
    totals = figures["totals"]
    assert totals["deleted"] > 0
    assert totals["verified"] >= totals["points"] > 1000
    assert [totals.get(name, 0) for name in ("lost", "wrong", "broken")] == [0, 0, 0]


def test_soak_prints_a_line_for_each_slice() -> None:
    command = [sys.executable, BENCHMARKS / "soak.py", "--small"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    heading = next(number for number, line in enumerate(printed) if "server MB" in line)
    assert [len(line.split()) for line in printed[heading + 1 : heading + 4]] == [19, 19, 19]
    assert "0 lost" in printed[-1]


def test_a_point_that_the_server_does_not_have_is_lost() -> None:
    async def written_and_verified() -> int:
        site = jobs._Site(jobs.Load(server.url, 1, 1), multiprocessing.get_context("spawn").Queue())
        connection, known = Connection(server.url), Written("r", 7)
        await site.timed("open", connection, "PUT", "/runs/r")
        await site.append(connection, known, 10)
        await site.verify(connection, known)
        assert site.totals["lost"] == 0
        known.sent = known.acknowledged = 12
        await site.verify(connection, known)
        await site.verify(connection, Written("another", 8, 5, 5))
        connection.close()
        return site.totals["lost"]

    with serving(curvewise(), "/readyz") as server:
        assert asyncio.run(written_and_verified()) == 2 + 5


def stream(steps: Iterable[float], seed: int) -> bytes:
    at = np.array(list(steps), float)
    return b"".join(arrow(iter([Curve("train/loss", at, values(seed, at))])))


def test_a_missing_and_an_altered_point_are_lost_and_an_unknown_one_is_an_error() -> None:
    known = Written("r", seed=3, sent=110, acknowledged=100)
    assert lost(known, stream(range(100), 3)) == 0
    assert lost(known, stream(range(110), 3)) == 0  # those that were sent and never answered may be there
    assert lost(known, stream([*range(40), *range(41, 110)], 3)) == 1
    assert lost(known, stream(range(100), 4)) == 100
    assert lost(known, stream([], 3)) == 100
    for never_sent in ([0, 1, 2, 110], [0, 0.5]):
        with pytest.raises(ValueError, match="never sent"):
            lost(known, stream(never_sent, 3))


@pytest.mark.parametrize(("points", "batch", "tail"), [(1000, 10, 0), (1000, 10, 37), (70, 1, 64), (20_000, 10, 255)])
def test_stored_runs_lie_as_a_server_lays_them(database: Database, points: int, batch: int, tail: int) -> None:
    made = stored.loss(points)
    run_id = stored.write(database, "r", made, batch, tail)
    with database.reading() as connection:
        assert compaction.tails(connection, run_id) == ({1: tail} if tail else {})
        assert (connection.execute(select(curve_table.c.settled)).scalar_one() > 0) is (tail < points / batch)
        read = chunks.read(connection, run_id, ["train/loss"])["train/loss"]
    steps, found = made["train/loss"]
    assert read.steps.tobytes() == steps.tobytes()
    assert read.values.tobytes() == found.tobytes()


def test_a_request_that_breaks_off_is_sent_again_and_counted() -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2",
    ]
    answers.append(answers[1] + b"\r\nde\r\n0\r\n\r\n")
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"body"))
        writer.write(answers[len(asked) - 1])
        writer.close()

    async def ask() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = Connection(f"http://127.0.0.1:{port}")
            reply = await connection.request("POST", "/there", b"body", "X-C: d\r\n")
            connection.close()
        assert (reply.status, reply.headers["x-a"], reply.body) == (200, "b", b"abcde")
        assert connection.broken == 2

    asyncio.run(ask())
    assert asked[0].startswith(b"POST /there HTTP/1.1\r\n")
    assert len(set(asked)) == 1
