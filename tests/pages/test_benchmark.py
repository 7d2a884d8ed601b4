"""The small form of the benchmark of the page."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "page.py"


@pytest.mark.usefixtures("browser")
def test_a_page_is_measured_in_a_browser_and_tables_over_http() -> None:
    command = [sys.executable, BENCHMARK, "--small", "--json"]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    [run] = figures["run"]
    assert run["points"] == 100_000
    assert 0 < run["html_ms"] < run["drawn_ms"]
    assert 0 < run["first_paint_ms"] < run["drawn_ms"] < 20_000
    assert [row["runs"] for row in figures["tables"]] == [50] * 5
    assert all(row["html_ms"] > 0 for row in figures["tables"])
