"""Runs cut short, judged, and scored by what really followed.

    hindsight.py [RUNS.jsonl.gz] [--json]

Every run is cut at 30, 50 and 70 % of its length and the part before the cut is judged as a live job planned for the
whole length. Whether keep_training, overfitting and decay_needed were right is read from the rest (afterwards.py);
where the rest cannot tell, the verdict is counted with the reason and not scored. A rule that answered `skipped` is
counted beside the right and wrong ones: F1 is over what it judged. Where a finding forecasts a gain with an interval
(`gain_low`, `gain_high` after `steps` more steps), the share of the continuations that fell into it is its coverage;
the gain is of the held-out level.

Takes unlabelled runs (`curve` holds step, train_loss, val_loss, and where known train_acc, val_acc and lr; null is not
measured) and labelled ones alike. The cures of labelled runs are no truth here: how long they trained is not recorded.
Without a file it takes the small labelled sample that comes with the repository.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from afterwards import TRUTHS, realised_gain, why_not
from app.curves.curve import Curve, Curves, make_curve
from app.curves.roles import to_roles
from app.diagnosis import judge
from app.rules.context import Context
from app.rules.verdict import Finding, Verdict
from forms import FORMS
from labelled import SAMPLE, LabelledRun, load
from scores import Counts

CUTS = (0.3, 0.5, 0.7)  # shares of the run's length
_NO_METRICS = ("step", "epoch")


@dataclass(frozen=True)
class Recorded:
    """A whole run as it was recorded: curves by raw name, and whose it is."""

    source: str
    raw: Mapping[str, Curve]
    num_classes: int | None


@dataclass(frozen=True)
class Forecast:
    """A forecast gain beside the one that came [both relative falls of the held-out level]."""

    source: str
    low: float
    high: float
    gain: float

    @property
    def holds(self) -> bool:
        """Whether what came lies in the interval."""
        return self.low <= self.gain <= self.high


@dataclass
class Hindsight:
    """Right and wrong verdicts by rule and cut, what could not be scored and why, and the forecasts."""

    runs: int = 0
    counts: dict[str, dict[float, Counts]] = field(
        default_factory=lambda: {rule: {cut: Counts() for cut in CUTS} for rule in TRUTHS}
    )
    skipped: dict[str, Counter[float]] = field(default_factory=lambda: {rule: Counter() for rule in TRUTHS})
    untold: dict[str, Counter[str]] = field(default_factory=lambda: {rule: Counter() for rule in TRUTHS})
    forecasts: list[Forecast] = field(default_factory=list)
    beyond: int = 0  # forecasts that reach past the end of the run

    def count(self, run: Recorded, cut: float) -> None:
        """Judge the part of a run before a cut, and score it by the rest."""
        whole = to_roles(run.raw, {})
        at = cut * (whole.last_step() or 0.0)
        context = Context(num_classes=run.num_classes, planned_steps=whole.last_step(), state="running")
        before = {name: curve.through(at) for name, curve in run.raw.items()}
        unknown = why_not(whole, at)
        for verdict in judge(before, context).verdicts:
            if verdict.rule in TRUTHS:
                self._count_verdict(verdict, cut, unknown or TRUTHS[verdict.rule](whole, at))
            if isinstance(verdict, Finding) and not unknown:
                for forecast in forecasts(verdict, run, whole, at):
                    self._count_forecast(forecast)

    def _count_verdict(self, verdict: Verdict, cut: float, truth: bool | str) -> None:
        if isinstance(truth, str):
            self.untold[verdict.rule][truth] += 1
            return
        if verdict.verdict == "skipped":
            self.skipped[verdict.rule][cut] += 1
            return
        found = verdict.verdict == "finding"
        outcome = ("tp" if truth else "fp") if found else ("fn" if truth else "tn")
        counts = self.counts[verdict.rule][cut]
        setattr(counts, outcome, getattr(counts, outcome) + 1)

    def _count_forecast(self, forecast: Forecast | None) -> None:
        if forecast is None:
            self.beyond += 1
        else:
            self.forecasts.append(forecast)


def forecasts(finding: Finding, run: Recorded, whole: Curves, at: float) -> Iterator[Forecast | None]:
    """The gains that a finding made at step `at` forecasts with an interval; None for one past the end of the run."""
    for args in (recommendation.args for recommendation in finding.recommendations):
        if {"gain_low", "gain_high", "steps"} <= set(args):
            gain = realised_gain(whole, at, float(args["steps"]))
            low, high = float(args["gain_low"]), float(args["gain_high"])
            yield None if gain is None else Forecast(run.source, low, high, gain)


def recorded(run: LabelledRun) -> Recorded:
    """A labelled run per epoch, or an unlabelled one as its file has it."""
    if "labels" in run:
        return Recorded(run["config"]["task"], FORMS["per epoch"].log(run)[0], run["num_classes"])
    steps = run["curve"]["step"]
    raw = {}
    for name, values in run["curve"].items():
        points = [(x, float(y)) for x, y in zip(steps, values, strict=True) if y is not None]
        if points and name not in _NO_METRICS:
            raw[name] = make_curve(name, *zip(*points, strict=True))
    return Recorded(run["source"].split()[0], raw, run.get("num_classes"))


def look_back(runs: Iterable[LabelledRun]) -> Hindsight:
    """Cut and judge every run."""
    seen = Hindsight()
    for run in map(recorded, runs):
        seen.runs += 1
        for cut in CUTS:
            seen.count(run, cut)
    return seen


def figures(seen: Hindsight) -> dict[str, Any]:
    """All figures as JSON. average_f1: the mean over the cuts after which it was true; f1: of all cuts together."""
    rules = {
        rule: {
            "cuts": {
                str(cut): {
                    **vars(c),
                    "skipped": seen.skipped[rule][cut],
                    "precision": c.precision,
                    "recall": c.recall,
                    "f1": c.f1,
                }
                for cut, c in cuts.items()
            },
            "f1": _pooled(cuts.values()).f1,
            "average_f1": _mean([c.f1 for c in cuts.values() if c.occurs]),
            "untold": dict(seen.untold[rule].most_common()),
        }
        for rule, cuts in seen.counts.items()
    }
    by_source: dict[str, list[Forecast]] = defaultdict(list)
    for forecast in seen.forecasts:
        by_source[forecast.source].append(forecast)
    return {
        "runs": seen.runs,
        "rules": rules,
        "forecasts": {
            **_coverage(seen.forecasts),
            "beyond_the_end": seen.beyond,
            "by_source": {source: _coverage(of) for source, of in sorted(by_source.items())},
        },
    }


def _pooled(cuts: Iterable[Counts]) -> Counts:
    total = Counter(dict.fromkeys(vars(Counts()), 0))
    for counts in cuts:
        total.update(vars(counts))
    return Counts(**total)


def _coverage(forecasts: list[Forecast]) -> dict[str, Any]:
    return {
        "forecasts": len(forecasts),
        "coverage": _mean([float(f.holds) for f in forecasts]),
        "gain_above": _mean([float(f.gain > f.high) for f in forecasts]),
        "mean_width": _mean([f.high - f.low for f in forecasts]),
    }


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None


def show(console: Console, measured: Mapping[str, Any]) -> None:
    """Print the tables."""
    table = Table(title="verdicts at a cut, by what followed", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("rule", "cut", "right", "wrong", "missed", "rightly clear", "skipped", "precision", "recall", "F1"):
        table.add_column(heading, justify="left" if heading == "rule" else "right")
    for rule, f in measured["rules"].items():
        for cut, c in f["cuts"].items():
            shares = (f"{c[name]:.2f}" for name in ("precision", "recall", "f1"))
            table.add_row(rule, cut, *(str(c[name]) for name in ("tp", "fp", "fn", "tn", "skipped")), *shares)
    console.print(table)
    for rule, f in measured["rules"].items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in f["untold"].items())
        console.print(f"{rule}: average F1 {_said(f['average_f1'])}, F1 of all cuts {_said(f['f1'])}")
        console.print(f"    not scored: {reasons or 'none'}")
    forecasts = measured["forecasts"]
    for name, f in {"forecasts": forecasts, **forecasts["by_source"]}.items():
        console.print(
            f"{name}: {f['forecasts']}, in the interval {_said(f['coverage'])}, above it {_said(f['gain_above'])}, "
            f"mean width {_said(f['mean_width'])}"
        )
    console.print(f"forecasts past the end of the run, not scored: {forecasts['beyond_the_end']}")


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Read the arguments, look back, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, default=SAMPLE, help="whole runs (default: the small sample)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    measured = figures(look_back(load(arguments.runs)))
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    console = Console(width=120, highlight=False)
    console.print(f"{measured['runs']} runs of {arguments.runs.name}\n")
    show(console, measured)


if __name__ == "__main__":
    main()
