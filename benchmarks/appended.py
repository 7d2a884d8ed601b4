"""What a diagnosis costs when a job has just sent 100 more points, however long its run is already."""

import time
from collections.abc import Mapping, Sequence

import httpx
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import stored
from serving import curvewise, machine, serving

LENGTHS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SMALL_LENGTHS = (1_000, 100_000)
BASE = 10_000  # [points]: what the ratio is to
_APPENDED = 100  # [points]

Row = dict[str, float]


def measure(made: Mapping[int, stored.Arrays], repeats: int, database_url: str | None = None) -> list[Row]:
    """made: length of a run [points] -> its curves, one after the other. A row for each, from a real server.

    Before every diagnosis 100 points more are sent. The runs take turns, so that whatever else the machine does is
    spread over all of them.
    """
    with stored.database(database_url) as (url, database):
        for points, curves in made.items():
            stored.write(database, _name(points), curves)
        with serving(curvewise(url), "/readyz") as server, httpx.Client(base_url=server.url, timeout=60) as http:
            for points, curves in made.items():
                plan = {"num_classes": 10, "planned_steps": 2.0 * points}
                http.put(_path(points), json={"context": plan}).raise_for_status()
                _diagnosis_seconds(http, points, curves, 0)
            times: dict[int, list[float]] = {points: [] for points in made}
            unchanged: dict[int, list[float]] = {points: [] for points in made}
            for repeat in range(1, repeats + 1):
                for points, curves in made.items():
                    seconds, etag = _diagnosis_seconds(http, points, curves, repeat)
                    times[points].append(seconds)
                    unchanged[points].append(_unchanged_seconds(http, points, etag))
    return [_row(points, times[points], unchanged[points], times[min(made, key=_from_base)]) for points in made]


def _name(points: int) -> str:
    return f"r{points}"


def _path(points: int) -> str:
    return f"/api/v1/projects/{stored.PROJECT}/runs/{_name(points)}"


def _from_base(points: int) -> int:
    return abs(points - BASE)


def _diagnosis_seconds(http: httpx.Client, points: int, curves: stored.Arrays, repeat: int) -> tuple[float, str]:
    """Append points that go on where the curves end, then how long their diagnosis takes [s], and its ETag."""
    many = _APPENDED // len(curves)
    columns = {}
    for name, (steps, values) in curves.items():
        after = steps[-1] + 1 + repeat * many
        columns[name] = {"steps": [after + i for i in range(many)], "values": values[-many:].tolist()}
    http.post(f"{_path(points)}/points", json={"curves": columns}).raise_for_status()
    begin = time.perf_counter()
    reply = http.get(f"{_path(points)}/diagnosis").raise_for_status()
    seconds = time.perf_counter() - begin
    assert reply.json()["through_step"] == after + many - 1
    return seconds, reply.headers["etag"]


def _unchanged_seconds(http: httpx.Client, points: int, etag: str) -> float:
    begin = time.perf_counter()
    reply = http.get(f"{_path(points)}/diagnosis", headers={"If-None-Match": etag})
    assert reply.status_code == 304
    return time.perf_counter() - begin


def _row(points: int, times: Sequence[float], unchanged: Sequence[float], base: Sequence[float]) -> Row:
    return {
        "points": points,
        "repeats": len(times),
        "median_ms": 1e3 * float(np.median(times)),
        "p99_ms": 1e3 * float(np.quantile(times, 0.99)),
        "unchanged_ms": 1e3 * float(np.median(unchanged)),
        "of_base": float(np.median(times) / np.median(base)),
    }


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table."""
    title = f"a diagnosis after {_APPENDED} points more, over HTTP, milliseconds, on {machine()}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("points before", "repeats", "median", "p99", f"of that at {BASE:,}", "304"):
        table.add_column(heading, justify="right")
    for row in rows:
        times = (f"{row[name]:.2f}" for name in ("median_ms", "p99_ms", "of_base", "unchanged_ms"))
        table.add_row(f"{row['points']:,.0f}", f"{row['repeats']:.0f}", *times)
    console.print(table)
