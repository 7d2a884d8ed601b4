"""How fast stored points are read: into the rules, over HTTP in full and thinned, and when nothing has changed.

    read.py [--database-url URL] [--small] [--json]

Runs of 10^3 to 3 * 10^7 points of one curve are put into a new database as a server lays them down, then read: in this
process, as the rules get them and every point of them, beside the least that the same 16 bytes a point cost to read
from a file; and from a real server, over HTTP, in full as NDJSON and Arrow, with the most memory that the server holds
meanwhile, and thinned, judged, and answered with 304. Budgets: a million points into the rules within 50 ms and over
HTTP within 1 s, in memory that ten times the length does not change.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import stored
from app.storage import chunks, thinned
from app.storage.database import Database
from serving import Server, curvewise, machine, peak_memory_mb, serving

LENGTHS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SMALL_LENGTHS = (1_000, 100_000)
IN_FULL = (1_000_000, 3_000_000, 30_000_000)  # chunks do not grow beyond two million points
SMALL_IN_FULL = (100_000, 1_000_000)
MAX_POINTS = 500
_TAIL = 255  # chunks: a server settles the curve when there is one more
_CURVE = "train/loss"

Row = dict[str, float | str]
Figures = dict[str, list[Row]]


def measure(database_url: str | None, small: bool) -> Figures:
    """Three tables: `rules`, in this process; `full` and `thinned`, over HTTP."""
    lengths, longer = (SMALL_LENGTHS, SMALL_IN_FULL) if small else (LENGTHS, IN_FULL)
    repeats, long = (5, longer[0]) if small else (25, 1_000_000)
    with stored.database(database_url) as (url, database):
        ids = {n: stored.write(database, f"r{n}", stored.loss(n)) for n in sorted({*lengths, *longer})}
        batch = min(1000, long // (2 * _TAIL))
        tail = stored.write(database, "tail", stored.loss(long), batch, _TAIL)
        states = ((ids[long], "settled"), (tail, f"{_TAIL} chunks of {batch:,} not settled"))
        rules = [_into_rules(database, run_id, long, state, repeats) for run_id, state in states]
        with serving(curvewise(url), "/readyz") as server, httpx.Client(base_url=server.url, timeout=120) as http:
            thin = [_thinned(http, points, repeats) for points in lengths]
            full = [_in_full(server, http, n, form, 1 if small else 3) for form in ("ndjson", "arrow") for n in longer]
    return {"rules": rules, "full": full, "thinned": thin}


def _into_rules(database: Database, run_id: int, points: int, state: str, repeats: int) -> Row:
    def rules() -> None:
        with database.reading() as connection:
            thinned.read_for_rules(connection, run_id, [_CURVE])

    def every_point() -> None:
        with database.reading() as connection:
            read = chunks.read(connection, run_id, [_CURVE])
        assert len(read[_CURVE]) == points

    with TemporaryDirectory(prefix="curvewise-bench-") as folder:
        file = Path(folder) / "points"
        np.stack(stored.loss(points)[_CURVE]).tofile(file)
        least = _median_ms(lambda: np.frombuffer(file.read_bytes()).reshape(2, -1), repeats)
    return {
        "points": points,
        "state": state,
        "rules_ms": _median_ms(rules, repeats),
        "every_point_ms": _median_ms(every_point, repeats),
        "floor_ms": least,
    }


def _in_full(server: Server, http: httpx.Client, points: int, form: str, repeats: int) -> Row:
    path = f"/api/v1/projects/{stored.PROJECT}/runs/r{points}/curves?format={form}"
    sent = _drained(http, path)  # and the server has its imports
    before = server.memory_mb()
    with peak_memory_mb(server) as seen:
        seconds = _median_ms(lambda: _drained(http, path), repeats) / 1e3
    return {
        "points": points,
        "format": form,
        "seconds": seconds,
        "mb": sent / 1e6,
        "memory_before_mb": before,
        "memory_most_mb": max(before, *seen),
    }


def _drained(http: httpx.Client, path: str) -> int:
    """How many bytes came."""
    with http.stream("GET", path) as reply:
        reply.raise_for_status()
        return sum(len(piece) for piece in reply.iter_raw())


def _thinned(http: httpx.Client, points: int, repeats: int) -> Row:
    run = f"/api/v1/projects/{stored.PROJECT}/runs/r{points}"
    judged = http.get(f"{run}/diagnosis").raise_for_status()
    known = {"If-None-Match": judged.headers["etag"]}
    curve = http.get(f"{run}/curves", params={"max_points": MAX_POINTS}).raise_for_status().json()["curves"][_CURVE]

    def unchanged() -> None:
        assert http.get(f"{run}/diagnosis", headers=known).status_code == 304

    return {
        "points": points,
        "shown": len(curve["steps"]),
        "thinned_ms": _median_ms(lambda: http.get(f"{run}/curves", params={"max_points": MAX_POINTS}), repeats),
        "diagnosis_ms": _median_ms(lambda: http.get(f"{run}/diagnosis"), repeats),
        "unchanged_ms": _median_ms(unchanged, repeats),
    }


def _median_ms(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(times))


def show(console: Console, figures: Figures) -> None:
    """Print the tables."""
    console.print(f"reads on {machine()}\n")
    _print(
        console,
        "into this process, milliseconds",
        ("points", "state", "into the rules", "every point", "floor: the bytes from a file"),
        [
            (
                f"{r['points']:,}",
                r["state"],
                f"{r['rules_ms']:.1f}",
                f"{r['every_point_ms']:.1f}",
                f"{r['floor_ms']:.1f}",
            )
            for r in figures["rules"]
        ],
    )
    _print(
        console,
        "every point over HTTP",
        ("points", "format", "seconds", "MB sent", "server MB before", "most meanwhile"),
        [
            (
                f"{r['points']:,}",
                r["format"],
                f"{r['seconds']:.2f}",
                f"{r['mb']:.0f}",
                f"{r['memory_before_mb']:.0f}",
                f"{r['memory_most_mb']:.0f}",
            )
            for r in figures["full"]
        ],
    )
    _print(
        console,
        "over HTTP, milliseconds",
        ("points", "shown", f"max_points={MAX_POINTS}", "diagnosis, unchanged", "304"),
        [
            (
                f"{r['points']:,}",
                f"{r['shown']}",
                f"{r['thinned_ms']:.1f}",
                f"{r['diagnosis_ms']:.1f}",
                f"{r['unchanged_ms']:.1f}",
            )
            for r in figures["thinned"]
        ],
    )


def _print(console: Console, title: str, headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in {"state", "format"} else "right")
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--database-url", help="a Postgres that is migrated and empty, in place of a SQLite file")
    parser.add_argument("--small", action="store_true", help="short runs and few reads, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures = measure(arguments.database_url, arguments.small)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    show(Console(width=120, highlight=False), figures)


if __name__ == "__main__":
    main()
