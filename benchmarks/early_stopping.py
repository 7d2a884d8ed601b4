"""What stopping runs whose forecast cannot reach the best saves a search, and what it costs.

    early_stopping.py [RUNS] [--small]

Searches of 24 configurations are trained here in full, on three tasks of a small network; with RUNS, a labelled file,
its tasks are searches as well, their schedules known by name. Each search is then gone through in several orders of its
runs, as if they ran one after the other: at each evaluation a run is asked whether it can still reach the best of those
before it. A stop is wrong when the run would have beaten that best by its end. Beside it stands the median rule, which
stops a run whose best is worse than the median of the earlier runs at that evaluation.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.demo.network import make_network
from app.rules.context import Context
from app.search.forecast import can_reach
from app.search.ranking import best_level
from app.search.space import Choice, Integer, LogUniform, Space, sample
from app.search.trial import Trial
from labelled import load, per_epoch

SPACE = Space(
    {
        "lr": LogUniform(low=1e-3, high=1.0, role="learning_rate"),
        "weight_decay": Choice(options=(0.0, 1e-5, 1e-4), role="weight_decay"),
        "width": Integer(low=8, high=64, log=True),
    }
)
# Examples to train on, how far the blobs reach into each other, and how many there are.
TASKS = {"blobs": (2_000, 1.0, 10), "overlapping blobs": (2_000, 2.0, 10), "few examples": (200, 1.5, 10)}
CONFIGURATIONS, EPOCHS, FEATURES, BATCH = 24, 20, 20, 32
LEAST_BEFORE = 3  # runs that the median rule waits for, as for the best to be one


@dataclass(frozen=True)
class Tally:
    """Runs gone through, those stopped, those of them wrongly; epochs saved of all, and how much worse the best is."""

    runs: int
    stopped: int
    wrong: int
    saved: float
    worse: float


Stops = Callable[[Trial, Sequence[Trial]], int | None]


def trained(task: str, seed: int, configurations: int, epochs: int) -> list[Trial]:
    """A random search on one task, each run in full; runs that diverged are left to be stopped by anybody."""
    examples, spread, classes = TASKS[task]
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, FEATURES))
    labels = [rng.integers(classes, size=size) for size in (examples, 1_000)]
    images = [centres[each] + spread * rng.normal(size=(each.size, FEATURES)) for each in labels]
    trials = []
    for number, config in enumerate(sample(SPACE, configurations, seed)):
        net = make_network((FEATURES, int(str(config["width"])), classes), 1.0, 0.1, number)
        values = []
        with np.errstate(all="ignore"):
            for _ in range(epochs):
                for batch in np.split(rng.permutation(examples), range(BATCH, examples, BATCH)):
                    rate, decay = float(str(config["lr"])), float(str(config["weight_decay"]))
                    net.update(images[0][batch], labels[0][batch], rate, decay)
                values.append(net.loss_and_accuracy(images[1], labels[1])[0])
        trials.append(_trial(f"{task}-{number}", Curve("val/loss", np.arange(1.0, epochs + 1), np.array(values))))
    return trials


def labelled(path: Path) -> dict[str, list[Trial]]:
    """The runs of a labelled file by task, without those whose validation loss is not finite throughout."""
    searches: dict[str, list[Trial]] = {}
    for run in load(path):
        val = per_epoch(run)[0]["val/loss"]
        if len(val) >= 10 and np.isfinite(val.values).all() and val.values.min() > 0:
            trial = _trial(run["id"], val)
            context = replace(trial.context, schedule=run["config"]["sched"])
            trial = replace(trial, curves={"val/loss": val, "lr": per_epoch(run)[0]["lr"]}, context=context)
            searches.setdefault(run["config"]["task"], []).append(trial)
    return searches


def _trial(run: str, val: Curve) -> Trial:
    context = Context(planned_steps=float(val.steps[-1]))
    return Trial(run, {}, "running", None, {"val/loss": val}, context, None)


def forecast_stops(trial: Trial, before: Sequence[Trial]) -> int | None:
    """The evaluation at which the forecast gives a run up; None when it never does."""
    best = min(map(level, before))
    val = trial.curves["val/loss"]
    for many in range(1, len(val)):
        step = float(val.steps[many - 1])
        seen = replace(trial, curves={name: curve.through(step) for name, curve in trial.curves.items()})
        if can_reach(seen, best).hopeless:
            return many
    return None


def median_stops(trial: Trial, before: Sequence[Trial]) -> int | None:
    """The evaluation at which the median rule gives a run up; None when it never does."""
    own, others = _best_so_far(trial), [_best_so_far(one) for one in before]
    for many in range(len(own) // 5, len(own) - 1):  # as early as the forecast looks
        share = (many + 1) / len(own)
        peers = [one[max(0, round(share * len(one)) - 1)] for one in others]
        if own[many] > np.median(peers):
            return many + 1
    return None


def _best_so_far(trial: Trial) -> FloatArray:
    values = trial.curves["val/loss"].values
    return np.minimum.accumulate(np.where(np.isfinite(values), values, np.inf))


def level(trial: Trial) -> float:
    """The best level of a run, infinite where it diverged."""
    values = trial.curves["val/loss"].values
    return best_level(values, "min") if np.isfinite(values).all() else float("inf")


def gone_through(search: Sequence[Trial], orders: int, stops: Stops) -> Tally:
    """A search in several orders of its runs."""
    runs = stopped = wrong = 0
    spent, whole, worse = 0.0, 0.0, []
    for seed in range(orders):
        order = [search[k] for k in np.random.default_rng(seed).permutation(len(search))]
        done: list[Trial] = []
        for trial in order:
            length = len(trial.curves["val/loss"])
            at = stops(trial, done) if len(done) >= LEAST_BEFORE else None
            spent, whole = spent + (at or length) / length, whole + 1
            runs += 1
            if at is None:
                done.append(trial)
            else:
                stopped += 1
                wrong += level(trial) < min(map(level, done))
        worse.append(min(map(level, done)) / min(map(level, order)) - 1)
    return Tally(runs, stopped, wrong, 1 - spent / whole, float(np.mean(worse)))


def rows(searches: dict[str, list[Trial]], orders: int) -> Iterator[str]:
    """A line of the table a search and rule."""
    for name, search in searches.items():
        for rule, stops in (("forecast", forecast_stops), ("median", median_stops)):
            with np.errstate(all="ignore"):
                t = gone_through(search, orders, stops)
            yield (
                f"| {name} ({len(search)}) | {rule} | {t.stopped / t.runs:.0%} | "
                f"{t.wrong / max(t.stopped, 1):.1%} | {t.saved:.0%} | {t.worse:.1%} |"
            )


def main() -> None:
    """Train, go through, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs", nargs="?", type=Path, metavar="RUNS", help="a labelled file whose tasks are searches too"
    )
    parser.add_argument("--small", action="store_true", help="fewer configurations and orders: seconds, and rough")
    arguments = parser.parse_args()
    many, epochs, orders = (8, 10, 2) if arguments.small else (CONFIGURATIONS, EPOCHS, 20)
    searches = {task: trained(task, seed, many, epochs) for seed, task in enumerate(TASKS)}
    if arguments.runs:
        searches |= {f"labelled {task}": runs for task, runs in labelled(arguments.runs).items()}
    print("| search (runs) | rule | stopped | wrongly, of these | epochs saved | best is worse by |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for row in rows(searches, orders):
        print(row)


if __name__ == "__main__":
    main()
