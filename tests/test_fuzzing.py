"""The short form of fuzzing, without a fuzzer: what was found before, the seeds, and what hypothesis makes of both."""

import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.curves.curve import Curve
from app.importers.imported import ImportedRun
from fuzz import target as targets
from fuzz.bounds import TooMuchMemory, TooSlow, bounded
from fuzz.reading import checked, sniffed
from fuzz.targets import NAMES, named

CASES = [(name, case) for name in NAMES for case in named(name).cases()]
EXAMPLES = {"rules": 12, "mlflow_sqlite": 40}  # slower ones; 80 of all others


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case.name}" for name, case in CASES])
def test_what_was_found_once_is_found_no_more(name: str, case: Path) -> None:
    bounded(named(name).check)(case.read_bytes())


def test_every_case_is_explained() -> None:
    readme = (targets.CASES / "README.md").read_text()
    explained = sorted(re.findall(r"^\| (\w+/\w+) \|", readme, re.MULTILINE))
    assert explained == sorted(f"{name}/{case.name}" for name, case in CASES)
    assert {folder.name for folder in targets.CASES.iterdir() if folder.is_dir()} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_is_read(name: str) -> None:
    check = bounded(named(name).check)
    seeds = list(named(name).seeds())
    assert seeds
    for seed in seeds[:20]:
        check(seed)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_changed_anywhere(name: str) -> None:
    target = named(name)
    check, seeds = bounded(target.check), [seed[: target.most_bytes] for seed in target.seeds()]
    pieces = st.sampled_from([*target.words, b"\0", b"\xff", b"\n", b'"', b"9" * 400]) | st.binary(max_size=8)

    @settings(
        max_examples=EXAMPLES.get(name, 80),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        seed=st.sampled_from(seeds),
        cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 16), pieces), min_size=1, max_size=4),
        chance=st.integers(0, 2**32),
    )
    def changed(seed: bytes, cuts: list[tuple[float, int, bytes]], chance: int) -> None:
        def mutate(data: bytes, most: int) -> bytes:
            for place, width, piece in cuts:
                at = int(place * len(data))
                data = data[:at] + piece + data[at + width :]
            return data[:most]

        if target.mutated is None:
            check(mutate(seed, target.most_bytes))
        else:
            check(target.mutated(seed, target.most_bytes, random.Random(chance), mutate))

    changed()


def test_what_takes_too_long_or_too_much_is_a_failure() -> None:
    def busy(data: bytes) -> None:
        ended = time.process_time() + float(data)
        while time.process_time() < ended:
            pass

    bounded(busy)(b"0.01")
    with pytest.raises(TooSlow):
        bounded(busy)(b"1.05")
    command = "from fuzz.bounds import bounded; bounded(lambda data: len(b'x' * int(data)))({!r})"
    for size, failed in ((b"1000", False), (str(600 * 2**20).encode(), True)):  # in a process that has not been larger
        done = subprocess.run([sys.executable, "-c", command.format(size)], check=False, capture_output=True, text=True)
        assert (done.returncode != 0) is failed
        assert (TooMuchMemory.__name__ in done.stderr) is failed


def test_a_wrong_answer_is_a_failure() -> None:
    nothing = ImportedRun(curves={}, source="nobody")
    curve = Curve("loss", np.array([1.0, 1.0]), np.array([0.5, 0.4]))
    for wrong in ([], [nothing], [replace(nothing, curves={"loss": curve})]):
        with pytest.raises(targets.BrokenPromise):
            checked(lambda _data, wrong=wrong: wrong)(b"")
    with pytest.raises(targets.BrokenPromise):
        checked(lambda _data: sniffed(Path("no\nfile")))(b"")
