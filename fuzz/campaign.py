"""One campaign in a process of its own, ended by libFuzzer: `python -m fuzz.campaign TARGET FINDINGS [its flags]`.

A failure does not end it: the smallest input of each kind is kept, so that one bug does not hide the next. Only what
hangs for a minute or takes memory without end is ended by libFuzzer, which then keeps that input itself.
"""

import os
import random
import re
import sys
import traceback
import warnings
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app"]):
    from fuzz.bounds import bounded
    from fuzz.targets import named

    TARGET = named(sys.argv[1])

_INSIDE = f"{os.sep}app{os.sep}"


class _Findings:
    """The smallest input of each kind of failure, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def add(self, data: bytes, error: Exception) -> None:
        kind = _kind(error)
        if len(data) >= self._sizes.get(kind, len(data) + 1):
            return
        first = kind not in self._sizes
        self._sizes[kind] = len(data)
        name = sha256(kind.encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        (self._folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)), errors="replace")
        if first:
            print(f"FOUND {name} {kind}", flush=True)


def _kind(error: Exception) -> str:
    """Where it came from; its own words, without their numbers, where the code answered wrongly."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if _INSIDE in frame.filename]
    words = re.sub(r"[^A-Za-z ]+", "#", str(error))[:60] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} {inside[-1] if inside else ''} {words}".strip()


def main() -> None:
    """Does not return."""
    findings = _Findings(Path(sys.argv[2]))
    check, mutated = bounded(TARGET.check), TARGET.mutated
    warnings.simplefilter("error")

    def one(data: bytes) -> None:
        try:
            check(data)
        except Exception as error:
            findings.add(data, error)

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        assert mutated is not None
        changed = mutated(data, most, random.Random(seed), atheris.Mutate)
        return changed[:most] or data

    flags = {"custom_mutator": mutator} if mutated else {}
    atheris.Setup([sys.argv[0], *sys.argv[3:]], one, **flags)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
