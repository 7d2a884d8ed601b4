"""Runs worth making, with names of their own, none of them a run that there is already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.rules.context import Context
from app.search import candidates
from app.search.answers import Proposal
from app.search.causes import Cause, read
from app.search.gain import SEEDS, unsettled
from app.search.grids import wanted
from app.search.initial import Expected, wrong_start
from app.search.looks import Look
from app.search.parameters import as_number, same_value
from app.search.places import Placed, fitted_at
from app.search.ranking import Group, Key, Standing, key_of
from app.search.rates import RateReading, read_rates
from app.search.search import Search
from app.search.space import Configuration

LOOK_UPDATES, SAMPLE_UPDATES, RATE_UPDATES = 10, 500, 100  # updates
COARSE_EPOCHS, REFINED_EPOCHS = 3.0, 15.0
EXAMPLES_A_CLASS, LEAST_SAMPLE, MOST_SAMPLE = 5, 20, 1000  # examples
MOST_READ = 50  # runs whose reading decides what later ones keep
MOST_LOOKS, MOST_SAMPLES = 4, 12  # runs of steps 1 and 2 after which more of the same would not tell more
SCARCE = 20  # runs in all below which one ramped run looks for the rate instead of a sweep
TENFOLD = 10.0
SMALL_HEAD, FAN_IN = "small_output_layer", "kaiming"
# A first loss far off shows the output layer alone. One that was too wide is rarely the only one, and too wide a hidden
# layer does not show: it learns a handful of examples all the faster. So every layer is made anew.
SANE_START = f"{SMALL_HEAD}+{FAN_IN}"


@dataclass
class Desk:
    """Where proposals are made: how many are still wanted, and what names are taken."""

    search: Search
    placed: Placed
    expected: Expected | None
    count: int
    made: list[Proposal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken = {look.run for look in self.placed.looks}
        left = self.count if self.search.most_runs is None else self.search.most_runs - len(self.placed.looks)
        self.room = max(0, min(self.count, left))
        self.kept = {"initialisation": way} if (way := mended(self.placed, self.expected)) else {}

    def put(
        self,
        search_step: int,
        values: Configuration,
        why: str,
        settings: Mapping[str, Any],
        *,
        updates: float | None = None,
        epochs: float | None = None,
    ) -> None:
        """One more run, while there is room for it. Its length in updates or in epochs."""
        if len(self.made) >= self.room:
            return
        per_epoch = self.search.steps_per_epoch
        if updates is not None:
            # Where steps are epochs, none shorter than one can be told.
            updates = updates if per_epoch is None or per_epoch > 1 else per_epoch
            epochs = None if per_epoch is None else updates / per_epoch
        elif per_epoch is not None and epochs is not None:
            updates = epochs * per_epoch
        proposal = Proposal(
            run=self._name(search_step),
            search_step=search_step,
            config=self.search.space.nested(values),
            planned_epochs=epochs,
            planned_steps=updates,
            settings={"seed": self.search.seed, **self.kept, **settings},
            why=why,
        )
        self.made.append(proposal)

    def _name(self, search_step: int) -> str:
        number = 1
        while (name := f"{self.search.name}-{search_step}-{number}") in self.taken:
            number += 1
        self.taken.add(name)
        return name


def mended(placed: Placed, expected: Expected | None) -> str:
    """The initialisation that mended a wrong start or a sample that could not be overfitted; later runs keep it."""
    ways = []
    if {wrong_start(look, expected) for look in placed.at(1)[:MOST_READ]} >= {True, False}:
        ways.append(SANE_START)
    samples = placed.at(2)
    fits = [look for look in samples if fitted_at(look) is not None and look.diverged is None]
    others = [look for look in samples if look not in fits and look.over and len(look.train)]
    if fits and not ways and any(read(look, placed.looks, expected).cause == "initialisation" for look in others):
        ways.append(FAN_IN)
    return "+".join(ways)


def look_at_start(desk: Desk, wrong: bool) -> None:
    """Step 1: a few updates with weight decay off; after a wrong start, with another initialisation."""
    if len(desk.placed.at(1)) >= MOST_LOOKS:
        return
    settings: dict[str, Any] = {"weight_decay": 0}
    why = "read the loss before the first update, with nothing but the data in it"
    if wrong:
        settings["initialisation"] = SANE_START
        why = (
            "see whether layers scaled by their fan-in, and a small output layer, begin where an untrained model should"
        )
    desk.put(1, candidates.base(desk.search), why, settings, updates=LOOK_UPDATES)


def overfit_sample(desk: Desk) -> None:
    """Step 2: a small sample at rates a decade apart; after failures, what their causes ask for."""
    looks = [look for look in desk.placed.at(2) if len(look.train)]
    settings: dict[str, Any] = {"weight_decay": 0, "sample_size": _sample_size(desk), "stop_at_accuracy": 1.0}
    middle = candidates.base(desk.search)
    rate = desk.search.space.rate
    if not looks:
        rates = _rates(desk, [middle[rate]] if rate else [])
        each: list[Configuration] = [{**middle, rate: value} for value in rates] if rate else [middle]
        why = "see whether the model can learn a handful of examples"
        for values in each:
            desk.put(2, values, why, settings, updates=SAMPLE_UPDATES)
        return
    if len(looks) >= MOST_SAMPLES:
        return
    for look in reversed(looks):  # the last ones have the names of the latest proposals
        if look.over and len(desk.made) < desk.room:
            _after(desk, look, settings)


def _after(desk: Desk, look: Look, settings: dict[str, Any]) -> None:
    """What one run that did not overfit its sample asks for."""
    reading = read(look, desk.placed.looks, desk.expected)
    factors: dict[Cause, float] = {"rate too high": 1 / TENFOLD, "rate too low": TENFOLD}
    values = {**candidates.base(desk.search), **look.values}
    why = f"{look.run} {reading.words}"
    if reading.cause == "too short":
        _faster(desk, values, why, settings)
        # Those that run count as well: whoever asks while one trains is not told to make it twice.
        lengths = [one.length for one in desk.placed.at(2) if one is not look and one.values == look.values]
        if not lengths or look.length > max(lengths):
            desk.put(2, values, why, settings, updates=2 * max(look.last_step, SAMPLE_UPDATES))
        return
    if reading.cause == "initialisation":
        desk.put(2, values, why, {**settings, "initialisation": _with(desk, FAN_IN)}, updates=SAMPLE_UPDATES)
        return
    name = desk.search.space.rate
    factor = factors.get(reading.cause, 1 / TENFOLD if look.diverged is not None else TENFOLD)
    wanted = candidates.nearest_rate(desk.search.space, (look.rate or 0.0) * factor) if look.rate else None
    if name is not None and wanted is not None and not any(same_value(wanted, rate) for rate in _sampled(desk)):
        desk.put(2, {**values, name: wanted}, why, settings, updates=SAMPLE_UPDATES)


def _faster(desk: Desk, values: Configuration, why: str, settings: dict[str, Any]) -> None:
    """The same sample at ten times the rate, where no run had one so high: it may be there sooner."""
    name = desk.search.space.rate
    rate = values.get(name or "")
    if name is None or not isinstance(rate, int | float):
        return
    wanted = candidates.nearest_rate(desk.search.space, rate * TENFOLD)
    tried = [*_sampled(desk), rate]
    if wanted is not None and wanted > max(tried) * 2:
        desk.put(2, {**values, name: wanted}, why, settings, updates=SAMPLE_UPDATES)


def _sampled(desk: Desk) -> list[float]:
    """The rates at which a sample was or is going to be learnt."""
    name = desk.search.space.rate or ""
    proposed = [as_number(desk.search.space.read(one.config).get(name)) for one in desk.made]
    return [rate for rate in [*(look.rate for look in desk.placed.at(2)), *proposed] if rate is not None]


def _with(desk: Desk, way: str) -> str:
    kept = desk.kept.get("initialisation", "")
    return kept if way in kept.split("+") else "+".join([*filter(None, [kept]), way])


def _rates(desk: Desk, middle: Sequence[object]) -> list[float]:
    """The middle rate, a tenth and ten times of it, as far as the space has them."""
    known = [value for value in middle if isinstance(value, int | float)]
    wide = [value * factor for value in known for factor in (1.0, 1 / TENFOLD, TENFOLD)]
    rates = [candidates.nearest_rate(desk.search.space, value) for value in wide]
    return list(dict.fromkeys(rate for rate in rates if rate is not None))


def _sample_size(desk: Desk) -> int:
    facts: list[Search | Context] = [desk.search, *(look.trial.context for look in desk.placed.looks)]
    classes = max((one.num_classes or len(one.class_priors or ()) for one in facts), default=0)
    sizes = [look.trial.context.dataset_size for look in desk.placed.looks]
    return min([max(EXAMPLES_A_CLASS * classes, LEAST_SAMPLE), MOST_SAMPLE, *(size for size in sizes if size)])


def find_rate(desk: Desk, reading: RateReading | None) -> None:
    """Step 3: a sweep of short runs, or where runs are scarce one whose rate grows."""
    middle, name = candidates.base(desk.search), desk.search.space.rate
    ends = candidates.rate_ends(desk.search.space)
    if name is None or ends is None:
        return
    scarce = desk.search.most_runs is not None and desk.search.most_runs < SCARCE
    if reading is None and scarce and not desk.placed.at(3):
        settings = {"ramp_from": ends[0], "ramp_to": ends[1]}
        why = f"let the rate grow by equal ratios from {ends[0]:.3g} to {ends[1]:.3g}, for runs are scarce"
        desk.put(3, {**middle, name: ends[0]}, why, settings, updates=2 * RATE_UPDATES)
        return
    tried = [look.rate for look in desk.placed.at(3) if look.rate]
    for rate in candidates.sweep(desk.search, desk.room, tried, reading):
        why = f"see whether the loss falls within {RATE_UPDATES} updates at a rate of {rate:.3g}"
        desk.put(3, {**middle, name: rate}, why, {"schedule": "constant"}, updates=RATE_UPDATES)


def coarse_grid(desk: Desk) -> None:
    """Step 4: around the rate that works, a few epochs."""
    reading = read_rates(desk.placed)
    best = reading.best if reading else None
    why = f"coarse grid around a rate of {best:.3g}" if best else "coarse grid over the whole space"
    desk.room = min(desk.room, max(0, wanted(desk.search, 4) - len(_known(desk, 4))))
    for values in _fresh(desk, candidates.coarse(desk.search, reading), 4):
        desk.put(4, values, why, {"schedule": "constant"}, epochs=COARSE_EPOCHS)


def refine(desk: Desk, standing: Standing | None) -> None:
    """Step 5: the leaders for longer, and new configurations near them, as many as make a round."""
    running = sum(1 for look in desk.placed.at(5) if not look.over)
    desk.room = min(desk.room, max(0, wanted(desk.search, 5) - running))
    leaders = [group.values for group in standing.leaders[:SEEDS]] if standing else []
    why = f"refine: near {', '.join(g.reached[0].look.run for g in standing.leaders[:SEEDS])}" if standing else "refine"
    for values in _fresh(desk, candidates.refined(desk.search, leaders), 5):
        desk.put(5, values, why, {"schedule": "constant"}, epochs=REFINED_EPOCHS)


def repeat_leaders(desk: Desk, standing: Standing) -> None:
    """Step 7: the leaders with other seeds, until each has three runs on their way or ended; seed by seed."""
    runs = {key_of(group.values): _runs_of(desk, group, standing.search_step) for group in unsettled(standing)}
    longest = max(one.look.epochs or REFINED_EPOCHS for group in standing.groups for one in group.reached)
    for seed in range(1, SEEDS):
        for group in unsettled(standing):
            if runs[key_of(group.values)] <= seed:
                why = f"run {group.reached[0].look.run} with another seed: noise does not tell it from the best yet"
                settings = {"schedule": "constant", "seed": desk.search.seed + seed}
                desk.put(standing.search_step, group.values, why, settings, epochs=longest)


def decay_at_last(desk: Desk, standing: Standing) -> None:
    """Step 7: the configuration that leads, once more with a rate that falls to nothing in a straight line."""
    group = standing.leaders[0]
    longest = max(one.look.epochs or REFINED_EPOCHS for one in group.reached)
    why = f"train what {group.reached[0].look.run} tried with a decaying rate: the model to keep"
    desk.put(7, group.values, why, {"schedule": "linear"}, epochs=longest)


def last_runs(desk: Desk) -> list[Look]:
    """Those that were made for it, whether or not their job declared the step."""
    named = f"{desk.search.name}-7-"
    return [look for look in desk.placed.looks if look.run.startswith(named) or look in desk.placed.at(7)]


def _runs_of(desk: Desk, group: Group, search_step: int) -> int:
    looks = desk.placed.at(search_step)
    wanted = key_of(group.values)
    return sum(len(look.values) == len(wanted) and key_of(look.values) == wanted for look in looks)


def _fresh(desk: Desk, drawn: Iterable[Configuration], search_step: int) -> list[Configuration]:
    """As many of the configurations as there is room for that no run of the step has."""
    known = _known(desk, search_step)
    fresh: list[Configuration] = []
    for values in drawn:
        if len(fresh) >= desk.room:
            break
        if key_of(values) not in known:
            known.add(key_of(values))
            fresh.append(values)
    return fresh


def _known(desk: Desk, search_step: int) -> set[Key]:
    """The configurations that runs of the step have, on their way or ended."""
    whole = len(desk.search.space.parameters)
    return {key_of(look.values) for look in desk.placed.at(search_step) if len(look.values) == whole}
