"""Curves leave in pieces, and read back the same in every format."""

import io
import json
import math
from collections.abc import Iterator

import httpx
import nanoarrow
import pytest

from tests.api.asserts import assert_problem

POINTS = 40_000
ARROW = "application/vnd.apache.arrow.stream"
Table = dict[str, tuple[list[float], list[float]]]


@pytest.fixture
def long_run(client: httpx.Client, run: str) -> str:
    values: list[object] = [math.sin(step) / 3 for step in range(POINTS)]
    values[1234], values[4321], values[39_999] = "NaN", "-Infinity", 1e-308
    for start in range(0, POINTS, 2500):
        column = {"steps": [step + 0.25 for step in range(start, start + 2500)], "values": values[start : start + 2500]}
        assert client.post(f"{run}/points", json={"curves": {"Verlust/ä": column, "lr": column}}).status_code == 200
    return run


def from_json(reply: httpx.Response) -> Table:
    curves = reply.raise_for_status().json()["curves"]
    return {name: (c["steps"], [float(v) for v in c["values"]]) for name, c in curves.items()}


def from_lines(reply: httpx.Response) -> Table:
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    found: Table = {}
    for line in reply.raise_for_status().text.splitlines():
        piece = json.loads(line)
        steps, values = found.setdefault(piece["curve"], ([], []))
        steps += piece["steps"]
        values += [float(value) for value in piece["values"]]
    return found


def from_arrow(reply: httpx.Response) -> Table:
    assert reply.headers["content-type"] == ARROW
    found: Table = {}
    for row in rows(reply.raise_for_status().content):
        steps, values = found.setdefault(str(row["curve"]), ([], []))
        steps.append(row["step"])
        values.append(row["value"])
    return found


def rows(content: bytes) -> Iterator[dict[str, float]]:
    with nanoarrow.ArrayStream.from_readable(io.BytesIO(content)) as stream:
        for batch in stream:
            yield from batch.to_pylist()


def same(one: Table, other: Table) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def test_every_format_holds_the_same_numbers(client: httpx.Client, long_run: str) -> None:
    curves = from_json(client.get(f"{long_run}/curves"))
    assert {name: len(steps) for name, (steps, _) in curves.items()} == {"Verlust/ä": POINTS, "lr": POINTS}
    for read, name, media_type in ((from_lines, "ndjson", "application/x-ndjson"), (from_arrow, "arrow", ARROW)):
        assert same(read(client.get(f"{long_run}/curves", headers={"Accept": media_type})), curves)
        one = read(client.get(f"{long_run}/curves", params={"format": name, "name": "lr"}))
        assert same(one, {"lr": curves["lr"]})


def test_a_stream_can_be_thinned(client: httpx.Client, long_run: str) -> None:
    thin = from_json(client.get(f"{long_run}/curves", params={"max_points": 50}))
    for read, name in ((from_lines, "ndjson"), (from_arrow, "arrow")):
        assert same(read(client.get(f"{long_run}/curves", params={"max_points": 50, "format": name})), thin)


def test_a_run_without_points_is_an_empty_table(client: httpx.Client, run: str) -> None:
    assert client.get(f"{run}/curves", params={"format": "ndjson"}).content == b""
    assert list(rows(client.get(f"{run}/curves", params={"format": "arrow"}).content)) == []


def test_what_is_not_there_is_a_problem_in_any_format(client: httpx.Client, run: str) -> None:
    for name in ("ndjson", "arrow"):
        reply = client.get(f"{run}/curves", params={"format": name, "name": "none"})
        assert_problem(reply, 404, "unknown-curve")
        assert_problem(client.get(f"{run}x/curves", params={"format": name}), 404, "unknown-run")
    assert_problem(client.get(f"{run}/curves", params={"format": "csv"}), 422, "invalid-input")
