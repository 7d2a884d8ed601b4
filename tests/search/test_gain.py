"""Step 7: whether another round pays, against noise; more seeds where it cannot be told."""

import math

import numpy as np
import pytest

from app.search import gain
from app.search.gain import best_of, expected_gain, unsettled
from app.search.places import Placed
from app.search.ranking import standing
from app.search.trial import Trial
from tests.search.runs import placed
from tests.search.test_ranking import level, seeds, stand


def report(trials: list[Trial], step: int = 5) -> gain.StepReport:
    where: Placed = placed(*trials)
    return gain.report(where, standing(where.looks[0].search, where.at(step), step), 5)


def test_a_gain_within_noise_stops_and_one_beyond_it_goes_on() -> None:
    alike = {0.01 * (k + 1): 0.5 for k in range(5)}
    apart = {0.01 * (k + 1): 0.1 * 2.0**k for k in range(5)}
    stops, goes = report(seeds(0.05, levels=alike)), report(seeds(0.01, levels=apart))
    assert "stop." in stops.says
    assert "go on." in goes.says
    assert stops.evidence[0].value < (stops.evidence[0].limit or 0)
    assert goes.evidence[0].value > (goes.evidence[0].limit or 0)
    assert stops.status == goes.status == "done"


def test_the_gain_bounds_what_another_round_really_brings() -> None:
    rng, promised, came = np.random.default_rng(2), [], []
    for _ in range(120):
        true = np.exp(0.2 * np.abs(rng.normal(size=15)))  # a floor at 1, as losses have
        trials = [
            level(f"{k}-{s}", 0.01 * (k + 1), true[k] * math.exp(0.01 * rng.normal()))
            for k in range(10)
            for s in range(2)
        ]
        found = expected_gain(stand(trials), 5)
        assert found is not None
        promised.append(found.expected)
        came.append(math.log(true[:10].min() / true.min()))
    assert np.mean(came) <= np.mean(promised) <= 4 * np.mean(came)


def test_what_all_choices_of_some_scores_give_on_average_is_exact() -> None:
    scores = np.array([1.0, 2.0, 4.0, 8.0])
    pairs = [1, 1, 1, 2, 2, 4]
    assert best_of(scores, 2) == pytest.approx(np.mean(pairs))
    assert best_of(scores, 4) == 1.0
    assert best_of(scores, 1) == pytest.approx(np.mean(scores))


def test_what_cannot_be_told_is_said() -> None:
    assert "1 configuration of 3 were refined" in report([level("a", 0.1, 0.5)]).says
    unrepeated = report(seeds(0.0, count=1))
    assert (unrepeated.status, unrepeated.missing) == ("open", "the leaders with other seeds")
    assert gain.report(placed(), None, 5).missing == "runs of step 5 that have ended"
    coarse = report([level(f"r{k}", 0.1 * k + 0.1, 0.5, step=4) for k in range(3)], step=4)
    assert coarse.says == "Nothing was refined yet."


def test_configurations_that_differ_by_noise_alone_promise_nothing() -> None:
    same = [level(f"{lr}-{s}", lr, 0.5 + 0.01 * s) for lr in (0.1, 0.2, 0.3) for s in range(2)]
    found = expected_gain(stand(same), 5)
    assert found is not None
    assert found.expected == 0.0
    assert not found.pays


def test_leaders_want_three_seeds_each_unless_the_best_is_plain() -> None:
    assert len(unsettled(stand(seeds(0.15, count=2)))) == 3
    assert unsettled(stand(seeds(0.005, count=2))) == ()
    assert unsettled(stand(seeds(0.15, count=3))) == ()
    assert len(unsettled(stand(seeds(0.0, count=1)))) == 3
