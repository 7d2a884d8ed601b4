"""The tables of accuracy.py, drawn in a terminal."""

from collections.abc import Mapping
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

from forms import FORMS, FULL
from labelled import LABELS
from scores import Score


def show_form(console: Console, form: str, scored: Score) -> None:
    """One form: right and wrong answers a rule, and the alarms."""
    table = _table(f"logged {form}", "rule", "yes", "found", "wrong", "missed", "precision", "recall", "F1")
    for name, c in scored.rules.items():
        figures = (f"{c.precision:.2f}", f"{c.recall:.2f}", f"{c.f1:.2f}")
        table.add_row(name, str(c.tp + c.fn), str(c.tp), str(c.fp), str(c.fn), *figures)
    console.print(table)
    console.print(f"macro F1 {scored.macro_f1:.3f}")
    console.print(
        f"healthy runs with a finding of severity warning or above: {len(scored.alarmed)} of {scored.healthy}"
        + (f" ({', '.join(scored.alarmed)})" if scored.alarmed else "")
        + "\n"
    )


def show_summary(console: Console, scores: Mapping[str, Score]) -> None:
    """F1 a form and label: `-` where the form cannot show the label, empty where no run has it."""
    table = _table("F1 by form", "logged", "runs", *(label.replace("_", " ") for label in LABELS), "macro F1", "alarms")
    for name, scored in scores.items():
        table.add_row(
            name,
            str(scored.runs),
            *(_f1(scored, name, label) for label in LABELS),
            f"{scored.macro_f1:.3f}",
            f"{len(scored.alarmed)}/{scored.healthy}",
        )
    console.print(table)
    for said, macros in (
        ("everything logged", [s.macro_f1 for name, s in scores.items() if name in FULL]),
        ("the other ways of logging", [s.macro_f1 for name, s in scores.items() if name not in FULL and s.runs]),
    ):
        if macros:
            console.print(f"macro F1, {said}: mean {fmean(macros):.3f}, worst {min(macros):.3f}")
    console.print()


def show_tasks(console: Console, tasks: Mapping[str, Mapping[str, Score]]) -> None:
    """Macro F1 a form and task, over the labels that occur in the task, with the spread over tasks."""
    names = sorted({task for scores in tasks.values() for task in scores})
    table = _table("macro F1 by task", "logged", *names, "mean", "standard deviation")
    for form, scores in tasks.items():
        macros = [s.macro_f1 for s in scores.values()]
        spread = f"{stdev(macros):.3f}" if len(macros) > 1 else ""
        cells = (f"{scores[task].macro_f1:.3f}" if task in scores else "" for task in names)
        table.add_row(form, *cells, f"{fmean(macros):.3f}" if macros else "", spread)
    console.print(table)


def _f1(scored: Score, form: str, label: str) -> str:
    if label not in FORMS[form].shows:
        return "-"
    return f"{scored.rules[label].f1:.2f}" if scored.rules[label].occurs else ""


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
