"""Fit the confidence of each rule to how often its findings were right.

    calibrate.py [RUNS.jsonl.gz ...] [--write]

Every run is judged in every form of logging (forms.py). A finding whose label is known is one observation: the weakest
margin by which its numbers passed their limits, whether it rests on indirect evidence, and whether it was right. A
rule's confidence is a logistic curve in the logarithm of the margin with a toll for indirect evidence; slope and toll
are never negative. The coefficients are drawn towards the fit over all rules, for some rules have few findings, and
the forms of one run together count as two observations, for they are hardly independent.

Prints the coefficients and the expected calibration error with each task judged by the fit on the others; --write puts
the coefficients into app/rules/calibration.py. Without a file it takes the small sample that comes with the repository,
which is too small to write from.
"""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from app.rules.calibration import COEFFICIENTS
from app.rules.catalogue import CATALOGUE
from app.rules.confidence import LEAST, MOST
from forms import FORMS
from labelled import SAMPLE, LabelledRun, load
from reliability import calibration_error, reliability

Coefficients = tuple[float, float, float]
CODES = {rule.name: rule.code for rule in CATALOGUE}
PLAIN, TOLL = (0.0, 1.0, 0.0), (0.0, 1.0, 1.0)
FREEDOM = 1.0  # standard deviation of a rule's coefficients around those of all rules [log odds]
OBSERVATIONS_A_RUN = 2.0


@dataclass(frozen=True)
class Observation:
    """A finding: its rule's code and task, log of its weakest margin, whether indirect, whether right; its weight."""

    code: str
    task: str
    margin: float
    indirect: bool
    right: bool
    weight: float


@contextmanager
def all_rules(coefficients: Coefficients) -> Iterator[None]:
    """Confidences by the same coefficients for every rule."""
    kept = dict(COEFFICIENTS)
    COEFFICIENTS.update(dict.fromkeys(kept, coefficients))
    try:
        yield
    finally:
        COEFFICIENTS.update(kept)


def observe(runs: Iterable[LabelledRun]) -> list[Observation]:
    """The findings on the runs, in every form that applies and can show the label."""
    seen = []
    for run in runs:
        forms = [form for form in FORMS.values() if form.applies(run)]
        for form in forms:
            with all_rules(PLAIN):
                plain = {f.rule: f.confidence for f in form.judge(run).findings}
            with all_rules(TOLL):
                tolled = {f.rule: f.confidence for f in form.judge(run).findings}
            for rule, share in plain.items():
                label = run["labels"].get(rule)
                if label and rule in form.shows:
                    margin = float(np.log(share / (1 - share)))
                    indirect = tolled[rule] < share
                    weight = OBSERVATIONS_A_RUN / len(forms)
                    task = run["config"]["task"]
                    seen.append(Observation(CODES[rule], task, margin, indirect, label == "yes", weight))
    return seen


def fit_one(seen: list[Observation], around: Coefficients, freedom: float) -> Coefficients:
    """Coefficients that make what was right likeliest, drawn towards `around`."""
    x = np.array([[1.0, o.margin, -float(o.indirect)] for o in seen]).reshape(-1, 3)
    sign = np.array([1.0 if o.right else -1.0 for o in seen])
    weight = np.array([o.weight for o in seen])

    def loss(c: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        surprise = np.logaddexp(0, -sign * (x @ c))
        return float(weight @ surprise + ((c - around) ** 2).sum() / (2 * freedom**2))

    best = minimize(loss, np.array(around), bounds=[(None, None), (0, None), (0, None)])
    base, slope, toll = (round(float(value), 2) for value in best.x)
    return base, slope, toll


def fit(seen: list[Observation]) -> dict[str, Coefficients]:
    """Code -> coefficients, each rule drawn towards the fit over all."""
    pooled = fit_one(seen, (1.0, 1.0, 0.5), 2.0)
    return {code: fit_one([o for o in seen if o.code == code], pooled, FREEDOM) for code in sorted(CODES.values())}


def confidence_of(o: Observation, coefficients: dict[str, Coefficients]) -> float:
    """What the rule would have said."""
    base, slope, toll = coefficients[o.code]
    odds = base + slope * o.margin - toll * o.indirect
    return float(np.clip(1 / (1 + np.exp(-odds)), LEAST, MOST))


def cross_validated(seen: list[Observation]) -> float | None:
    """Expected calibration error with the findings on each task judged by the fit on the other tasks."""
    said = []
    for task in sorted({o.task for o in seen}):
        others = fit([o for o in seen if o.task != task])
        said += [(confidence_of(o, others), o.right) for o in seen if o.task == task]
    return calibration_error(reliability(said))


def written(coefficients: dict[str, Coefficients], runs: int, tasks: list[str], findings: int) -> str:
    """The text of app/rules/calibration.py."""
    rows = "".join(f'    "{code}": {values},\n' for code, values in coefficients.items())
    about = f"{findings} findings on {runs} labelled runs"
    return f'''"""What turns margins into confidences. Written by benchmarks/calibrate.py, not by hand.

Fitted to {about}, each logged in up to {len(FORMS)} ways, of {len(tasks)} tasks:
{", ".join(tasks)}.
"""

# code: log odds at a margin of 1, their rise per e-fold of the margin, and the toll of indirect evidence
COEFFICIENTS: dict[str, tuple[float, float, float]] = {{
{rows}}}
'''


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description="Fit the confidence of each rule to labelled runs.")
    parser.add_argument("runs", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--write", action="store_true", help="put the coefficients into app/rules/calibration.py")
    arguments = parser.parse_args()
    runs = [run for path in arguments.runs for run in load(path)]
    seen = observe(runs)
    coefficients = fit(seen)
    for code, values in coefficients.items():
        own = [o for o in seen if o.code == code]
        print(code, values, f"{len(own)} findings, {sum(o.right for o in own)} right")
    error = cross_validated(seen)
    print(f"expected calibration error, each task judged by the fit on the others: {error:.3f}" if error else "too few")
    if arguments.write:
        text = written(coefficients, len(runs), sorted({o.task for o in seen}), len(seen))
        (Path(__file__).parents[1] / "app" / "rules" / "calibration.py").write_text(text)


if __name__ == "__main__":
    main()
