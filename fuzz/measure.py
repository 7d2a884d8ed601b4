"""Which lines and branches of a target's modules its corpus takes: libFuzzer's edges are a count without a total."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fuzz.target import Target


@dataclass(frozen=True)
class Covered:
    """Lines and branches of the modules, and how many of them were taken; None when they were not counted."""

    lines: int | None = None
    lines_taken: int | None = None
    branches: int | None = None
    branches_taken: int | None = None

    def words(self) -> str:
        """For people, behind other figures."""
        if self.lines is None:
            return ""
        return f"; {self.lines_taken} of {self.lines} lines, {self.branches_taken} of {self.branches} branches"


def covered(target: Target, corpus: Path) -> Covered:
    """Replays a corpus in a process of its own, because what was imported before is not counted."""
    with tempfile.TemporaryDirectory() as scratch:
        data, report = Path(scratch) / "data", Path(scratch) / "report.json"
        command = [sys.executable, "-m", "coverage"]
        places = [name.replace(".", "/") for name in target.covers]
        chosen = "--include=" + ",".join(f"{place}{end}" for place in places for end in (".py", "/*"))
        counted = ["run", "--rcfile=/dev/null", "--branch", f"--data-file={data}", "-m", "fuzz.replay"]
        # An input that fails takes lines and branches as well.
        subprocess.run([*command, *counted, target.name, str(corpus)], check=False, capture_output=True)
        written = ["json", "--rcfile=/dev/null", f"--data-file={data}", chosen, "-o", str(report), "-q"]
        subprocess.run([*command, *written], check=True)
        totals = json.loads(report.read_text())["totals"]
    return Covered(
        totals["num_statements"], totals["covered_lines"], totals["num_branches"], totals["covered_branches"]
    )
