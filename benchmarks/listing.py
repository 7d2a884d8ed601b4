"""How long a page of runs takes in a project of many: sorted, filtered, and deep within.

    listing.py [--database-url URL] [--runs N] [--small] [--json]

A project of 10,000 runs, each with a standing, findings, tags and a configuration of a kilobyte, and another project
beside it, are put into a new database; then pages of 100 are read as a table on a page reads them, in this process.
Budget: 50 ms a page.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

import stored
from app.listing import RunFilter, find_runs
from app.storage import runs
from app.storage.database import Database
from app.storage.tables import findings, standings
from app.storage.tables import runs as run_table
from serving import machine

RUNS, SMALL_RUNS = 10_000, 500
PAGE = 100
BUDGET_MS = 50
_AT_ONCE = 500
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_RULES = (("CW005", "overfitting", "warning"), ("CW008", "exploding", "error"), ("CW004", "keep_training", "info"))

Row = dict[str, float | str]


def measure(database_url: str | None, count: int, repeats: int) -> list[Row]:
    """A row for each question: how many runs were found, the median time of so many pages, the largest, and how long a
    page keeps a processor busy, this process's alone [ms].
    """
    with stored.database(database_url) as (_, database):
        for project in ("p", "beside"):
            lay_down(database, project, count)
        questions = _questions(count)
        for question in ("sort=updated", "sort=severity"):  # somewhere in the middle
            wanted: RunFilter = questions[question]
            for _ in range(count // PAGE // 2):
                page = find_runs(database, "p", wanted)
                wanted = RunFilter(**{**vars(wanted), "after": page.next})
            questions[f"{question}, deep"] = wanted
        return [{"question": one, **_timed(database, wanted, repeats)} for one, wanted in questions.items()]


def _questions(count: int) -> dict[str, RunFilter]:
    late = _BEGAN + timedelta(minutes=count // 2)
    asked: dict[str, dict[str, Any]] = {
        "sort=name": {},
        "sort=created": {"sort": "created", "descending": True},
        "sort=updated": {"sort": "updated", "descending": True},
        "sort=severity": {"sort": "severity", "descending": True},
        "sort=through_step": {"sort": "through_step", "descending": True},
        "finding=overfitting": {"findings": ["overfitting"], "sort": "updated", "descending": True},
        "finding of nobody": {"findings": ["wrong_initial_loss"], "sort": "updated"},
        "severity=error": {"severity": "error", "sort": "severity", "descending": True},
        "state=stalled": {"state": "stalled"},
        "state=running": {"state": "running", "sort": "updated", "descending": True},
        "tag=seed=7": {"tags": [("seed", "7")]},
        "tag of nobody": {"tags": [("seed", "no")]},
        "text=99": {"text": "99"},
        "since, until": {"since": late, "until": late + timedelta(hours=8), "sort": "updated"},
        "all at once": {"findings": ["overfitting"], "tags": [("team", "vision")], "text": "1", "state": "running"},
    }
    return {question: RunFilter(limit=PAGE, **given) for question, given in asked.items()}


def _timed(database: Database, wanted: RunFilter, repeats: int) -> dict[str, float | str]:
    ask: Callable[[], int] = lambda: len(find_runs(database, "p", wanted).rows)  # noqa: E731
    found = ask()
    took, spent = [], time.process_time()
    for _ in range(repeats):
        begun = time.perf_counter()
        ask()
        took.append((time.perf_counter() - begun) * 1000)
    return {
        "runs": found,
        "median_ms": statistics.median(took),
        "largest_ms": max(took),
        "processor_ms": (time.process_time() - spent) * 1000 / repeats,
    }


def lay_down(database: Database, project: str, count: int) -> None:
    """So many runs, one a minute, with what the monitor knows of each."""
    random = np.random.default_rng(1)
    with database.writing() as connection:
        project_id = runs.lock_project(connection, project)[0].id
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        with database.writing() as connection:
            connection.execute(insert(run_table), [_run(project_id, number) for number in numbers])
            page = runs.list_runs(
                connection, project_id, limit=_AT_ONCE, after=f"run-{start - 1:06}" if start else None
            )
            found = [(run.id, int(run.name[4:])) for run in page]
            connection.execute(insert(standings), [_standing(run_id, number, random) for run_id, number in found])
            held = [one for run_id, number in found for one in _findings(run_id, number)]
            if held:
                connection.execute(insert(findings), held)
    if not database.on_sqlite:
        with database.engine.connect() as connection:  # what autovacuum does within a minute
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")


def _run(project_id: int, number: int) -> dict[str, object]:
    at = _BEGAN + timedelta(minutes=number)
    return {
        "project_id": project_id,
        "name": f"run-{number:06}",
        "context": "{}",
        "config": json.dumps({f"option_{i}": i / 7 for i in range(35)}),
        "tags": json.dumps(
            {"seed": str(number % 20), "team": "vision" if number % 3 else "speech"}, separators=(",", ":")
        ),
        "state": "running" if number % 10 == 0 else "finished",
        "attempt": 1,
        "revision": 100,
        "created_at": at,
        "updated_at": at + timedelta(minutes=number * 7919 % 500),
    }


def _standing(run_id: int, number: int, random: np.random.Generator) -> dict[str, object]:
    return {
        "run_id": run_id,
        "turn": 1,
        "revision": 100,
        "attempt": 1,
        "basis": "1.2026.1",
        "judged_at": _BEGAN,
        "state": "finished",
        "stalled_since": _BEGAN if number % 100 == 0 else None,
        "severity": number % 4,
        "through_step": float(number * 7907 % 10_000),
        "sequence": 2,
        "heard_at": _BEGAN,
        "gaps": json.dumps([0] * 24),
        "sparkline_curve": "val/loss",
        "sparkline": json.dumps(list(random.random(60))),
    }


def _findings(run_id: int, number: int) -> list[dict[str, object]]:
    return [
        {
            "run_id": run_id,
            "code": code,
            "rule": rule,
            "severity": severity,
            "confidence": 0.9,
            "onset_step": 100.0,
            "summary": "val/loss has climbed 14 % above its best since step 4200",
            "first_seen_at": _BEGAN,
            "fired_at": _BEGAN,
        }
        for code, rule, severity in _RULES[: number % 4]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="put them there, into an empty database; a new SQLite file by default")
    parser.add_argument("--runs", type=int, help=f"how many; {RUNS:,} by default")
    parser.add_argument("--small", action="store_true", help="a few hundred runs, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    count = given.runs or (SMALL_RUNS if given.small else RUNS)
    rows = measure(given.database_url, count, 5 if given.small else 25)
    if given.json:
        print(json.dumps(rows))
        return
    table = Table(title=f"A page of {PAGE} among {count:,} runs; budget {BUDGET_MS} ms", box=box.SIMPLE)
    for name in ("what is asked", "runs found", "median", "largest", "processor"):
        table.add_column(name, justify="left" if name == "what is asked" else "right")
    for row in rows:
        times = [f"{row[name]:.1f} ms" for name in ("median_ms", "largest_ms", "processor_ms")]
        table.add_row(str(row["question"]), str(row["runs"]), *times)
    Console().print(table, f"on {machine()}")


if __name__ == "__main__":
    main()
