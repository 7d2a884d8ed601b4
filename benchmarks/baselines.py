"""How often a comparison with a baseline is right, on trainings that did not change and on some that got worse.

    baselines.py [--seeds N]

Each of the demo's trainings that ends in a number is run from several seeds, and every run is compared with every
other: none may fail. Three are spoiled, and each of their runs is compared with each of the sane ones: all should fail.
Both are done with the baseline alone, and with the other seeds as the runs before it.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations, product

import numpy as np

from app.checks.comparison import Baseline, Relation, compare
from app.checks.level import COMPARED, Level, levels
from app.curves.curve import make_curve
from app.demo.schedules import cosine
from app.demo.train import RECIPES, Recipe, train

Pair = tuple[Level, Level, Sequence[Level]]  # a run, its baseline, and runs before that one

SANE = {recipe.name: recipe for recipe in RECIPES}["mlp-cosine"]
WORSE = {
    "a quarter of the width": replace(SANE, hidden=(16,)),
    "a tenth of the rate": replace(SANE, rate=cosine(0.003)),
    "an eighth of the images": replace(SANE, train_samples=5_000),
}
NUMBERLESS = {"mlp-rate-3.0", "mlp-rate-1e-6"}  # one diverges, the other stays where it begins to the last digit
OUTCOMES: dict[Relation, str] = {"better": "pass", "same": "pass", "doubtful": "investigate", "worse": "fail"}


def trained(recipe: Recipe, seeds: int) -> list[dict[str, Level]]:
    """The best levels of each seed, by curve."""
    found = []
    for seed in range(100, 100 + seeds):
        curves = train(recipe, seed)["curves"]
        found.append(
            levels({name: make_curve(name, curves[name]["steps"], curves[name]["values"]) for name in COMPARED})
        )
    return found


def unchanged(runs: Sequence[Level]) -> Iterator[Pair]:
    """Every run against every other, with the rest as those before."""
    for run, before in permutations(range(len(runs)), 2):
        yield runs[run], runs[before], [each for at, each in enumerate(runs) if at not in (run, before)]


def worse(runs: Sequence[Level], sane: Sequence[Level]) -> Iterator[Pair]:
    """Every spoiled run against every sane one."""
    for run, before in product(runs, range(len(sane))):
        yield run, sane[before], [each for at, each in enumerate(sane) if at != before]


def outcomes(pairs: Sequence[Pair], *, with_history: bool) -> Counter[str]:
    """What comes of each pair: pass, investigate, fail."""
    counts: Counter[str] = Counter()
    for run, before, others in pairs:
        history = [before.value, *(each.value for each in others)] if with_history else []
        baseline = Baseline(ref="main", name="before", levels={run.curve: before}, history={run.curve: history})
        counts[OUTCOMES[compare({run.curve: run}, baseline).relation]] += 1
    return counts


def main() -> None:
    """Train, compare, and print the tables that docs/ci.md shows."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=8)
    seeds = arguments.parse_args().seeds
    with np.errstate(all="ignore"):
        same = {recipe.name: trained(recipe, seeds) for recipe in RECIPES if recipe.name not in NUMBERLESS}
        spoiled = [trained(recipe, seeds) for recipe in WORSE.values()]
    print("| | pairs | pass | investigate | fail |\n| --- | ---: | ---: | ---: | ---: |")
    for curve in COMPARED:
        sane = [each[curve] for each in same[SANE.name]]
        pairs = {
            "did not change": [p for runs in same.values() for p in unchanged([each[curve] for each in runs])],
            "got worse": [p for runs in spoiled for p in worse([each[curve] for each in runs], sane)],
        }
        for what, found in pairs.items():
            for with_history, known in ((False, "the baseline alone"), (True, "with those before it")):
                counts = outcomes(found, with_history=with_history)
                shares = " | ".join(str(counts[outcome]) for outcome in ("pass", "investigate", "fail"))
                print(f"| {curve} {what}, {known} | {len(found)} | {shares} |")
    for curve in COMPARED:
        spreads = [spread([each[curve] for each in runs]) for runs in same.values()]
        said = f"{min(spreads):.1%} to {max(spreads):.1%}, {np.median(spreads):.1%} in the median"
        print(f"\nBetween seeds {curve} had a standard deviation of {said} of {len(spreads)} trainings.")


def spread(runs: Sequence[Level]) -> float:
    """Standard deviation between seeds [share of the loss, or of 1 - accuracy]."""
    wrong = np.array([run.value if run.goal == "min" else 1 - run.value for run in runs])
    return float(wrong.std(ddof=1) / wrong.mean())


if __name__ == "__main__":
    main()
