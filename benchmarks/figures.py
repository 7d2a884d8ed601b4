"""What accuracy.py measures, as plain values for JSON and for its tables.

Everything over several forms is given twice: for the forms that log everything, and for the other ways of logging.
"""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from forms import FORMS, FULL
from labelled import LABELS
from reliability import calibration_error, reliability
from replay import MOST_CHANGES, NAMED_EARLY, Replay
from scores import Answer, Score, by_task, score

Judgements = dict[str, list[Answer]]
Figures = dict[str, Any]
EVERYTHING, LESS = "everything logged", "other ways of logging"


def figures(judged: Judgements) -> Figures:
    """All figures: by form, and over the forms of a kind macro F1, calibration and onset."""
    scores = {name: score(answers) for name, answers in judged.items() if answers}
    kinds = {
        EVERYTHING: [s for name, s in scores.items() if name in FULL],
        LESS: [s for name, s in scores.items() if name not in FULL],
    }
    kinds = {kind: chosen for kind, chosen in kinds.items() if chosen}
    return {
        "forms": {name: _form(name, scored, by_task(judged[name])) for name, scored in scores.items()},
        "macro_f1": {kind: _mean_and_worst([s.macro_f1 for s in chosen]) for kind, chosen in kinds.items()},
        "calibration": {kind: _calibration(chosen) for kind, chosen in kinds.items()},
        "onset": {kind: _onsets(chosen) for kind, chosen in kinds.items()},
    }


def _form(name: str, scored: Score, tasks: Mapping[str, Score]) -> Figures:
    rules = {
        rule: {**vars(c), "runs": c.tp + c.fn, "precision": c.precision, "recall": c.recall, "f1": c.f1}
        for rule, c in scored.rules.items()
        if rule in FORMS[name].shows
    }
    said = [pair for pairs in scored.confidences.values() for pair in pairs]
    return {
        "runs": scored.runs,
        "macro_f1": scored.macro_f1,
        "rules": rules,
        "by_task": {task: s.macro_f1 for task, s in tasks.items()},
        "calibration_error": calibration_error(reliability(said)),
        "healthy": scored.healthy,
        "alarmed": scored.alarmed,
        "misses": scored.misses,
    }


def _mean_and_worst(macros: list[float]) -> Figures:
    return {"mean": fmean(macros), "worst": min(macros)}


def _calibration(scores: list[Score]) -> Figures:
    """Expected calibration error of all findings and by rule, and the bins of all."""
    said = {label: [pair for scored in scores for pair in scored.confidences[label]] for label in LABELS}
    bins = reliability([pair for pairs in said.values() for pair in pairs])
    rules = {
        label: {"findings": len(pairs), "error": calibration_error(reliability(pairs))}
        for label, pairs in said.items()
        if pairs
    }
    return {"error": calibration_error(bins), "rules": rules, "bins": [vars(part) for part in bins]}


def _onsets(scores: list[Score]) -> Figures:
    """Rule -> how far its right findings' onsets are off [share of the run's length]; `all` is over the rules."""
    off = {label: [distance for scored in scores for distance in scored.onsets[label]] for label in LABELS}
    off["all"] = [distance for distances in off.values() for distance in distances]
    return {
        rule: {"findings": len(d), "median": float(np.median(d)), "p90": float(np.quantile(d, 0.9))}
        for rule, d in off.items()
        if d
    }


def replay_figures(replays: Mapping[str, list[Replay]]) -> Figures:
    """Form name -> flicker, early naming and false alarms."""
    return {name: _replay(replayed) for name, replayed in replays.items()}


def _replay(replays: list[Replay]) -> Figures:
    """Shares [0 to 1], None of nothing. steady_pairs: of (run, rule), steady_runs: of runs, in which there ever was a
    finding, those with at most 2 changes of a rule's verdict after its first.
    """
    changes = {rule: [r.changes(rule) for r in replays if r.found[rule].any()] for rule in LABELS}
    worst = [max(r.changes(rule) for rule in LABELS) for r in replays if any(f.any() for f in r.found.values())]
    healthy = [r for r in replays if r.run["labels"].get("healthy") == "yes"]
    named = {rule: [r.named_early(rule) for r in replays if rule in r.due] for rule in NAMED_EARLY}
    return {
        "runs": len(replays),
        "steady_pairs": _share(n <= MOST_CHANGES for counts in changes.values() for n in counts),
        "steady_runs": _share(n <= MOST_CHANGES for n in worst),
        "rules": {
            rule: {"runs": len(n), "steady": _share(one <= MOST_CHANGES for one in n), "most": max(n)}
            for rule, n in changes.items()
            if n
        },
        "named_early": {rule: {"runs": len(right), "share": _share(right)} for rule, right in named.items()},
        "healthy": len(healthy),
        "alarmed_ever": _share(bool(r.alarmed.any()) for r in healthy),
        "alarmed_at_end": _share(bool(r.alarmed[-1]) for r in healthy),
    }


def _share(holds: Iterable[bool]) -> float | None:
    counted = [float(one) for one in holds]
    return fmean(counted) if counted else None
