"""The seven steps beside random search, on scikit-learn's digits: as many updates for both, over ten seeds.

    nice -n 15 .venv/bin/python benchmarks/seven_steps.py

For each seed examples/seven_steps.py walks the steps through a real server; random search then draws from the same
space and trains each configuration for 15 epochs until it has made as many updates, the last run cut to fit. Random
search comes twice: beginning where the walk does, so that the initialisation is one more choice to draw, and told the
right one. Each side keeps the checkpoint of the best validation loss of its runs, except that the walk may only take
a run of the configuration that the service puts first. `again` is the mean test loss of the chosen configuration over
five trainings from fresh seeds, which no luck of the choice is in.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from app.demo.server import running_server
from app.search.space import Space, sample
from examples.digits import FAN_IN, PER_EPOCH, SMALL_HEAD, SPACE, Digits, Outcome, load, train
from examples.seven_steps import walk

EPOCHS, FRESH = 15, 5
BOTH = f"{SMALL_HEAD}+{FAN_IN}"
INITIALISATIONS = ("", SMALL_HEAD, FAN_IN, BOTH)
WALK, DRAWN, TOLD = "seven steps", "random search", "random search, initialisation told"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One side's choice for one seed."""

    side: str
    seed: int
    runs: int
    updates: int
    val_loss: float
    test_loss: float
    test_accuracy: float
    again: float


def random_search(data: Digits, seed: int, updates: int, initialisations: Sequence[str], side: str) -> Result:
    """As many updates of random search, and what it chooses."""
    rng = np.random.default_rng([seed, 7])
    drawn = sample(Space.parse(SPACE), 1 + updates // (EPOCHS * PER_EPOCH), seed)
    best: tuple[Outcome, Mapping[str, Any], dict[str, Any]] | None = None
    left, runs = updates, 0
    for number, config in enumerate(drawn):
        settings = {"initialisation": str(rng.choice(initialisations)), "seed": seed + number}
        outcome = train(data, config, settings, min(left, EPOCHS * PER_EPOCH))
        left, runs = left - outcome.updates, runs + 1
        if best is None or outcome.val_loss < best[0].val_loss:
            best = (outcome, config, settings)
        if left < PER_EPOCH:
            break
    if best is None:
        raise ValueError("no run fits so few updates")
    return _result(data, side, seed, runs, updates - left, *best)


def seven_steps(data: Digits, url: str, seed: int, spool: Path) -> Result:
    """The walk, and what the service puts first."""
    done = walk(url, data, seed=seed, project=f"seed-{seed}", spool=spool, say=lambda _words: None)
    chosen = done.made[done.chosen]
    outcome = done.outcomes[done.chosen]
    return _result(data, WALK, seed, len(done.outcomes), done.updates, outcome, chosen["config"], chosen["settings"])


def _result(
    data: Digits,
    side: str,
    seed: int,
    runs: int,
    updates: int,
    outcome: Outcome,
    config: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Result:
    fresh = [
        train(data, config, {**settings, "seed": 1_000_000 + FRESH * seed + k}, EPOCHS * PER_EPOCH).test_loss
        for k in range(FRESH)
    ]
    return Result(
        side=side,
        seed=seed,
        runs=runs,
        updates=updates,
        val_loss=outcome.val_loss,
        test_loss=outcome.test_loss,
        test_accuracy=outcome.test_accuracy,
        again=float(np.mean(fresh)),
    )


def table(results: Sequence[Result]) -> str:
    """Each seed in a line, then the means and the paired differences with their 95 % intervals (Student)."""
    by_side = {side: [one for one in results if one.side == side] for side in (WALK, DRAWN, TOLD)}
    lines = [
        "| seed | runs | updates | val loss | | | test accuracy | | | test loss, again | | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| | steps | all | steps | random | told | steps | random | told | steps | random | told |",
    ]
    for row in zip(*by_side.values(), strict=True):
        first = row[0]
        cells = [str(first.seed), str(first.runs), f"{first.updates:,}"]
        cells += [f"{one.val_loss:.4f}" for one in row] + [f"{one.test_accuracy:.2%}" for one in row]
        cells += [f"{one.again:.4f}" for one in row]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| seven steps less | val loss | test loss | test accuracy [points] | test loss, again |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for side in (DRAWN, TOLD):
        cells = [
            _difference(by_side[WALK], by_side[side], measure, scale)
            for measure, scale in (("val_loss", 1), ("test_loss", 1), ("test_accuracy", 100), ("again", 1))
        ]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(ours: Sequence[Result], theirs: Sequence[Result], measure: str, scale: float) -> str:
    pairs = zip(ours, theirs, strict=True)
    found = np.array([scale * (getattr(a, measure) - getattr(b, measure)) for a, b in pairs])
    if found.size < 2:
        return f"{found.mean():+.4f}"
    reach = -float(stdtrit(found.size - 1, 0.025)) * found.std(ddof=1) / math.sqrt(found.size)
    return f"{found.mean():+.4f} ({found.mean() - reach:+.4f} to {found.mean() + reach:+.4f})"


def main() -> None:
    """Run all seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write every result, one JSON object a line")
    said = parser.parse_args()
    data, results = load(), []
    with tempfile.TemporaryDirectory() as spool, running_server() as url:
        for seed in range(0, 100 * said.seeds, 100):  # so far apart that no two walks train from the same seed
            walked = seven_steps(data, url, seed, Path(spool))
            results += [
                walked,
                random_search(data, seed, walked.updates, INITIALISATIONS, DRAWN),
                random_search(data, seed, walked.updates, [BOTH], TOLD),
            ]
            if said.json:
                said.json.write_text("".join(json.dumps(asdict(one)) + "\n" for one in results))
    print(table(results))


if __name__ == "__main__":
    main()
