"""What averaging gains, in its own noise."""

import numpy as np
import pytest

from app.curves.curve import FloatArray
from app.ensembles.ensemble import Ensemble, Named, measure, scores
from app.ensembles.gain import gains, honest_best
from app.ensembles.predictions import Array, checked

CLASSES = 4


def logits(seed: int, noise: float, targets: Array, shared: FloatArray) -> FloatArray:
    """A member: right by and large, with a part of its errors of its own."""
    rng = np.random.default_rng([7, seed])
    return np.asarray(2 * np.eye(CLASSES)[targets] + shared + noise * rng.normal(size=(targets.size, CLASSES)))


def members(count: int, *, noise: float = 1.5, examples: int = 500, seed: int = 0) -> list[Named]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, CLASSES, size=examples)
    shared = rng.normal(size=(examples, CLASSES))
    return [
        (f"r{k}", 100.0 * k, checked({"logits": logits(seed * 100 + k, noise, targets, shared), "targets": targets}))
        for k in range(count)
    ]


def by(found: Ensemble) -> dict[tuple[str, str], float]:
    return {(gain.metric, gain.over): gain.gain for gain in found.gains}


def softmax(x: FloatArray) -> FloatArray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def test_it_is_the_mean_of_probabilities_and_its_log_loss() -> None:
    given = members(3)
    found = measure(given)
    targets = given[0][2].targets
    each = [softmax(one.predictions) for _, _, one in given]
    rows = np.arange(targets.size)
    mean = np.mean(each, axis=0)
    assert found.average
    assert found.average.loss == pytest.approx(-np.log(mean[rows, targets]).mean())
    assert found.average.accuracy == pytest.approx((mean.argmax(axis=1) == targets).mean())
    for member, own in zip(found.members, each, strict=True):
        assert member.loss == pytest.approx(-np.log(own[rows, targets]).mean())
        assert member.accuracy == pytest.approx((own.argmax(axis=1) == targets).mean())
    mean_of_losses = np.mean([member.loss for member in found.members])
    assert by(found)["log_loss", "average_member"] == pytest.approx(mean_of_losses - found.average.loss)


@pytest.mark.parametrize("seed", range(10))
def test_independent_errors_average_out_beyond_noise(seed: int) -> None:
    found = measure(members(5, seed=seed))
    over_best = found.gains[0]
    assert (over_best.metric, over_best.over) == ("log_loss", "best_member")
    assert not over_best.within_noise
    assert over_best.interval[0] > 0
    assert found.says.startswith("Averaging 5 checkpoints lowers log loss by")


@pytest.mark.parametrize("seed", range(10))
def test_the_same_member_twice_gains_nothing(seed: int) -> None:
    (one,) = members(1, seed=seed)
    found = measure([one, one])
    assert all(gain.within_noise and abs(gain.gain) < 1e-12 for gain in found.gains)
    assert "no more than noise" in found.says


def test_a_bad_member_makes_the_average_worse_than_the_best_and_that_is_said() -> None:
    good, _ = members(2, noise=0.1)
    targets = good[2].targets
    bad = checked({"logits": -8 * np.eye(CLASSES)[targets], "targets": targets})
    found = measure([good, ("bad", 0.0, bad)])
    assert found.gains[0].interval[1] < 0
    assert "raises log loss" in found.says
    assert by(found)["log_loss", "average_member"] > 0  # which it never loses to


def test_regression_averages_values() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(300, 2))
    given = [
        (f"r{k}", 1.0, checked({"values": targets + rng.normal(size=(300, 2)), "targets": targets})) for k in range(4)
    ]
    found = measure(given)
    assert (found.task, found.examples) == ("regression", 300)
    assert found.average
    assert found.average.loss == pytest.approx(0.25, abs=0.05)
    assert found.average.accuracy is None
    assert {gain.metric for gain in found.gains} == {"squared_error"}
    flat = measure([(r, s, checked({"values": p.predictions[:, 0], "targets": p.targets[:, 0]})) for r, s, p in given])
    assert flat.average
    assert flat.average.loss == pytest.approx(0.25, abs=0.08)


def test_members_that_predict_something_else_are_left_out_with_the_reason() -> None:
    one, other = members(2)
    few = members(1, examples=40)[0]
    targets = other[2].targets
    rolled = checked({"logits": np.roll(other[2].predictions, 1, axis=0), "targets": np.roll(targets, 1)})
    more_classes = checked({"logits": np.zeros((500, 9)), "targets": targets})
    values = checked({"values": np.zeros(500), "targets": np.zeros(500)})
    found = measure(
        [one, ("few", 1.0, few[2]), ("rolled", 2.0, rolled), ("more", 3.0, more_classes), ("v", 4.0, values), other]
    )
    assert [(member.run, member.step) for member in found.members] == [("r0", 0), ("r1", 100)]
    reasons = {one.run: one.reason for one in found.left_out}
    assert "40 examples, and the first member 500" in reasons["few"]
    assert "its targets are not those of the first member" in reasons["rolled"]
    assert "9 classes, and the first member 4" in reasons["more"]
    assert "predicts values" in reasons["v"]


@pytest.mark.parametrize(
    ("count", "examples", "reason"), [(0, 0, "no pred"), (1, 99, "one checkpoint"), (2, 9, "9 ex")]
)
def test_it_says_what_is_missing(count: int, examples: int, reason: str) -> None:
    found = measure(members(count, examples=examples))
    assert (found.average, found.gains) == (None, ())
    assert found.missing
    assert reason in found.missing
    assert len(found.members) == count


def test_a_probability_of_zero_costs_what_its_precision_can_tell() -> None:
    sure = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (30, 1))
    wrong = checked({"probabilities": sure, "targets": np.ones(30, dtype=int)})
    found = measure([("a", 0.0, wrong), ("b", 0.0, wrong)])
    assert found.members[0].loss == pytest.approx(-np.log(np.finfo(np.float32).eps))
    assert found.average
    assert found.average.loss == found.members[0].loss


def test_the_best_member_is_not_the_luckiest() -> None:
    """Members that differ by luck alone: the best on all examples looks better than one, chosen honestly, is."""
    rng = np.random.default_rng(0)
    lucky, honest = [], []
    for _ in range(200):
        scores = rng.normal(size=(20, 100))
        lucky.append(scores.mean(axis=1).max())
        best, judged = honest_best(scores)
        honest.append(scores[best, judged].mean())
    assert np.mean(lucky) > 0.15
    assert abs(np.mean(honest)) < 0.05


def test_intervals_hold_the_true_gain_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        losses = 1 + 0.5 * rng.normal(size=(3, 200)) + np.array([[0.0], [0.4], [0.5]])
        average = losses[0] - 0.1 + 0.3 * rng.normal(size=200)
        low, high = gains("squared_error", losses, average)[0].interval
        held += low <= 0.1 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_one_member_alone_has_scores_too() -> None:
    (given,) = members(1)
    alone, found = scores(given[2]), measure([given]).members[0]
    assert (alone.mean_loss, alone.accuracy) == (found.loss, found.accuracy)
