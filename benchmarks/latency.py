"""How long a diagnosis takes: all rules, on curves built fresh each time, and from a server that stores the run.

    latency.py [--small] [--json] [--repeats N] [--database-url URL]

A short run is 100 epochs by four curves, judged many times: median and 99th percentile. A long one is 10^4, 10^5 and
10^6 updates by four curves: once in a fresh process right after its imports (cold), then the median of many (warm).
Beside each stands a floor measured in the same process: the same arrays read by numpy for their mean and standard
deviation in one pass and for their median, which is the least that a robust judgement could do. The ratio to it holds
on a faster machine too; the milliseconds do not. --small does a few of each, for tests.

A stored run has 10^3 to 10^7 points in four curves, is appended to and diagnosed by a real server: see appended.py.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import appended
from app.curves.curve import Curve, FloatArray
from app.diagnosis import judge
from app.rules.context import Context

EPOCHS = 100
UPDATES = (10_000, 100_000, 1_000_000)
SMALL_UPDATES = (1_000, 10_000)
_CLASSES = 10

Arrays = dict[str, tuple[FloatArray, FloatArray]]
Figures = dict[str, float]


def arrays(points: int, seed: int = 0) -> Arrays:
    """Name -> (steps, values), each float64 [points], of a run that learns, then overfits, at a rate that falls."""
    noise = np.random.default_rng(seed)
    steps = np.arange(1, points + 1, dtype=np.float64)
    done = steps / points
    train = 0.1 + 2.2 * np.exp(-5 * done) + 0.05 * noise.standard_normal(points) * np.exp(-2 * done)
    val = 0.5 + 1.8 * np.exp(-6 * done) + 0.5 * np.maximum(0, done - 0.5) + 0.02 * noise.standard_normal(points)
    return {
        "train/loss": (steps, np.abs(train)),
        "val/loss": (steps, np.abs(val)),
        "val/accuracy": (steps, np.clip(1 - 0.4 * val, 0, 1)),
        "lr": (steps, 0.05 * (1 + np.cos(np.pi * done))),
    }


def diagnosis_seconds(made: Arrays) -> float:
    """One diagnosis of the finished run from curves that were never looked at, thinning them included."""
    context = Context(num_classes=_CLASSES, planned_steps=float(made["lr"][0][-1]), state="finished")
    curves = {name: Curve(name, steps.copy(), values.copy()) for name, (steps, values) in made.items()}
    begin = time.perf_counter()
    judge(curves, context)
    return time.perf_counter() - begin


def floor_seconds(made: Arrays) -> float:
    """Mean, standard deviation and median of every curve's values."""
    copies = [values.copy() for _, values in made.values()]
    begin = time.perf_counter()
    for values in copies:
        values.mean()
        values.std()
        np.median(values)
    return time.perf_counter() - begin


def measured(points: int, repeats: int) -> Figures:
    """Milliseconds of the first diagnosis in this process, of later ones, and of the floor; ratio of the medians."""
    made = arrays(points)
    cold = diagnosis_seconds(made)
    warm = _repeated(diagnosis_seconds, made, repeats)
    floor = _repeated(floor_seconds, made, repeats)
    return {
        "points": points,
        "repeats": repeats,
        "cold_ms": 1e3 * cold,
        "median_ms": 1e3 * float(np.median(warm)),
        "p99_ms": 1e3 * float(np.quantile(warm, 0.99)),
        "floor_ms": 1e3 * float(np.median(floor)),
        "ratio": float(np.median(warm) / np.median(floor)),
    }


def _repeated(seconds: Callable[[Arrays], float], made: Arrays, repeats: int) -> FloatArray:
    return np.array([seconds(made) for _ in range(repeats)])


def measure(small: bool) -> list[Figures]:
    """Every size in a process of its own, one after the other."""
    sizes = [(EPOCHS, 20 if small else 1000)]
    sizes += [(points, 3) for points in SMALL_UPDATES] if small else [(n, max(10, 10**6 // n)) for n in UPDATES]
    fresh = multiprocessing.get_context("spawn")
    figures = []
    for size in sizes:
        with fresh.Pool(1) as pool:
            figures.append(pool.apply(measured, size))
    return figures


def measure_appended(small: bool, repeats: int, database_url: str | None) -> list[Figures]:
    """A diagnosis after an append, for runs of four curves that have so many points together."""
    lengths = appended.SMALL_LENGTHS if small else appended.LENGTHS
    return appended.measure({points: arrays(points // 4) for points in lengths}, 3 if small else repeats, database_url)


def show(console: Console, figures: list[Figures]) -> None:
    """Print the table."""
    table = Table(title="one diagnosis of four curves, milliseconds", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("points a curve", "repeats", "cold", "median", "p99", "floor", "median / floor"):
        table.add_column(heading, justify="right")
    for row in figures:
        times = (f"{row[name]:.3g}" for name in ("cold_ms", "median_ms", "p99_ms", "floor_ms", "ratio"))
        table.add_row(f"{row['points']:,.0f}", f"{row['repeats']:.0f}", *times)
    console.print(table)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few of each, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--repeats", type=int, default=100, help="of each diagnosis after an append")
    parser.add_argument("--database-url", help="a Postgres that is migrated and empty, in place of a SQLite file")
    arguments = parser.parse_args()
    fresh = measure(arguments.small)
    after = measure_appended(arguments.small, arguments.repeats, arguments.database_url)
    if arguments.json:
        print(json.dumps({"fresh": fresh, "appended": after}, indent=2))
        return
    console = Console(width=110, highlight=False)
    show(console, fresh)
    appended.show(console, after)


if __name__ == "__main__":
    main()
