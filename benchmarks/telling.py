"""Whether the time of an answer tells what is somebody else's from what is not there.

    telling.py [--requests N] [--json]

A server that asks for tokens, on SQLite, and one client. Each question is asked of a foreign thing and of a missing
one in turn, in an order that is drawn anew for each pair. AUC is the share of pairs of one foreign and one missing
answer in which the foreign one took longer (half where alike): 0.5 is what tossing a coin would tell. Its interval is
that of 500 bootstraps over pairs, 95 %.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from app.api.mlflow.app import PREFIX
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from serving import curvewise, machine, serving

Row = dict[str, float | str]
_OWN, _FOREIGN, _MISSING = "own", "foreign", "missing"
_WARM, _DRAWS = 50, 500
_API = f"{PREFIX}/api/2.0/mlflow"


def measure(requests: int) -> list[Row]:
    """A row a question."""
    tokens: list[str] = []

    def start(port: int, folder: Path) -> Sequence[str]:
        tokens.extend(_tokens(folder))
        return curvewise()(port, folder)

    environ = {"CURVEWISE_REQUIRE_TOKEN": "1", "CURVEWISE_TOKEN_REQUESTS_PER_S": "0"}
    with serving(start, "/readyz", environ) as server, httpx.Client(base_url=server.url) as client:
        mine, theirs = tokens
        run, experiment = _fill(client, mine, theirs)
        known = mine.split("_")[1]
        wrong, unknown = (f"cw_{one}_{'x' * 43}" for one in (known, known[::-1]))
        asked = {
            "a run of a project": (f"/api/v1/projects/{_FOREIGN}/runs/r", f"/api/v1/projects/{_MISSING}/runs/r", mine),
            "a project's page": (f"/projects/{_FOREIGN}", f"/projects/{_MISSING}", mine),
            "a closed badge": (f"/badge/{_FOREIGN}.svg", f"/badge/{_MISSING}.svg", mine),
            "an MLflow run": (f"{_API}/runs/get?run_id={run}", f"{_API}/runs/get?run_id={'f' * 32}", mine),
            "an MLflow experiment": (
                f"{_API}/experiments/get?experiment_id={experiment}",
                f"{_API}/experiments/get?experiment_id=999999",
                mine,
            ),
        }
        rows = [_compare(client, what, requests, *pair) for what, pair in asked.items()]
        rows.append(_compare(client, "a token's id", requests, *["/api/v1/projects"] * 2, wrong, unknown))
    return rows


def _tokens(folder: Path) -> list[str]:
    engine = make_engine(f"sqlite:///{folder}/curvewise.db")
    upgrade(engine)
    database = Database(engine)
    try:
        return [Tokens(database).create("admin", [project])[0] for project in (_OWN, _FOREIGN)]
    finally:
        database.close()


def _fill(client: httpx.Client, mine: str, theirs: str) -> tuple[str, str]:
    """A run in each project; MLflow's ids of the foreign run and its experiment."""
    for token, project in ((mine, _OWN), (theirs, _FOREIGN)):
        client.put(f"/api/v1/projects/{project}/runs/r", headers=_bearer(token)).raise_for_status()
    found = client.post(f"{_API}/experiments/search", json={}, headers=_bearer(theirs)).json()["experiments"]
    experiment = str(found[0]["experiment_id"])
    opened = {"experiment_id": experiment, "run_name": "m"}
    run = client.post(f"{_API}/runs/create", json=opened, headers=_bearer(theirs)).json()["run"]
    return str(run["info"]["run_id"]), experiment


def _compare(client: httpx.Client, what: str, requests: int, foreign: str, missing: str, *tokens: str) -> Row:
    chance = np.random.default_rng(0)
    headers = [_bearer(tokens[0]), _bearer(tokens[-1])]
    took = np.empty((requests, 2))
    for number in range(-_WARM, requests):
        for which in chance.permutation(2):
            began = time.perf_counter()
            reply = client.get((foreign, missing)[which], headers=headers[which])
            took[max(number, 0), which] = time.perf_counter() - began  # the first, which warm, are written over
            if reply.status_code not in (401, 404):
                raise RuntimeError(f"{what}: answered with {reply.status_code}")
    drawn = [_auc(took[chance.integers(0, requests, requests)]) for _ in range(_DRAWS)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    medians = np.median(took, axis=0) * 1e6
    return {
        "what": what,
        "requests": 2 * requests,
        "foreign_us": float(medians[0]),
        "missing_us": float(medians[1]),
        "auc": _auc(took),
        "low": float(low),
        "high": float(high),
    }


def _auc(took: np.ndarray) -> float:
    return float(mannwhitneyu(took[:, 0], took[:, 1]).statistic / took.shape[0] ** 2)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="of each kind and question")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args()
    rows = measure(given.requests)
    if given.json:
        print(json.dumps(rows))
        return
    table = Table("question", "requests", "foreign, median", "missing, median", "AUC", "95 %", box=box.SIMPLE_HEAD)
    for row in rows:
        times = (f"{float(row[name]):.0f} µs" for name in ("foreign_us", "missing_us"))
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        table.add_row(str(row["what"]), f"{row['requests']:,}", *times, f"{row['auc']:.3f}", interval)
    console = Console()
    console.print(f"{machine()}")
    console.print(table)


if __name__ == "__main__":
    main()
