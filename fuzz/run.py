"""Fuzz one target, or all, one after the other: `python fuzz/run.py TARGET [--inputs N] [--seconds S]`.

Prints a line a target: inputs, seconds, edges of the code that were reached, and kinds of failure found. Exits with 1
when something was found. What was learned stays in .fuzz/TARGET, where the next campaign begins; what failed stands in
.fuzz/TARGET.found, with its traceback beside it.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from fuzz.measure import Covered, covered
from fuzz.target import Target
from fuzz.targets import NAMES, named

_HOME = Path(".fuzz")
_MEMORY = Path("/dev/shm")  # a million files need no disk
_LONGEST_S = 60  # one input, on the clock, before libFuzzer ends the campaign: bounds.py judges what is slow
_MOST_MIB = 3072  # the whole campaign, libFuzzer's corpus included


@dataclass(frozen=True)
class Figures:
    """What one campaign did."""

    target: str
    inputs: int
    seconds: float
    edges: int
    corpus: int
    found: int
    ended_early: bool

    def line(self) -> str:
        """For people."""
        early = ", ended early" if self.ended_early else ""
        return (
            f"{self.target:14} {self.inputs:>10,} inputs in {self.seconds:>6.0f} s "
            f"({self.inputs / self.seconds:>6.0f}/s), {self.edges:>5} edges, {self.corpus:>5} kept, "
            f"{self.found} kinds of failure{early}"
        )


def fuzz(target: Target, home: Path, inputs: int, seconds: int) -> Figures:
    """One campaign, ended by whichever comes first; 0 is no limit."""
    corpus, found = home / target.name, home / f"{target.name}.found"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in [*target.seeds(), *(case.read_bytes() for case in target.cases())]:
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    words = home / f"{target.name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    flags = [
        *([f"-dict={words}"] if target.words else []),
        *(f"-max_len={target.most_bytes}", f"-artifact_prefix={home / target.name}.ended-"),
        *(f"-timeout={_LONGEST_S}", f"-rss_limit_mb={_MOST_MIB}", "-print_final_stats=1"),
        *([f"-runs={inputs}"] if inputs else []),
        *([f"-max_total_time={seconds}"] if seconds else []),
    ]
    command = [sys.executable, "-m", "fuzz.campaign", target.name, str(found), *flags, str(corpus)]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as scratch:
        done = subprocess.run(
            command,
            check=False,
            env=os.environ | {"TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    took = time.perf_counter() - began
    (home / f"{target.name}.log").write_text(done.stdout)
    for said in re.findall(r"^FOUND .*$", done.stdout, re.MULTILINE):
        print(f"{target.name}: {said}")
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-20:]))
    return Figures(
        target=target.name,
        inputs=_last(r"number_of_executed_units: (\d+)", done.stdout) or _last(r"^#(\d+)", done.stdout),
        seconds=took,
        edges=_last(r"cov: (\d+)", done.stdout),
        corpus=len(list(corpus.iterdir())),
        found=len(re.findall(r"^FOUND ", done.stdout, re.MULTILINE)) + bool(done.returncode),
        ended_early=bool(done.returncode),
    )


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _last(pattern: str, text: str) -> int:
    return int(([*re.findall(pattern, text, re.MULTILINE)] or ["0"])[-1])


def main() -> int:
    """0 when nothing was found, 1 when something was, 2 when there is nothing to fuzz with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("--inputs", type=int, default=0, metavar="N", help="end after so many inputs")
    parser.add_argument(
        "--seconds", type=int, default=0, metavar="S", help="end after so long; 60 when nothing is given"
    )
    parser.add_argument("--home", type=Path, default=_HOME, help="where corpora and findings are kept")
    parser.add_argument(
        "--coverage", action="store_true", help="then count the lines and branches that the corpus takes"
    )
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install -e '.[fuzz]'", file=sys.stderr)
        return 2
    seconds = given.seconds or (0 if given.inputs else 60)
    failed = False
    for name in NAMES if given.target == "all" else [given.target]:
        figures = fuzz(named(name), given.home, given.inputs, seconds)
        measured = covered(named(name), given.home / name) if given.coverage else Covered()
        print(figures.line() + measured.words(), flush=True)
        with (given.home / "figures.jsonl").open("a") as log:
            log.write(json.dumps(asdict(figures) | asdict(measured)) + "\n")
        failed = failed or figures.found > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
