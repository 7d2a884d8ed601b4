"""How right the diagnosis is on labelled runs.

    accuracy.py [RUNS.jsonl.gz] [--forms "NAME;NAME"] [--misses] [--jobs N] [--json]

Diagnoses every run in every form of logging (forms.py) and prints precision, recall and F1 a rule, the macro F1 over
the labels that the form can show, the same a task, and the alarms on healthy runs. Without a file it takes the small
sample that comes with the repository. A label that is absent from a run is not scored for it.
"""

import argparse
import json
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean

from rich.console import Console

from app.diagnosis import Diagnosis
from forms import FORMS, FULL, Form
from labelled import SAMPLE, LabelledRun, load
from scores import Answer, Score, by_task, score
from tables import show_form, show_summary, show_tasks

Judgements = dict[str, list[Answer]]


def judge_all(runs: list[LabelledRun], forms: list[Form], jobs: int = 1) -> Judgements:
    """Form name -> an answer for each run that can be logged so, in `jobs` processes."""
    work = [(form.name, run) for form in forms for run in runs if form.applies(run)]
    if jobs == 1:
        diagnoses = [_diagnose(item) for item in work]
    else:
        with Pool(jobs) as pool:
            diagnoses = pool.map(_diagnose, work, chunksize=16)
    answers: Judgements = {form.name: [] for form in forms}
    for (name, run), diagnosis in zip(work, diagnoses, strict=True):
        answers[name].append(Answer(run, FORMS[name], diagnosis))
    return answers


def _diagnose(work: tuple[str, LabelledRun]) -> Diagnosis:
    name, run = work
    return FORMS[name].judge(run)


def figures(scored: Score, shows: frozenset[str]) -> dict[str, object]:
    """One form's figures as JSON; rules that the form cannot show are left out."""
    rules = {
        name: {"precision": c.precision, "recall": c.recall, "f1": c.f1, "runs": c.tp + c.fn}
        for name, c in scored.rules.items()
        if name in shows
    }
    return {
        "runs": scored.runs,
        "macro_f1": scored.macro_f1,
        "rules": rules,
        "healthy": scored.healthy,
        "alarmed": scored.alarmed,
        "misses": scored.misses,
    }


def report(judged: Judgements) -> dict[str, object]:
    """All figures as JSON."""
    scores = {name: score(answers) for name, answers in judged.items()}
    forms = {
        name: {
            **figures(scored, FORMS[name].shows),
            "by_task": {task: s.macro_f1 for task, s in by_task(judged[name]).items()},
        }
        for name, scored in scores.items()
    }
    others = [scored.macro_f1 for name, scored in scores.items() if name not in FULL and scored.runs]
    return {"forms": forms, "macro_f1_other_forms": fmean(others) if others else None}


def show(console: Console, judged: Judgements, misses: bool) -> None:
    """Print every table."""
    scores = {name: score(answers) for name, answers in judged.items()}
    for name in (name for name in scores if name in FULL or len(scores) == 1):
        show_form(console, name, scores[name])
    show_summary(console, scores)
    show_tasks(console, {name: by_task(answers) for name, answers in judged.items()})
    if misses:
        for name, scored in scores.items():
            console.print(f"\nwrong, logged {name}:\n" + "\n".join(scored.misses), highlight=False)


def main() -> None:
    """Read the arguments, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, default=SAMPLE, help="labelled runs (default: the small sample)")
    parser.add_argument("--forms", default="", help="names of forms, `;` between them (default: all)")
    parser.add_argument("--misses", action="store_true", help="list every wrong answer")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    runs = list(load(arguments.runs))
    chosen = arguments.forms.split(";") if arguments.forms else list(FORMS)
    if unknown := set(chosen) - set(FORMS):
        parser.error(f"no such form: {', '.join(sorted(unknown))}; there are {'; '.join(FORMS)}")
    judged = judge_all(runs, [FORMS[name] for name in chosen], arguments.jobs)
    if arguments.json:
        print(json.dumps(report(judged), indent=2))
        return
    console = Console(width=160, highlight=False)
    console.print(f"{len(runs)} labelled runs of {arguments.runs.name}\n")
    show(console, judged, arguments.misses)


if __name__ == "__main__":
    main()
