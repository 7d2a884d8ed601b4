"""Write docs/accuracy.md and its pictures: how right the rules are, errors included.

    report.py RUNS.jsonl.gz [--replay] [--jobs N] [--docs FOLDER]

Everything is measured by the same code as accuracy.py. The pictures are of runs of the small sample that comes with
the repository, so that anybody can draw them again; the same runs and rules give the same files.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vl_convert

from accuracy import judge_all, replay_all
from app.diagnosis import Diagnosis
from app.rules.verdict import Finding
from figures import EVERYTHING, LESS, figures, replay_figures
from forms import FORMS, FULL
from labelled import LABELS, SAMPLE, LabelledRun, load
from scores import Answer

DOCS = Path(__file__).parents[1] / "docs"
TARGETS = {"everything": 0.97, "less": 0.90, "healthy": 0.03, "calibration": 0.05, "onset": 0.05, "early": 0.90}
TRAIN, VAL, MARK = "#4c78a8", "#e45756", "#888888"
Chart = dict[str, Any]


def pictured(runs: list[LabelledRun]) -> Iterator[tuple[str, LabelledRun, Finding | None]]:
    """For each label and for `healthy` the run that shows it best: the surest right finding, or none of any kind."""
    judged = [(run, FORMS["per epoch"].judge(run)) for run in runs]
    for label in LABELS:
        found = [
            (f.confidence, run["id"], run, f)
            for run, diagnosis in judged
            for f in diagnosis.findings
            if f.rule == label and run["labels"].get(label) == "yes"
        ]
        if found:
            _, _, run, finding = max(found, key=lambda one: one[:2])
            yield label, run, finding
    for run, diagnosis in judged:
        if run["labels"].get("healthy") == "yes" and not diagnosis.findings:
            yield "healthy", run, None
            return


def curve_chart(title: str, run: LabelledRun, finding: Finding | None) -> Chart:
    """Train and val loss of a run over epochs, with a finding's span and onset marked."""
    curve = run["curve"]
    points = [
        {"epoch": epoch, "loss": value, "curve": name}
        for name in ("train", "val")
        for epoch, value in zip(curve["epoch"], curve[f"{name}_loss"], strict=True)
        if value is not None and 0 < value < 1e6
    ]
    x = {"field": "epoch", "type": "quantitative", "title": "epoch"}
    colour = {"field": "curve", "scale": {"domain": ["train", "val"], "range": [TRAIN, VAL]}, "title": None}
    y = {"field": "loss", "type": "quantitative", "scale": {"type": "log"}, "title": "loss"}
    layers: list[Chart] = []
    if finding:
        begin, end = finding.span
        shade = {"type": "rect", "color": MARK, "opacity": 0.2}
        layers.append(
            {"data": {"values": [{"a": begin, "b": max(end, begin + 0.2)}]}, "mark": shade, "encoding": _span()}
        )
        onset = {"x": {"field": "epoch", "type": "quantitative"}}
        dashed = {"type": "rule", "strokeDash": [4, 3], "color": MARK}
        layers.append({"data": {"values": [{"epoch": finding.onset_step}]}, "mark": dashed, "encoding": onset})
    line = {"type": "line", "strokeWidth": 1.6}
    layers.append({"data": {"values": points}, "mark": line, "encoding": {"x": x, "y": y, "color": colour}})
    return {"title": title, "width": 330, "height": 190, "layer": layers}


def _span() -> Chart:
    return {"x": {"field": "a", "type": "quantitative"}, "x2": {"field": "b"}}


def calibration_chart(bins: list[dict[str, Any]]) -> Chart:
    """Share of right findings over what the confidence said, beside the diagonal."""
    points = [{"said": b["confidence"], "right": b["right"], "findings": b["findings"]} for b in bins]
    axis = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    x, y = {"field": "said", "title": "confidence", **axis}, {"field": "right", "title": "share right", **axis}
    diagonal = {"values": [{"said": 0, "right": 0}, {"said": 1, "right": 1}]}
    dashed = {"type": "line", "strokeDash": [4, 3], "color": MARK}
    size = {"field": "findings", "type": "quantitative", "legend": None}
    dots = {"mark": {"type": "point", "filled": True, "color": TRAIN}, "encoding": {"x": x, "y": y, "size": size}}
    layers = [
        {"data": diagonal, "mark": dashed, "encoding": {"x": x, "y": y}},
        {"data": {"values": points}, **dots},
    ]
    return {"width": 260, "height": 260, "layer": layers}


def svg(chart: Chart) -> str:
    """The chart on a white ground, so that it reads on dark pages too."""
    whole = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "background": "white", **chart}
    return str(vl_convert.vegalite_to_svg(json.dumps(whole)))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def f1_table(forms: dict[str, Any]) -> str:
    """F1 by form of logging and rule."""
    rows = []
    for name, form in forms.items():
        cells = [form["rules"].get(label) for label in LABELS]
        shown = ["" if not c or not c["runs"] else f"{c['f1']:.2f}" for c in cells]
        rows.append([name, *shown, f"{form['macro_f1']:.3f}", f"{len(form['alarmed'])} of {form['healthy']}"])
    return table(["logged", *(label.replace("_", " ") for label in LABELS), "macro F1", "healthy alarmed"], rows)


def counts_table(forms: dict[str, Any]) -> str:
    """Right and wrong answers a rule, in the forms that log everything."""
    rows = [
        [label, name, *(str(form["rules"][label][cell]) for cell in ("tp", "fp", "fn", "tn"))]
        for label in LABELS
        for name, form in forms.items()
        if name in FULL
    ]
    return table(["rule", "logged", "rightly found", "wrongly found", "missed", "rightly clear"], rows)


def confusion_table(answers: list[Answer]) -> str:
    """Of the runs with a label, how many got which finding: a run may carry several labels."""
    rows = []
    for label in (*LABELS, "healthy"):
        having = [a.diagnosis for a in answers if a.run["labels"].get(label) == "yes"]
        said = [sum(any(f.rule == rule for f in d.findings) for d in having) for rule in LABELS]
        rows.append([label, str(len(having)), *(str(n or "") for n in said)])
    return table(["label", "runs", *(f"said {rule.replace('_', ' ')}" for rule in LABELS)], rows)


def wrong_runs(answers: list[Answer]) -> Iterator[str]:
    """A line a wrong answer, with the numbers that decided."""
    for answer in answers:
        for label in LABELS:
            truth = answer.run["labels"].get(label)
            verdict = next(v for v in answer.diagnosis.verdicts if v.rule == label)
            if truth and (verdict.verdict == "finding") != (truth == "yes"):
                what = "missed" if truth == "yes" else "wrongly found"
                who = f"`{answer.run['id']}` ({answer.run['config']['task']})"
                yield f"- {who}: {label} {what}; {_why(answer.diagnosis, label)}"


def _why(diagnosis: Diagnosis, label: str) -> str:
    verdict = next(v for v in diagnosis.verdicts if v.rule == label)
    if verdict.verdict == "skipped":
        return f"not judged: {verdict.reason}"
    numbers = (f"{e.name} {e.value:.3g} (limit {e.limit:.3g})" for e in verdict.evidence if e.limit is not None)
    return "decided by " + ", ".join(numbers)


def replay_section(replayed: dict[str, Any]) -> str:
    """Flicker, early naming and alarms of runs replayed in prefixes."""
    rows = []
    for name, r in replayed.items():
        early = [r["named_early"][rule] for rule in ("overfitting", "exploding")]
        rows.append(
            [name, str(r["runs"]), *map(_share, (r["steady_pairs"], *(e["share"] for e in early), r["alarmed_ever"]))]
        )
    head = ["logged", "runs", "at most 2 changes", "overfitting named within a tenth of the run", "exploding so"]
    return table([*head, "healthy runs alarmed at any moment"], rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description="Write docs/accuracy.md and its pictures.")
    parser.add_argument("runs", nargs="?", type=Path, default=SAMPLE, help="labelled runs (default: the small sample)")
    parser.add_argument("--replay", action="store_true", help="judge each run at 200 prefixes too; slow")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder to write to")
    arguments = parser.parse_args()
    runs = list(load(arguments.runs))
    judged = judge_all(runs, list(FORMS.values()), arguments.jobs)
    measured = figures(judged)
    replayed = replay_all(runs, [FORMS[name] for name in FULL], arguments.jobs) if arguments.replay else {}
    pictures = arguments.docs / "accuracy"
    pictures.mkdir(parents=True, exist_ok=True)
    shown = []
    for label, run, finding in pictured(list(load(SAMPLE))):
        (pictures / f"{label}.svg").write_text(svg(curve_chart(label.replace("_", " "), run, finding)))
        shown.append((label, finding.summary if finding else "nothing to report"))
    (pictures / "calibration.svg").write_text(svg(calibration_chart(measured["calibration"][EVERYTHING]["bins"])))
    text = page(runs, judged["per epoch"], measured, replay_figures(replayed) if replayed else {}, shown)
    (arguments.docs / "accuracy.md").write_text(text)


def page(
    runs: list[LabelledRun],
    per_epoch: list[Answer],
    measured: dict[str, Any],
    replayed: dict[str, Any],
    shown: list[tuple[str, str]],
) -> str:
    """The whole document."""
    tasks = sorted({run["config"]["task"] for run in runs})
    macro, onset = measured["macro_f1"], measured["onset"][EVERYTHING]["all"]
    calibration = measured["calibration"]
    everything = [form for name, form in measured["forms"].items() if name in FULL]
    alarmed = sum(len(form["alarmed"]) for form in everything) / max(sum(form["healthy"] for form in everything), 1)
    summary = [
        ["macro F1, everything logged", f"{macro[EVERYTHING]['mean']:.3f}", f"{TARGETS['everything']:.2f}"],
        ["macro F1, other ways of logging, mean", f"{macro[LESS]['mean']:.3f}", f"{TARGETS['less']:.2f}"],
        ["healthy runs with a warning or error", f"{alarmed:.1%}", f"at most {TARGETS['healthy']:.0%}"],
        ["expected calibration error, everything logged", f"{calibration[EVERYTHING]['error']:.3f}", "0.05"],
        ["expected calibration error, other ways of logging", f"{calibration[LESS]['error']:.3f}", "0.05"],
        ["onset off by, median", f"{onset['median']:.1%} of the run", f"{TARGETS['onset']:.0%}"],
    ]
    pictures = "\n".join(f"![{label}](accuracy/{label}.svg)\n\n*{label}*: {said}.\n" for label, said in shown)
    replay_text = (
        f"## While a run goes on\n\nEach run replayed in 200 prefixes.\n\n{replay_section(replayed)}\n"
        if replayed
        else ""
    )
    return f"""# How right the rules are

Generated by `benchmarks/report.py`; errors are left in. {len(runs)} really trained runs of {len(tasks)} tasks
({", ".join(tasks)}), many of them spoiled on purpose. A label says what a cure that was really applied did to the
held-out loss, not how the curve looks; where that was too close to call there is no label and nothing is scored.

**These are the runs that the rules' limits were chosen on** and the confidence was fitted to, so the figures flatter.
On other tasks expect less: the README's Limits say what other runs gave.

{table(["figure", "measured here", "target"], summary)}
## By rule and way of logging

F1; empty where such a log cannot show the label or no run has it.

{f1_table(measured["forms"])}
{counts_table(measured["forms"])}
## What is said of which runs

Logged per epoch; a run can carry several labels, and findings without a label are not scored.

{confusion_table(per_epoch)}
## Confidence

Share of right findings by what their confidence said; the size of a dot is the number of findings.

![calibration](accuracy/calibration.svg)

{replay_text}## Where it is wrong

Logged per epoch.

{chr(10).join(wrong_runs(per_epoch))}

## What each looks like

Shaded: the finding's span; dashed: its onset.

{pictures}"""


if __name__ == "__main__":
    main()
