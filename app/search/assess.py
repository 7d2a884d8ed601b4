"""assess(search, trials): the seven steps, what comes next, and how the configurations stand. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from app.errors import InvalidInput
from app.search import gain, grids, initial, overfit, overview, rates
from app.search.answers import Assessment, Next, Place, Proposal, Ranked, StepReport
from app.search.candidates import rate_ends
from app.search.following import Known, following
from app.search.looks import looks_at
from app.search.places import Placed
from app.search.ranking import ranked, standing
from app.search.search import Search
from app.search.trial import Trial

__all__ = ["Assessment", "Next", "Place", "Proposal", "Ranked", "StepReport", "assess"]


def assess(search: Search, trials: Sequence[Trial], count: int = 8) -> Assessment:
    """What the posted runs say about the search.

    trials: in any order, names distinct. count: how many runs to propose at most. Raises InvalidInput when two trials
    have one name.
    """
    names = [trial.run for trial in trials]
    if len(set(names)) < len(names):
        raise InvalidInput("two trials of a search have the same name")
    placed = Placed(looks_at(search, trials))
    coarse, refined = (standing(search, placed.at(step), step) for step in (4, 5))
    standings = [one for one in (refined, coarse) if one.groups]
    more = grids.wanted(search, 5)
    expected = initial.expected_loss(search, placed.looks)
    steps = (
        _passed(initial.report(placed, expected), bool(placed.at(4, 5))),
        _passed(overfit.report(placed, expected), bool(placed.at(4, 5))),
        _passed(rates.report(placed, rate_ends(search.space)), bool(standings)),
        grids.report(search, placed, 4, coarse),
        grids.report(search, placed, 5, refined),
        overview.report(search, placed, standings),
        gain.report(placed, standings[0] if standings else None, more),
    )
    known = Known(search, placed, expected, steps, coarse, refined, more)
    ranking = tuple(row for one in standings for row in ranked(search, one))
    return Assessment(steps=steps, next=following(known, count), ranking=ranking, places=placed.places)


def _passed(report: StepReport, by_later_steps: bool) -> StepReport:
    """A step that is not answered and, for later ones have runs, not asked for any more."""
    if report.status != "open" or not by_later_steps:
        return report
    return replace(report, status="skipped", says=f"{report.says} Later steps have runs, so it is not asked for.")
