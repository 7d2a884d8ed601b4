"""How fast points are taken, durably, beside a server that only parses them.

    ingest.py [--seconds S] [--points N ...] [--clients N ...] [--peer mlflow]
              [--database-url URL] [--workers N] [--small] [--json]

A real server process and a load process of its own, at 1, 10, 100 and 1,000 points a request from 1 and 8 clients, one
new database each. Every answered request is on disk. Bytes a point: all files of the database over the points answered,
as it stands at the end of the load and again when the server has settled its chunks and stopped. The floor is the same
framework with the same parsing and nothing stored, in the same run. Ratios hold elsewhere; rates do not.
"""

import argparse
import json
import time

from rich import box
from rich.console import Console
from rich.table import Table

from load import Load, drive, figures
from serving import Server, curvewise, floor, machine, mlflow, serving

POINTS = (1, 10, 100, 1000)
CLIENTS = (1, 8)
_SMALL = (1, 100), (8,)
_WARM_S = 0.5
_QUIET_S = 35.0  # the server settles what few chunks there are after half a minute

Row = dict[str, float | str]


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each size of request, number of clients and server."""
    rows: list[Row] = []
    sizes, writers = _SMALL if arguments.small else (arguments.points, arguments.clients)
    for clients in writers:
        for points in sizes:
            base = _one("floor", points, clients, arguments)
            ours = _one("curvewise", points, clients, arguments)
            peers = [_one(arguments.peer, points, clients, arguments)] if arguments.peer else []
            for row in (base, ours, *peers):
                row["of_floor"] = float(row["requests_per_s"]) / float(base["requests_per_s"])
                rows.append(row)
    return rows


def _one(kind: str, points: int, clients: int, arguments: argparse.Namespace) -> Row:
    start = {"floor": floor, "curvewise": curvewise(arguments.database_url, arguments.workers), "mlflow": mlflow}[kind]
    ready = "/health" if kind == "mlflow" else "/readyz"
    row: Row = {"server": kind, "points": points, "clients": clients}
    with serving(start, ready) as server:
        warm = drive(Load(server.url, kind, points, clients, _WARM_S, "warm"))
        answered = drive(Load(server.url, kind, points, clients, arguments.seconds))
        row |= figures(answered, points)
        row["memory_mb"] = server.memory_mb()
        stored = points * (len(warm.latencies) + len(answered.latencies))
        if kind != "floor" and not arguments.database_url:
            row["bytes_a_point"] = server.stored_bytes() / stored
            if kind == "curvewise" and points == POINTS[2] and not arguments.small:
                row["bytes_settled"] = _settled_bytes(server) / stored
    return row


def _settled_bytes(server: Server) -> int:
    time.sleep(_QUIET_S)
    server.stop()
    return server.stored_bytes()


def show(console: Console, rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title=f"durable ingest on {machine()}", title_justify="left", box=box.SIMPLE_HEAD)
    headings = ("clients", "points a request", "server", "requests/s", "points/s", "p50 ms", "p99 ms", "of floor")
    for heading in (*headings, "MB", "bytes a point", "settled"):
        table.add_column(heading, justify="left" if heading == "server" else "right")
    for row in rows:
        table.add_row(
            f"{row['clients']}",
            f"{row['points']:,}",
            f"{row['server']}",
            f"{row['requests_per_s']:,.0f}",
            f"{row['points_per_s']:,.0f}",
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['of_floor']:.2f}",
            f"{row['memory_mb']:.0f}",
            f"{row['bytes_a_point']:.1f}" if "bytes_a_point" in row else "",
            f"{row['bytes_settled']:.1f}" if "bytes_settled" in row else "",
        )
    console.print(table)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of load for each row")
    parser.add_argument("--points", type=int, nargs="+", default=POINTS, help="a request")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="that write at once")
    parser.add_argument("--database-url", help="a Postgres that is migrated and empty, in place of SQLite files")
    parser.add_argument("--workers", type=int, default=1, help="server processes")
    parser.add_argument("--peer", choices=["mlflow"], help="measure a peer as well")
    parser.add_argument("--small", action="store_true", help="little of each, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    if arguments.small:
        arguments.seconds = 0.3
    rows = measure(arguments)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    show(Console(width=130, highlight=False), rows)


if __name__ == "__main__":
    main()
