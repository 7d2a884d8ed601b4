"""What a flood from one token costs another: the latency of a small, steady job, alone and beside it.

    fairness.py [--seconds S] [--clients N] [--small] [--json]

A server that asks for tokens, on SQLite. The job sends a point about every 20 ms with a token of its own. The flood: so
many clients of another token, each of which sends the next point as soon as the last one was answered, whatever the
answer was; most are told 429. Both sit on the machine of the server, so the flood takes its processors as well: with
`--token-requests-per-s 0` the server lets every request of it in. The ratio is that of the job's 99th percentiles.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from load import Load, drive, figures
from serving import curvewise, machine, serving

Row = dict[str, float | str]
_PACE_S = 0.02
_WARM_S = 1.0


def measure(seconds: float, clients: int, limit: int) -> list[Row]:
    """A row for the job alone, for the job beside the flood, and for the flood."""
    environ = {"CURVEWISE_REQUIRE_TOKEN": "1", "CURVEWISE_TOKEN_REQUESTS_PER_S": str(limit)}
    tokens: list[str] = []

    def start(port: int, folder: Path) -> Sequence[str]:
        tokens.extend(_tokens(folder))
        return curvewise()(port, folder)

    with serving(start, "/readyz", environ) as server:
        steady, flooding = tokens
        job = Load(server.url, "curvewise", 1, 1, seconds, "job", steady, _PACE_S)
        drive(replace(job, name="warm", seconds=min(seconds, _WARM_S)))
        alone = drive(job)
        flood = Load(server.url, "curvewise", 1, clients, seconds + 2 * _WARM_S, "flood", flooding)
        with ThreadPoolExecutor(2) as at_once:
            flooded = at_once.submit(drive, flood)
            beside = drive(replace(job, name="beside"))
            flooded_by = flooded.result()
    rows: list[Row] = [
        {"what": what, **figures(answered, 1)}
        for what, answered in (("job alone", alone), ("job beside the flood", beside), ("flood", flooded_by))
    ]
    rows[1]["of_alone"] = float(rows[1]["p99_ms"]) / float(rows[0]["p99_ms"])
    return rows


def _tokens(folder: Path) -> list[str]:
    """Two, made before the server starts, which it would not do without."""
    engine = make_engine(f"sqlite:///{folder}/curvewise.db")
    upgrade(engine)
    database = Database(engine)
    try:
        return [Tokens(database).create("write", ["bench"])[0] for _ in range(2)]
    finally:
        database.close()


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=16, help="of the flood")
    parser.add_argument("--token-requests-per-s", type=int, default=300, help="what the server allows a token")
    parser.add_argument("--small", action="store_true", help="two seconds, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    rows = measure(2 if arguments.small else arguments.seconds, arguments.clients, arguments.token_requests_per_s)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    title = f"one point a request, {arguments.clients} flooding clients, on {machine()}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("what", "taken/s", "refused", "p50 ms", "p99 ms", "p99 / alone"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        ratio = f"{row['of_alone']:.2f}" if "of_alone" in row else ""
        numbers = (f"{row[name]:,.1f}" for name in ("requests_per_s", "refused", "p50_ms", "p99_ms"))
        table.add_row(str(row["what"]), *numbers, ratio)
    Console(width=110, highlight=False).print(table)


if __name__ == "__main__":
    main()
