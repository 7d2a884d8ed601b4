"""The tables of accuracy.py, drawn in a terminal from its figures."""

from statistics import fmean, stdev

from rich import box
from rich.console import Console
from rich.table import Table

from figures import Figures
from forms import FORMS, FULL
from labelled import LABELS


def show(console: Console, measured: Figures, misses: bool) -> None:
    """Print every table that there are figures for."""
    forms = measured["forms"]
    for name, form in forms.items():
        if name in FULL or len(forms) == 1:
            _show_form(console, name, form)
    _show_summary(console, measured)
    _show_tasks(console, forms)
    for kind, calibration in measured["calibration"].items():
        _show_calibration(console, kind, calibration)
    _show_onsets(console, measured["onset"])
    for name, replayed in measured.get("replay", {}).items():
        _show_replay(console, name, replayed)
    if misses:
        for name, form in forms.items():
            console.print(f"\nwrong, logged {name}:\n" + "\n".join(form["misses"]), highlight=False)


def _show_form(console: Console, name: str, form: Figures) -> None:
    table = _table(f"logged {name}", "rule", "yes", "found", "wrong", "missed", "precision", "recall", "F1")
    for rule, f in form["rules"].items():
        shares = (f"{f[figure]:.2f}" for figure in ("precision", "recall", "f1"))
        table.add_row(rule, str(f["runs"]), str(f["tp"]), str(f["fp"]), str(f["fn"]), *shares)
    console.print(table)
    console.print(f"macro F1 {form['macro_f1']:.3f}")
    console.print(
        f"healthy runs with a finding of severity warning or above: {len(form['alarmed'])} of {form['healthy']}"
        + (f" ({', '.join(form['alarmed'])})" if form["alarmed"] else "")
        + "\n"
    )


def _show_summary(console: Console, measured: Figures) -> None:
    """F1 a form and label: `-` where the form cannot show the label, empty where no run has it."""
    labels = (label.replace("_", " ") for label in LABELS)
    table = _table("F1 by form", "logged", "runs", *labels, "macro F1", "alarms", "calib. error")
    for name, form in measured["forms"].items():
        table.add_row(
            name,
            str(form["runs"]),
            *(_f1(form, name, label) for label in LABELS),
            f"{form['macro_f1']:.3f}",
            f"{len(form['alarmed'])}/{form['healthy']}",
            _number(form["calibration_error"]),
        )
    console.print(table)
    for kind, macro in measured["macro_f1"].items():
        console.print(f"macro F1, {kind}: mean {macro['mean']:.3f}, worst {macro['worst']:.3f}")
    console.print()


def _show_tasks(console: Console, forms: Figures) -> None:
    """Macro F1 a form and task, over the labels that occur in the task, and how it spreads over tasks."""
    tasks = sorted({task for form in forms.values() for task in form["by_task"]})
    table = _table("macro F1 by task", "logged", *tasks, "mean", "standard deviation")
    for name, form in forms.items():
        macros = form["by_task"]
        spread = stdev(macros.values()) if len(macros) > 1 else None
        table.add_row(name, *(_number(macros.get(t)) for t in tasks), _number(fmean(macros.values())), _number(spread))
    console.print(table)


def _show_calibration(console: Console, kind: str, calibration: Figures) -> None:
    table = _table(f"confidence, {kind}", "findings", "mean confidence", "share right")
    for part in calibration["bins"]:
        table.add_row(str(part["findings"]), _number(part["confidence"]), _number(part["right"]))
    console.print(table)
    rules = ", ".join(f"{r} {f['error']:.2f} ({f['findings']})" for r, f in calibration["rules"].items())
    console.print(f"expected calibration error {_number(calibration['error'])}; by rule (findings): {rules}\n")


def _show_onsets(console: Console, onset: Figures) -> None:
    for kind, rules in onset.items():
        table = _table(f"onset off by, as a share of the run, {kind}", "rule", "findings", "median", "p90")
        for rule, f in rules.items():
            table.add_row(rule, str(f["findings"]), _number(f["median"]), _number(f["p90"]))
        console.print(table)


def _show_replay(console: Console, name: str, replayed: Figures) -> None:
    table = _table(f"replayed, logged {name}", "rule", "runs", "at most 2 changes", "most changes")
    for rule, f in replayed["rules"].items():
        table.add_row(rule, str(f["runs"]), _number(f["steady"]), str(f["most"]))
    console.print(table)
    console.print(
        f"at most 2 changes after the first finding: {_number(replayed['steady_pairs'])} of (run, rule), "
        f"{_number(replayed['steady_runs'])} of runs"
    )
    for rule, f in replayed["named_early"].items():
        console.print(f"{rule} named within a tenth of the run after its onset: {_number(f['share'])} of {f['runs']}")
    console.print(
        f"healthy runs alarmed: {_number(replayed['alarmed_ever'])} ever, {_number(replayed['alarmed_at_end'])} at "
        f"the end, of {replayed['healthy']}\n"
    )


def _f1(form: Figures, name: str, label: str) -> str:
    if label not in FORMS[name].shows:
        return "-"
    return f"{form['rules'][label]['f1']:.2f}" if form["rules"][label]["runs"] else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
