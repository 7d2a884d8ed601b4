"""Right and wrong answers counted: precision, recall and F1 a rule, alarms, and how far onsets are off."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from app.diagnosis import Diagnosis
from forms import Form
from labelled import LABELS, LabelledRun


@dataclass(frozen=True)
class Answer:
    """What was said about one run logged in one form."""

    run: LabelledRun
    form: Form
    diagnosis: Diagnosis


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

    @property
    def occurs(self) -> bool:
        """Whether the pathology is in the runs at all, so that there is something to find."""
        return self.tp + self.fn > 0


@dataclass
class Score:
    """The judgement on a set of answers; a label that a run lacks or its form cannot show is not scored.

    rules: label -> counts. alarmed: healthy runs with a finding of warning or above. misses: a line a wrong answer.
    confidences: rule -> (confidence, whether it was right) of each scored finding. onsets: rule -> the distances of
    right findings' onsets from the true ones [share of the run's length].
    """

    runs: int = 0
    rules: dict[str, Counts] = field(default_factory=lambda: {label: Counts() for label in LABELS})
    healthy: int = 0
    alarmed: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    confidences: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: {label: [] for label in LABELS})
    onsets: dict[str, list[float]] = field(default_factory=lambda: {label: [] for label in LABELS})

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the rules whose pathology occurs in the runs; 0 when none does."""
        scored = [counts.f1 for counts in self.rules.values() if counts.occurs]
        return fmean(scored) if scored else 0.0

    def count(self, answer: Answer) -> None:
        """Add one answer."""
        run, diagnosis = answer.run, answer.diagnosis
        self.runs += 1
        for label in LABELS:
            truth = run["labels"].get(label)
            if truth is not None and label in answer.form.shows:
                self._count_label(answer, label, truth == "yes")
        if run["labels"].get("healthy") == "yes":
            self.healthy += 1
            if any(finding.severity != "info" for finding in diagnosis.findings):
                self.alarmed.append(run["id"])

    def _count_label(self, answer: Answer, label: str, true: bool) -> None:
        run, found = answer.run, {finding.rule: finding for finding in answer.diagnosis.findings}
        said = label in found
        outcome = ("tp" if true else "fp") if said else ("fn" if true else "tn")
        setattr(self.rules[label], outcome, getattr(self.rules[label], outcome) + 1)
        if said != true:
            self.misses.append(f"{run['id']}: {'no ' if said else ''}{label}, said {sorted(found) or 'nothing'}")
        if said:
            self.confidences[label].append((found[label].confidence, true))
        onset = true_onset(answer.run, answer.form, label)
        if said and true and onset is not None and answer.diagnosis.through_step:
            self.onsets[label].append(abs(found[label].onset_step - onset) / answer.diagnosis.through_step)


def score(answers: Iterable[Answer]) -> Score:
    """The judgement on all of the answers."""
    total = Score()
    for answer in answers:
        total.count(answer)
    return total


def true_onset(run: LabelledRun, form: Form, label: str) -> float | None:
    """The step of the form at which the pathology really began; None where the run does not say."""
    onset = run.get("onset", {}).get(label)
    return None if onset is None else float(onset) * form.steps_per_epoch(run)


def by_task(answers: Iterable[Answer]) -> dict[str, Score]:
    """The judgement on each task by itself, tasks in alphabetical order."""
    tasks: dict[str, Score] = {}
    for answer in answers:
        tasks.setdefault(answer.run["config"]["task"], Score()).count(answer)
    return dict(sorted(tasks.items()))
