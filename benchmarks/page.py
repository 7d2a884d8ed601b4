"""How soon a page is there: a run of a million points in a real Chromium, and a table of 10,000 runs from the server.

    page.py [--small] [--json]

The run is opened in a new browser context each time, so nothing of it is in any cache. `first_paint_ms` is the
browser's first contentful paint, `drawn_ms` when the chart stands, both from the beginning of the navigation. Budgets:
both within 1 s, and the HTML of a table of 10,000 runs, however sorted and filtered, within 100 ms.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping

import httpx
import numpy as np
from playwright.sync_api import Browser, sync_playwright
from rich import box
from rich.console import Console
from rich.table import Table

import chromium
from app.curves.curve import FloatArray
from serving import curvewise, machine, serving

POINTS, SMALL_POINTS = 1_000_000, 100_000
RUNS, SMALL_RUNS = 10_000, 50
_BATCH = 100_000
_EVALUATIONS = 500
_SETTLED_S = 3
_TABLES: Mapping[str, str] = {
    "as it opens": "",
    "by severity": "?sort=severity",
    "by name, text filter": "?sort=name&text=run-99",
    "one tag": "?tag=team=t7",
    "one finding": "?finding=CW009",
}

Row = dict[str, float | str]


def measure(small: bool) -> dict[str, list[Row]]:
    """Two tables: `run`, in a browser, and `tables`, over HTTP."""
    if (path := chromium.installed()) is None:
        sys.exit(f"no browser is installed: none of {', '.join(chromium.NAMES)} is on the path")
    points, runs, repeats = (SMALL_POINTS, SMALL_RUNS, 1) if small else (POINTS, RUNS, 7)
    with serving(curvewise(), "/readyz") as server, httpx.Client(base_url=server.url, timeout=120) as http:
        _log_long(http, points)
        _log_many(http, runs)
        time.sleep(0 if small else _SETTLED_S)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
            _open(
                browser, f"{server.url}/projects/bench/runs/long"
            )  # makes the chart script, and fills the caches of disks
            opened = [_open(browser, f"{server.url}/projects/bench/runs/long") for _ in range(repeats)]
            browser.close()
        tables = [_table(http, name, query, runs, 5 * repeats) for name, query in _TABLES.items()]
    median = {name: statistics.median(one[name] for one in opened) for name in opened[0]}
    return {"run": [{"points": points, **median}], "tables": tables}


def _table(http: httpx.Client, name: str, query: str, runs: int, repeats: int) -> Row:
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        http.get(f"/projects/many{query}").raise_for_status()
        taken.append((time.perf_counter() - begun) * 1e3)
    return {"table": name, "runs": runs, "html_ms": statistics.median(taken)}


def _log_long(http: httpx.Client, points: int) -> None:
    """One run: a noisy train loss of so many points, and evaluations."""
    random = np.random.default_rng(0)
    run = "/api/v1/projects/bench/runs/long"
    http.put(run, json={"context": {"num_classes": 10, "planned_steps": points}}).raise_for_status()
    steps = np.arange(float(points))
    loss = 2.3 * (1 + steps / 1000) ** -0.3 * (1 + 0.05 * random.standard_normal(points))
    for begin in range(0, points, _BATCH):
        part = slice(begin, begin + _BATCH)
        _send(http, run, {"train/loss": (steps[part], loss[part])})
    at = np.linspace(0, points - 1, _EVALUATIONS).round()
    _send(http, run, {"val/loss": (at, 2.4 * (1 + at / 1000) ** -0.28)})


def _log_many(http: httpx.Client, runs: int) -> None:
    """A project of short runs, every tenth of which never learned anything."""
    for number in range(runs):
        run = f"/api/v1/projects/many/runs/run-{number}"
        http.put(run, json={"tags": {"team": f"t{number % 50}", "seed": str(number)}}).raise_for_status()
        if number % 10 == 0:
            _send(http, run, {"train/loss": (np.arange(60.0), np.full(60, 2.3))})
            http.post(run + "/finish").raise_for_status()


def _send(http: httpx.Client, run: str, curves: Mapping[str, tuple[FloatArray, FloatArray]]) -> None:
    columns = {name: {"steps": steps.tolist(), "values": values.tolist()} for name, (steps, values) in curves.items()}
    http.post(run + "/points", json={"curves": columns}).raise_for_status()


def _open(browser: Browser, url: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("() => performance.getEntriesByName('chart-drawn').length > 0", timeout=120_000)
    found: dict[str, float] = page.evaluate("""() => ({
        html_ms: performance.getEntriesByType('navigation')[0].responseEnd,
        first_paint_ms: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        drawn_ms: performance.getEntriesByName('chart-drawn')[0].startTime,
    })""")
    context.close()
    return found


def show(console: Console, figures: dict[str, list[Row]]) -> None:
    """Print both tables."""
    for name, rows in figures.items():
        table = Table(title=name, box=box.SIMPLE, title_justify="left")
        for column in rows[0]:
            table.add_column(column, justify="left" if column == "table" else "right")
        for row in rows:
            table.add_row(*(f"{value:,.0f}" if isinstance(value, int | float) else value for value in row.values()))
        console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="less of everything, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures = measure(arguments.small)
    if arguments.json:
        print(json.dumps(figures))
    else:
        console = Console()
        console.print(machine())
        show(console, figures)


if __name__ == "__main__":
    main()
