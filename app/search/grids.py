"""Steps 4 and 5: a coarse grid over a few epochs, then fewer configurations for longer: how far they are."""

from collections.abc import Sequence

from app.rules.verdict import Evidence
from app.search.answers import NAMES, Status, StepReport
from app.search.looks import Look, counted, named
from app.search.parameters import Choice, Integer, Value, as_number
from app.search.places import Placed
from app.search.ranking import Standing, key_of
from app.search.search import Search
from app.search.space import Configuration

PLAIN_GRID, LEAST_COARSE, MOST_COARSE = 9, 3, 16  # configurations: three rates times the lecture's three decays
REFINED, LEAST_REFINED = 5, 3
COARSE_SHARE, REFINED_SHARE = 0.4, 0.25  # of the runs that there may be
FADED = 0.5  # last rate over highest: a rate that decayed


def wanted(search: Search, search_step: int) -> int:
    """How many configurations make the coarse grid (4) or a refined round (5) [configurations].

    Nine for rate and weight decay, two more for each further parameter; no more than there are, and than its share of
    the runs that there may be.
    """
    many = PLAIN_GRID + 2 * max(0, len(search.space.parameters) - 2)
    many, least, share = min(many, MOST_COARSE), LEAST_COARSE, COARSE_SHARE
    if search_step == 5:
        many, least, share = REFINED, LEAST_REFINED, REFINED_SHARE
    if search.most_runs is not None:
        many = min(many, max(least, int(share * search.most_runs)))
    return min(many, _size(search))


def _size(search: Search) -> int:
    """How many configurations the space has, a range of numbers counted as many [configurations]."""
    size = 1
    for parameter in search.space.parameters.values():
        match parameter:
            case Choice(options=options):
                size *= len(options)
            case Integer(low=low, high=high):
                size *= high - low + 1
            case _:
                return MOST_COARSE
    return size


def report(search: Search, placed: Placed, search_step: int, standing: Standing) -> StepReport:
    """How far a grid is, and what it says so far."""
    looks = placed.at(search_step)
    ended = [look for look in looks if look.over]
    aim = wanted(search, search_step)
    have = len({key_of(look.values) for look in ended if len(look.values) == len(search.space.parameters)})
    status, missing = _status(placed, search_step, standing, have, aim, len(looks) - len(ended))
    return StepReport(
        number=search_step,
        name=NAMES[search_step - 1],
        status=status,
        says=_words(search, standing, looks, ended, have, aim),
        evidence=_evidence(search, standing, have, aim),
        runs=tuple(look.run for look in looks),
        inferred=placed.inferred(looks),
        missing=missing,
    )


def _status(
    placed: Placed, search_step: int, standing: Standing, have: int, aim: int, running: int
) -> tuple[Status, str | None]:
    if have >= aim:
        return ("done", None) if standing.groups else ("failed", "a configuration whose metric stays finite")
    if search_step == 4 and placed.at(5):
        return ("done" if standing.groups else "skipped"), None
    wait = f", {running} of them on their way" if running else ""
    return "open", f"{counted(aim - have, 'configuration')} more{wait}"


def _words(
    search: Search, standing: Standing, looks: Sequence[Look], ended: Sequence[Look], have: int, aim: int
) -> str:
    if not looks:
        return "No run yet."
    says = f"{counted(have, 'configuration')} ended so far; {aim} make this step."
    if not standing.groups:
        return f"{says} Of none is there a finite {search.metric} to compare." if ended else says
    best, scale = standing.groups[0], standing.scale
    says += f" The best, {_config(best.values)}, reaches {search.metric} {scale.level(best.score):.4g}"
    rivals = len(standing.leaders) - 1
    says += f"; noise does not tell it from {counted(rivals, 'other')}." if rivals else "."
    if standing.lost:
        says += f" {named(standing.lost)} diverged or logged nothing finite."
    if odd := [look for look in ended if len(look.values) < len(search.space.parameters)]:
        says += f" {named(odd)} lack a parameter of the space in their configuration and are left out."
    lengths = sorted(look.last_step for look in ended if look.diverged is None)
    if lengths and lengths[-1] > 1.5 * lengths[0]:
        says += f" Their lengths differ ({lengths[0]:g} to {lengths[-1]:g} steps), which favours the longer ones."
    if faded := [look for look in looks if _faded(look)]:
        says += f" The rate of {named(faded)} decayed; this step is meant to hold it."
    return says


def _config(values: Configuration) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Value) -> str:
    number = as_number(value)
    return str(value) if number is None else f"{number:.4g}"


def _faded(look: Look) -> bool:
    rate = look.view.rate
    return len(rate) > 1 and float(rate.values[-1]) < FADED * float(rate.values.max())


def _evidence(search: Search, standing: Standing, have: int, aim: int) -> tuple[Evidence, ...]:
    tried = Evidence("configurations", float(have), float(aim), "configurations")
    if not standing.groups:
        return (tried,)
    best = standing.scale.level(standing.groups[0].score)
    unit = "share of the level" if standing.scale.logarithmic else "metric's unit"
    of = "spread_over_seeds" if standing.free else "assumed_spread"
    return (tried, Evidence("best_level", best, None, search.metric), Evidence(of, standing.spread, None, unit))
