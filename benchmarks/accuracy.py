"""How right the diagnosis is on labelled runs.

    accuracy.py [RUNS.jsonl.gz] [--misses] [--json]

Diagnoses every run in two forms of logging (per epoch, per update) and prints precision, recall and F1 a rule, the
macro F1, and the alarms on healthy runs. Without a file it takes the small sample that comes with the repository.
A label that is absent from a run is not scored for it.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.diagnosis import Diagnosis, diagnose
from labelled import FORMS, LABELS, SAMPLE, Form, LabelledRun, load


@dataclass
class Counts:
    """Right and wrong answers of one rule."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    @property
    def precision(self) -> float:
        """Share of the findings that are right; 0 when there are none."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of the pathologies that were found; 0 when there are none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0


@dataclass
class Score:
    """The judgement on a set of runs in one form."""

    rules: dict[str, Counts] = field(default_factory=lambda: {label: Counts() for label in LABELS})
    healthy: int = 0
    alarmed: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the rules whose pathology occurs in the runs."""
        scored = [c.f1 for c in self.rules.values() if c.tp + c.fn]
        return sum(scored) / len(scored) if scored else 0.0

    def count(self, run: LabelledRun, diagnosis: Diagnosis) -> None:
        """Add one run's answers."""
        found = {finding.rule for finding in diagnosis.findings}
        for label, counts in self.rules.items():
            truth = run["labels"].get(label)
            if truth is None:
                continue
            said, true = label in found, truth == "yes"
            if said != true:
                self.misses.append(f"{run['id']}: {'no ' if said else ''}{label}, said {sorted(found) or 'nothing'}")
            outcome = ("tp" if true else "fp") if said else ("fn" if true else "tn")
            setattr(counts, outcome, getattr(counts, outcome) + 1)
        if run["labels"].get("healthy") == "yes":
            self.healthy += 1
            if any(finding.severity != "info" for finding in diagnosis.findings):
                self.alarmed.append(run["id"])

    def as_dict(self) -> dict[str, object]:
        """The figures as JSON."""
        rules = {
            name: {"precision": c.precision, "recall": c.recall, "f1": c.f1, "runs": c.tp + c.fn}
            for name, c in self.rules.items()
        }
        return {
            "macro_f1": self.macro_f1,
            "rules": rules,
            "healthy": self.healthy,
            "alarmed": self.alarmed,
            "misses": self.misses,
        }


def judge(runs: list[LabelledRun], form: Form) -> Score:
    """Diagnose every run in one form and score the answers."""
    score = Score()
    for run in runs:
        curves, context = form(run)
        score.count(run, diagnose(curves, context))
    return score


def show(console: Console, form: str, score: Score, misses: bool) -> None:
    """Print one form's table."""
    table = Table(title=f"logged {form}", title_justify="left")
    table.add_column("rule")
    for heading in ("yes", "found", "wrong", "missed", "precision", "recall", "F1"):
        table.add_column(heading, justify="right")
    for name, c in score.rules.items():
        figures = (f"{c.precision:.2f}", f"{c.recall:.2f}", f"{c.f1:.2f}")
        table.add_row(name, str(c.tp + c.fn), str(c.tp), str(c.fp), str(c.fn), *figures)
    console.print(table)
    console.print(f"macro F1 {score.macro_f1:.3f}")
    console.print(
        f"healthy runs with a finding of severity warning or above: {len(score.alarmed)} of {score.healthy}"
        + (f" ({', '.join(score.alarmed)})" if score.alarmed else "")
        + "\n"
    )
    if misses:
        console.print("\n".join(score.misses) + "\n", highlight=False)


def main() -> None:
    """Read the arguments, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, default=SAMPLE, help="labelled runs (default: the small sample)")
    parser.add_argument("--misses", action="store_true", help="list every wrong answer")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    runs = list(load(arguments.runs))
    scores = {name: judge(runs, form) for name, form in FORMS.items()}
    if arguments.json:
        print(json.dumps({name: score.as_dict() for name, score in scores.items()}, indent=2))
        return
    console = Console(width=110, highlight=False)
    console.print(f"{len(runs)} labelled runs of {arguments.runs.name}\n")
    for name, score in scores.items():
        show(console, name, score, arguments.misses)


if __name__ == "__main__":
    main()
