"""Which of the seven steps comes next, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.search import proposals
from app.search.answers import NAMES, Next, StepReport
from app.search.gain import expected_gain, unsettled
from app.search.initial import Expected
from app.search.looks import Look
from app.search.overview import edges
from app.search.places import Placed
from app.search.proposals import Desk
from app.search.ranking import Standing, reached
from app.search.rates import read_rates
from app.search.search import Search

# What is left where more runs of a step would not tell more.
LEFT_TO_DO = {
    1: " More runs of the same would not tell: look at the output layer, the loss and the scale of inputs and targets.",
    2: " More runs of the same would not tell: look at the data, the labels, and whether gradients arrive.",
}


@dataclass(frozen=True)
class Known:
    """What the search knows when it decides: its runs, the seven reports, and how configurations stand."""

    search: Search
    placed: Placed
    expected: Expected | None
    steps: Sequence[StepReport]
    coarse: Standing
    refined: Standing
    round_size: int


def following(known: Known, count: int) -> Next:
    """The first step that is not answered, with the runs that it needs."""
    search, placed = known.search, known.placed
    desk = Desk(search, placed, known.expected, count)
    if search.most_runs is not None and len(placed.looks) >= search.most_runs:
        return _spent(known, search.most_runs)
    report = _unanswered(known)
    match report.number if report else None:
        case 1:
            proposals.look_at_start(desk, known.steps[0].status == "failed")
        case 2:
            proposals.overfit_sample(desk)
        case 3:
            proposals.find_rate(desk, read_rates(placed))
        case 4:
            proposals.coarse_grid(desk)
        case 5:
            proposals.refine(desk, known.coarse if known.coarse.groups else None)
    return _next(desk, report) if report else _go_on(known, desk)


def _unanswered(known: Known) -> StepReport | None:
    """The first of steps 1 to 5 that stands in the way; None when all that is left is to go on or stop.

    The first two are not asked for any more once there are runs of steps 4 and 5: who began with a grid goes on there.
    """
    beyond = bool(known.placed.at(4, 5))
    for report in known.steps[:5]:
        if report.status not in ("open", "failed") or (report.number <= 2 and beyond):
            continue
        if report.number == 3 and (known.coarse.groups or known.refined.groups):
            continue
        if report.number == 1 and _start_cannot_be_read(report, known.placed):
            continue
        return report
    return None


def _spent(known: Known, most_runs: int) -> Next:
    ended = all(look.over for look in known.placed.looks)
    why = f"All {most_runs} runs that there may be are made" + ("." if ended else ", some of them still train.")
    return Next(search_step=7, name=NAMES[6], why=why + _picked(known), stop=ended, proposals=())


def _start_cannot_be_read(first: StepReport, placed: Placed) -> bool:
    """Whether runs were made for it and still none shows its start: more of the same would not either."""
    return first.status == "open" and any(look.over and len(look.train) for look in placed.at(1))


def _next(desk: Desk, report: StepReport) -> Next:
    search_step = report.number
    running = [look for look in desk.placed.at(search_step) if not look.over]
    why = report.says + (f" Missing: {report.missing}." if report.missing else "")
    if running:
        why += f" {len(running)} of its runs still train."
    if search_step == 1 and running:
        desk.made.clear()  # one look at the start is enough
    if not desk.made and not running:
        why += LEFT_TO_DO.get(search_step, " The space has no configuration left to try for it: widen the space.")
    return Next(search_step=search_step, name=NAMES[search_step - 1], why=why, stop=False, proposals=tuple(desk.made))


def _go_on(known: Known, desk: Desk) -> Next:
    """After a refined round: other seeds where noise hides the order, another round where it pays, else stop."""
    standing, name = known.refined, NAMES[6]
    if wanting := unsettled(standing):
        proposals.repeat_leaders(desk, standing)
        many = f"{len(wanting)} configurations want" if len(wanting) > 1 else "one configuration wants"
        why = f"Noise hides which of the leading configurations is best: {many} other seeds."
        if not desk.made:
            why += " They are on their way."
        return Next(search_step=7, name=name, why=why, stop=False, proposals=tuple(desk.made))
    gain = expected_gain(standing, known.round_size)
    if gain is None or gain.pays:
        proposals.refine(desk, standing)
        if desk.made:
            return Next(search_step=5, name=NAMES[4], why=known.steps[6].says, stop=False, proposals=tuple(desk.made))
    why = known.steps[6].says if gain else "Every configuration of the space has been refined."
    made = proposals.last_runs(desk)
    if not made:
        proposals.decay_at_last(desk, standing)
    if desk.made or not all(look.over for look in made):
        why += " Before the end, the configuration that leads is trained with a decaying rate."
        return Next(search_step=7, name=name, why=why, stop=False, proposals=tuple(desk.made))
    why += _picked(known, made)
    return Next(search_step=7, name=name, why=why, stop=True, proposals=())


def _picked(known: Known, made: Sequence[Look] = ()) -> str:
    """Which configuration to take, and whether the space kept a better one out."""
    standing = known.refined if known.refined.groups else known.coarse
    if not standing.groups:
        return ""
    leaders, scale = standing.leaders, standing.scale
    best = leaders[0]
    text = f" Take that of {best.reached[0].look.run} ({known.search.metric} {scale.level(best.score):.4g})"
    if len(leaders) > 1:
        text += f", or any of the {len(leaders) - 1} that noise does not tell from it, whichever costs least"
    last = [one.level for look in made if (one := reached(look, known.search.metric, known.search.goal))]
    if last:
        text += f"; with a decaying rate, {made[0].run} came to {last[0]:.4g}."
    else:
        text += ", and train it with a decaying rate."
    ends = edges(known.search, standing)
    if ends:
        text += (
            f" Its {', '.join(edge.name for edge in ends)} lies at an end of the space: a wider space may hold better."
        )
    return text
