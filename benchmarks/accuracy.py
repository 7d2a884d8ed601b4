"""How right the diagnosis is on labelled runs.

    accuracy.py [RUNS.jsonl.gz] [--forms "NAME;NAME"] [--replay] [--misses] [--jobs N] [--json]

Diagnoses every run in every form of logging (forms.py) and prints precision, recall and F1 a rule, the macro F1 over
the labels that the form can show, the same a task, the alarms on healthy runs, how far confidence is from the share
that is right, and how far onsets are from the true ones. --replay judges each run at 200 prefixes too (replay.py; in
the forms named, else in the two that log everything). Without a file it takes the small sample that comes with the
repository. A label that is absent from a run is not scored for it.
"""

import argparse
import json
from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from app.diagnosis import Diagnosis
from figures import Judgements, figures, replay_figures
from forms import FORMS, FULL, Form
from labelled import SAMPLE, LabelledRun, load
from replay import Replay, replay
from scores import Answer
from tables import show

Work = tuple[str, LabelledRun]
T = TypeVar("T")


def judge_all(runs: list[LabelledRun], forms: list[Form], jobs: int = 1) -> Judgements:
    """Form name -> an answer for each run that can be logged so, in `jobs` processes."""
    work = _work(runs, forms)
    answers: Judgements = {form.name: [] for form in forms}
    for (name, run), diagnosis in zip(work, _each(_diagnose, work, jobs), strict=True):
        answers[name].append(Answer(run, FORMS[name], diagnosis))
    return answers


def replay_all(runs: list[LabelledRun], forms: list[Form], jobs: int = 1) -> dict[str, list[Replay]]:
    """Form name -> a replay of each run that can be logged so, in `jobs` processes."""
    work = _work(runs, forms)
    replays: dict[str, list[Replay]] = {form.name: [] for form in forms}
    for (name, _), replayed in zip(work, _each(_replay, work, jobs), strict=True):
        replays[name].append(replayed)
    return replays


def _work(runs: list[LabelledRun], forms: list[Form]) -> list[Work]:
    return [(form.name, run) for form in forms for run in runs if form.applies(run)]


def _each(ask: Callable[[Work], T], work: list[Work], jobs: int) -> list[T]:
    if jobs == 1:
        return list(map(ask, work))
    with Pool(jobs) as pool:
        return pool.map(ask, work, chunksize=8)


def _diagnose(work: Work) -> Diagnosis:
    name, run = work
    return FORMS[name].judge(run)


def _replay(work: Work) -> Replay:
    name, run = work
    return replay(run, FORMS[name])


def main() -> None:
    """Read the arguments, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path, default=SAMPLE, help="labelled runs (default: the small sample)")
    parser.add_argument("--forms", default="", help="names of forms, `;` between them (default: all)")
    parser.add_argument("--replay", action="store_true", help="judge each run at 200 prefixes too; slow")
    parser.add_argument("--misses", action="store_true", help="list every wrong answer")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    runs = list(load(arguments.runs))
    chosen = arguments.forms.split(";") if arguments.forms else list(FORMS)
    if unknown := set(chosen) - set(FORMS):
        parser.error(f"no such form: {', '.join(sorted(unknown))}; there are {'; '.join(FORMS)}")
    measured = figures(judge_all(runs, [FORMS[name] for name in chosen], arguments.jobs))
    if arguments.replay:
        replayed = [FORMS[name] for name in (chosen if arguments.forms else FULL)]
        measured["replay"] = replay_figures(replay_all(runs, replayed, arguments.jobs))
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    console = Console(width=178, highlight=False)
    console.print(f"{len(runs)} labelled runs of {arguments.runs.name}\n")
    show(console, measured, arguments.misses)


if __name__ == "__main__":
    main()
