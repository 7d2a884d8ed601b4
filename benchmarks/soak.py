"""Whether a server stays as it is under an hour of mixed load: its memory, its answers' latency, its promises.

    soak.py [--minutes N] [--slices N] [--database-url URL] [--workers N] [--small] [--json]

Fifteen training jobs that send 1, 10, 100 and 1,000 points a request, runs that are opened, closed and in the end
deleted, and four people who ask for diagnoses and curves, all in one load process beside a real server (see jobs.py).
The load is paced and the same from start to end. A line for each slice of the time. Every acknowledged point is looked
for, bit by bit: before its run is deleted, or at the end. Exits with 1 when one is missing or an answer was wrong.
"""

import argparse
import json
import multiprocessing
import queue
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import jobs
from serving import Server, curvewise, machine, serving

Row = dict[str, Any]
_KINDS = ("write", "diagnosis", "curve", "full")
_HEADINGS = ("minute", "writes/s", "points/s", *_KINDS, "refused", "deleted", "server MB", "stored MB")


def measure(server: Server, load: jobs.Load) -> Iterator[Row]:
    """A row a slice, as each is over, and one of totals."""
    fresh = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[Row] = fresh.Queue()
    process = fresh.Process(target=jobs.work, args=(load, told), daemon=True)
    process.start()
    try:
        while True:
            row = _next(told, process)
            if "totals" in row:
                yield row
                return
            size = {"memory_mb": server.memory_mb(), "stored_mb": server.stored_bytes() / 1e6}
            yield {"minute": row["slice"] * row["seconds"] / 60, **row, **size}
    finally:
        process.terminate()
        process.join()


def _next(told: "multiprocessing.Queue[Row]", process: multiprocessing.process.BaseProcess) -> Row:
    while True:
        try:
            return told.get(timeout=1)
        except queue.Empty:
            if not process.is_alive() and told.empty():
                sys.exit(f"the load process ended with {process.exitcode}")


def _line(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>12}" for cell in cells)


def _cells(row: Row) -> Iterator[str]:
    yield f"{row['minute']:.1f}"
    yield from (f"{row.get(name, 0) / row['seconds']:,.0f}" for name in ("write_count", "points"))
    for kind in _KINDS:
        yield f"{row[f'{kind}_p50_ms']:.1f} / {row[f'{kind}_p99_ms']:.0f}" if f"{kind}_count" in row else "-"
    yield from (f"{row.get(name, 0)}" for name in ("refused", "deleted"))
    yield from (f"{row[name]:,.0f}" for name in ("memory_mb", "stored_mb"))


def show(rows: Iterable[Row]) -> Iterator[Row]:
    """Print each as it comes."""
    print(f"soak on {machine()}\nlatencies are p50 / p99 in milliseconds\n\n{_line(_HEADINGS)}", flush=True)
    for row in rows:
        if totals := row.get("totals"):
            counted = {"verified": "points verified", "lost": "lost", "refused": "requests refused", "wrong": "wrong",
                       "broken": "broken off"}  # fmt: skip
            print("\n" + ", ".join(f"{totals.get(name, 0):,} {words}" for name, words in counted.items()))
        else:
            print(_line(_cells(row)), flush=True)
        yield row


def main() -> None:
    """Read the arguments, measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of load")
    parser.add_argument("--slices", type=int, default=12, help="lines of the table")
    parser.add_argument("--database-url", help="a Postgres that is migrated and empty, in place of a SQLite file")
    parser.add_argument("--workers", type=int, default=1, help="server processes")
    parser.add_argument("--small", action="store_true", help="seconds, and short runs, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    slices, seconds, kept, hurry = arguments.slices, 60 * arguments.minutes, 40, 1
    if arguments.small:
        slices, seconds, kept, hurry = 3, 6.0, 6, 100
    with serving(curvewise(arguments.database_url, arguments.workers), "/readyz") as server:
        measured = measure(server, jobs.Load(server.url, seconds, slices, kept, hurry))
        rows = list(measured if arguments.json else show(measured))
    totals = rows[-1]["totals"]
    if arguments.json:
        print(json.dumps({"slices": rows[:-1], **rows[-1]}, indent=2))
    sys.exit(1 if totals["lost"] or totals.get("wrong") else 0)


if __name__ == "__main__":
    main()
