"""The benchmark of log() runs anywhere, and its median keeps the budget."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "client.py"


def test_it_measures_log_beside_one_write_of_the_same_bytes() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--small", "--json"], capture_output=True, text=True, timeout=120, check=True
    )
    rows = json.loads(done.stdout)
    assert [row["what"] for row in rows] == [*["os.write", "log, server up", "log, server down"] * 2, "import"]
    assert rows[-1]["import_ms"] > 0
    floor, *logged = rows[3:6]
    for row in logged:  # 10 us on a quiet machine; where others work as well, the floor is the measure
        assert floor["p50_us"] < row["p50_us"] < max(10, 8 * floor["p50_us"])
        assert row["calls"] > 1000
