"""Step 2: whether the model can overfit a small sample; if not, see causes.py for what is to blame."""

from collections.abc import Sequence

from app.rules.verdict import Evidence
from app.search.answers import NAMES, Status, StepReport
from app.search.causes import read
from app.search.initial import Expected
from app.search.looks import Look
from app.search.places import Placed, fitted_at

SHOWN, MOST_READ = 3, 200  # runs that are spoken of, and that are looked at for the best of them


def report(placed: Placed, expected: Expected | None) -> StepReport:
    """What the runs of step 2 say; without any, whether a later run fits even its whole training data."""
    looks = [look for look in placed.at(2) if len(look.train)]
    if not looks:
        return _elsewhere(placed)
    reached = [(step, look) for look in looks if (step := fitted_at(look)) is not None and look.diverged is None]
    if reached:
        return _reached(placed, looks, min(reached, key=lambda pair: (pair[0], pair[1].run)))
    ended = [look for look in looks if look.over]
    readings = [(look, read(look, placed.looks, expected)) for look in (ended or looks)[-SHOWN:]]
    status: Status = "failed" if ended else "open"
    says = " ".join(f"{look.run} {reading.words}." for look, reading in readings)
    best = min((fall.end / fall.start for look in looks[-MOST_READ:] if (fall := look.fall())), default=None)
    return StepReport(
        number=2,
        name=NAMES[1],
        status=status,
        says=f"No run has overfitted its sample yet. {says}",
        evidence=() if best is None else (Evidence("loss_left", best, 0.01, "share of the start"),),
        runs=tuple(look.run for look in looks),
        inferred=placed.inferred(looks),
        missing=None if ended else "the end of the runs that are on their way",
    )


def _reached(placed: Placed, looks: Sequence[Look], first: tuple[float, Look]) -> StepReport:
    step, look = first
    accuracy = "train/accuracy" in look.trial.curves
    what = "100 % train accuracy" if accuracy else "a hundredth of its initial loss"
    rate = f" at a rate of {look.rate:.3g}" if look.rate else ""
    return StepReport(
        number=2,
        name=NAMES[1],
        status="done",
        says=f"{look.run} overfits its sample: {what} by step {step:g}{rate}. The model and its data can be learnt.",
        evidence=(Evidence("overfitted_at", step, None, "steps"),),
        runs=tuple(one.run for one in looks),
        inferred=placed.inferred(looks),
    )


def _elsewhere(placed: Placed) -> StepReport:
    whole = [look for look in placed.at(3, 4, 5) if fitted_at(look) is not None]
    falling = [look for look in placed.at(4, 5) if look.learns]
    if whole or falling:
        looks = whole or falling
        how = "fits its whole training data" if whole else "learns on the whole training data"
        says = f"No run overfits a small sample, but {looks[0].run} {how}, so the code and the data work."
        return StepReport(
            number=2,
            name=NAMES[1],
            status="skipped",
            says=says,
            runs=(looks[0].run,),
            inferred=placed.inferred(looks[:1]),
        )
    missing = "a run on a few batches of data, with regularisation off"
    return StepReport(number=2, name=NAMES[1], status="open", says="No run overfits a small sample.", missing=missing)
