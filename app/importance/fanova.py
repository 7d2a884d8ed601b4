"""Functional ANOVA of a table, once over all its rows and again over rows drawn from them. A process: JSON to JSON.

Optuna's evaluator does the work: a forest that predicts the value, whose marginals are integrated exactly (Hutter, Hoos
and Leyton-Brown 2014). It takes two seconds to import and 200 MB, and holds the interpreter while it computes; so it
runs beside the server, which can end it, and never within.
"""

import json
import sys
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import create_trial

_TREES, _TREES_RESAMPLED = 32, 8


def main() -> None:
    """Read a question from standard input, and answer it on standard output.

    {"options": [null, 3], "rows": [[0.5, 2], ...], "values": [0.3, ...], "most_rows": 150, "resamples": 25, "seed": 0}:
    a column without options holds numbers from 0 to 1, one with options their index. Answered with the share of the
    variance that each column explains alone: {"estimate": [0.9, 0.05], "resampled": [[0.8, 0.1], ...]}.
    """
    asked = json.load(sys.stdin)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    random = np.random.default_rng(asked["seed"])
    rows, values, options = asked["rows"], asked["values"], asked["options"]
    count, most = len(rows), asked["most_rows"]
    every = list(range(count)) if count <= 2 * most else random.choice(count, 2 * most, replace=False).tolist()
    resampled = []
    for number in range(asked["resamples"]):
        drawn = random.integers(0, count, min(count, most)).tolist()
        resampled.append(_shares(rows, values, options, drawn, _TREES_RESAMPLED, number))
    estimate = _shares(rows, values, options, every, _TREES, asked["seed"] % 2**32)
    json.dump({"estimate": estimate, "resampled": resampled}, sys.stdout)


def _shares(
    rows: Sequence[Sequence[float]],
    values: Sequence[float],
    options: Sequence[int | None],
    chosen: Sequence[int],
    trees: int,
    seed: int,
) -> list[float]:
    # The evaluator takes a range as it stands, without the logarithm of its distribution: so rates come as their share
    # of the way through their range, or what lies above a tenth of it would be nine tenths of the space.
    ranges: dict[str, BaseDistribution] = {
        str(place): FloatDistribution(0.0, 1.0) if one is None else CategoricalDistribution(list(range(one)))
        for place, one in enumerate(options)
    }
    study = optuna.create_study()
    study.add_trials(
        [
            create_trial(
                params={str(place): _value(entry, options[place]) for place, entry in enumerate(rows[row])},
                distributions=ranges,
                value=values[row],
            )
            for row in chosen
        ]
    )
    found = FanovaImportanceEvaluator(n_trees=trees, seed=seed).evaluate(study)
    return [float(np.nan_to_num(found[name])) for name in ranges]


def _value(entry: float, options: int | None) -> float | int:
    return float(entry) if options is None else int(entry)


if __name__ == "__main__":
    main()
