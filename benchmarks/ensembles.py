"""Does averaging predictions gain what is said? Small networks from independent starts, and snapshots of a cyclic rate.

Of each repetition the gain is measured on a thousand validation examples, as the service measures it, and held against
the gain on twenty thousand others that nobody has seen: a 95 % interval is to hold that one about as often.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curves, FloatArray, make_curve
from app.demo.network import Network, make_network
from app.ensembles.checkpoint import choose
from app.ensembles.ensemble import measure, scores
from app.ensembles.gain import Gain, honest_best
from app.ensembles.predictions import Predictions, checked
from app.ensembles.snapshots import to_average

INPUTS, CLASSES, HIDDEN = 12, 5, 48
TRAIN, VAL, TEST = 6000, 1000, 20_000
MEMBERS, UPDATES, BATCH = 5, 700, 32
RATE = 0.05
Labels = NDArray[np.int64]
Data = tuple[FloatArray, Labels]


@dataclass(frozen=True)
class Compared:
    """A gain as it was measured on validation examples, and what it was on the others [unit]."""

    ensemble: str
    metric: str
    over: str
    said: float
    low: float
    high: float
    found: float
    found_error: float

    @property
    def held(self) -> bool:
        """Whether both agree: the interval of the one, widened by what the other does not know."""
        reach = (self.high - self.low) / 2
        return abs(self.found - self.said) <= float(np.hypot(reach, 1.96 * self.found_error))


def draw(rng: np.random.Generator) -> tuple[Data, Data, Data]:
    """Train, val and test of a task whose labels are drawn from what a random network answers."""
    inner = rng.normal(size=(INPUTS, 24)) / np.sqrt(INPUTS) * 1.5
    outer = rng.normal(size=(24, CLASSES)) * 0.8
    inputs = rng.normal(size=(TRAIN + VAL + TEST, INPUTS))
    noisy = np.tanh(inputs @ inner) @ outer + rng.gumbel(size=(inputs.shape[0], CLASSES)) * 0.5
    labels = noisy.argmax(axis=1)
    a, b = TRAIN, TRAIN + VAL
    return (inputs[:a], labels[:a]), (inputs[a:b], labels[a:b]), (inputs[b:], labels[b:])


def independent(train: Data, val: Data, test: Data, seed: int) -> list[tuple[Predictions, Predictions]]:
    """What networks of several starts predict for val and for test at their end, the rate falling as half a cosine."""
    found = []
    for member in range(MEMBERS):
        network = make_network((INPUTS, HIDDEN, HIDDEN, CLASSES), 1.0, 0.1, seed * 100 + member)
        rng = np.random.default_rng([seed, member])
        for update in range(UPDATES):
            _update(network, train, RATE * (1 + np.cos(np.pi * update / UPDATES)) / 2, rng)
        found.append((_predict(network, val), _predict(network, test)))
    return found


def snapshots(train: Data, val: Data, test: Data, seed: int) -> list[tuple[Predictions, Predictions]]:
    """The same for one network and a cyclic rate, at the checkpoints that are to be averaged by its logged curves."""
    network = make_network((INPUTS, HIDDEN, HIDDEN, CLASSES), 1.0, 0.1, seed * 100)
    rng = np.random.default_rng([seed, 99])
    rates, losses, made = [], [], {}
    for update in range(MEMBERS * UPDATES):
        rates.append(RATE * 2 * (1 + np.cos(np.pi * (update % UPDATES) / UPDATES)) / 2)
        _update(network, train, rates[-1], rng)
        if update % 70 == 69:
            made[float(update)] = (_predict(network, val), _predict(network, test))
            losses.append(network.loss_and_accuracy(*val)[0])
    curves = Curves(
        {
            "lr": make_curve("lr", np.arange(len(rates)), rates),
            "val/loss": make_curve("val/loss", list(made), losses),
        }
    )
    advice = to_average(curves, choose(curves, "val/loss", "min", list(made)), None, list(made))
    assert advice.how == "cycle_ends", advice.says
    return [made[step] for step in advice.steps]


def compare(ensemble: str, members: Sequence[tuple[Predictions, Predictions]]) -> list[Compared]:
    """Each gain as the service measures it on val, beside the same on test with the member that val calls best."""
    found = measure([("r", float(number), val) for number, (val, _) in enumerate(members)])
    compared = []
    for gain in found.gains:
        mean, error = _on_test(gain, members)
        compared.append(Compared(ensemble, gain.metric, gain.over, gain.gain, *gain.interval, mean, error))
    return compared


def _on_test(gain: Gain, members: Sequence[tuple[Predictions, Predictions]]) -> tuple[float, float]:
    each = [scores(test) for _, test in members]
    chosen = [scores(val) for val, _ in members]
    probabilities = np.mean([test.predictions for _, test in members], axis=0)
    average = scores(checked({"probabilities": probabilities, "targets": members[0][1].targets}))
    if gain.metric == "accuracy":
        of = np.array([one.correct for one in each], dtype=float)
        difference_from, best = (
            np.asarray(average.correct, dtype=float),
            honest_best(np.array([one.correct for one in chosen], dtype=float))[0],
        )
    else:
        of = -np.array([one.loss for one in each])
        difference_from, best = -average.loss, honest_best(-np.array([one.loss for one in chosen]))[0]
    difference = difference_from - (of[best] if gain.over == "best_member" else of.mean(axis=0))
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(difference.size))


def _update(network: Network, train: Data, rate: float, rng: np.random.Generator) -> None:
    batch = rng.integers(TRAIN, size=BATCH)
    network.update(train[0][batch], train[1][batch], rate, 1e-4)


def _predict(network: Network, data: Data) -> Predictions:
    activations = data[0]
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        activations = np.maximum(activations @ weight + bias, 0)
    logits = activations @ network.weights[-1] + network.biases[-1]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return checked({"probabilities": odds / odds.sum(axis=1, keepdims=True), "targets": data[1]})


def run(repetitions: int) -> list[Compared]:
    """Every gain of every repetition."""
    found = []
    for seed in range(repetitions):
        data = draw(np.random.default_rng([seed, 1]))
        found += compare("5 independent runs", independent(*data, seed))
        found += compare("5 snapshots of one cyclic run", snapshots(*data, seed))
    return found


def main() -> None:
    """Print how gains that were said compare with gains that were found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = run(asked.repetitions)
    if asked.json:
        print(json.dumps([{**asdict(one), "held": one.held} for one in found]))
        return
    print("| ensemble | metric | over | gain said, val | gain found, test | beyond noise | interval held |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for key in dict.fromkeys((one.ensemble, one.metric, one.over) for one in found):
        of = [one for one in found if (one.ensemble, one.metric, one.over) == key]
        said, was = np.mean([one.said for one in of]), np.mean([one.found for one in of])
        beyond, held = sum(one.low > 0 for one in of), sum(one.held for one in of)
        print(f"| {' | '.join(key)} | {said:.4f} | {was:.4f} | {beyond} of {len(of)} | {held} of {len(of)} |")


if __name__ == "__main__":
    main()
