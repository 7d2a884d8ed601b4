"""Which of the seven steps a run belongs to: as its job declared it, else inferred and said so.

Inferred, in this order: a rate that grows by ten times or more to its end is a ramp (3); a configuration that names a
sample, or a run without validation that fits its data, overfits a sample (2); up to ten updates only look at the start
(1); less than three quarters of an epoch, or up to 300 updates without validation, look for a rate (3); then up to 7.5
epochs are coarse (4) and more are refined (5). The procedure has 1 to 5 epochs there and 10 to 20 here; 7 lies between.
"""

from collections.abc import Sequence

from app.search.answers import Place
from app.search.looks import Look
from app.search.parameters import as_number
from app.search.space import value_at

SAMPLE_NAMES = ("sample_size", "subset_size", "num_examples", "train_examples", "overfit_batches", "overfit_batch")
RAMP = 10.0  # last rate over first [ratio]
LOOK_UPDATES, RATE_UPDATES, RATE_EPOCHS, COARSE_EPOCHS = 10, 300, 0.75, 7.5
FITTED, NOTHING = 1 - 1e-6, 0.01  # train accuracy; train loss over its start


def place(look: Look) -> Place:
    """The step that a run belongs to; none is inferred to be of 6 or 7, which need no runs of their own."""
    declared = look.trial.declared
    if declared is not None:
        return Place(run=look.run, search_step=declared, inferred=False, why="declared by the job")
    step, why = _inferred(look)
    return Place(run=look.run, search_step=step, inferred=True, why=why)


def ramped(look: Look) -> bool:
    """Whether the rate grew within the run, to ten times or more, and was at its highest at the end."""
    rate = look.view.rate
    return len(rate) > 3 and float(rate.values[-1]) >= max(RAMP * float(rate.values[0]), float(rate.values.max()))


def fitted_at(look: Look) -> float | None:
    """The first step at which train accuracy is 100 %; where none was logged, train loss a hundredth of its start."""
    accuracy = look.view.curves.get("train/accuracy")
    if accuracy is not None and len(accuracy):
        hits = accuracy.steps[accuracy.values >= FITTED]
    else:
        loss, initial = look.view.train, look.initial
        start = initial.value if initial else 0.0
        hits = loss.steps[loss.values <= NOTHING * start] if start > 0 else loss.steps[:0]
    return float(hits[0]) if hits.size else None


def _inferred(look: Look) -> tuple[int | None, str]:
    steps, per_epoch = look.length, look.search.steps_per_epoch
    validated = any(name.startswith("val/") and len(curve) for name, curve in look.trial.curves.items())
    counts_updates = per_epoch is None or per_epoch > 1
    if look.last_step == 0 and len(look.train) == 0:
        return None, "nothing was logged yet"
    if ramped(look):
        return 3, "its rate grows to the end"
    if sample := next((name for name in SAMPLE_NAMES if as_number(value_at(look.trial.config, name))), None):
        return 2, f"its configuration names a sample ({sample})"
    if not validated and fitted_at(look) is not None:
        return 2, "it has no validation and fits its training data"
    if counts_updates and steps <= LOOK_UPDATES and (per_epoch or not validated):
        return 1, f"it has {steps:g} steps"
    return _by_length(look, steps, validated)


def _by_length(look: Look, steps: float, validated: bool) -> tuple[int | None, str]:
    epochs = look.epochs
    if epochs is None or (look.search.steps_per_epoch is None and not validated):
        if steps <= RATE_UPDATES:
            return 3, f"it has {steps:g} steps and no validation"
        return None, "its length in epochs is not known: the search has no steps_per_epoch, and the run no validation"
    how = f"it is {epochs:.3g} epochs long"
    if look.search.steps_per_epoch is None:
        how += ", taking each evaluation for one"
    if epochs < RATE_EPOCHS:
        return 3, how
    return (4 if epochs < COARSE_EPOCHS else 5), how


class Placed:
    """The runs by the step that they belong to."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = list(looks)
        self.places = tuple(place(look) for look in looks)
        self._step = {one.run: one for one in self.places}

    def at(self, *search_steps: int) -> list[Look]:
        """The runs of these steps, by name."""
        return [look for look in self.looks if self._step[look.run].search_step in search_steps]

    def inferred(self, looks: Sequence[Look]) -> tuple[str, ...]:
        """Those of the runs whose step was inferred."""
        return tuple(look.run for look in looks if self._step[look.run].inferred)
