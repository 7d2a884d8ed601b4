"""assess(search, trials): the seven steps, what comes next, and how the configurations stand. Pure."""

from collections.abc import Sequence

from app.search.answers import NAMES, Assessment, Next, Place, Proposal, Ranked, StepReport
from app.search.search import Search
from app.search.space import sample
from app.search.trial import Trial

__all__ = ["Assessment", "Next", "Place", "Proposal", "Ranked", "StepReport", "assess"]


def assess(search: Search, trials: Sequence[Trial], count: int = 8) -> Assessment:
    """What the posted runs say about the search. count: how many runs to propose at most."""
    steps = tuple(
        StepReport(number=n, name=name, status="open", says="no run yet") for n, name in enumerate(NAMES, start=1)
    )
    proposals = tuple(
        Proposal(
            run=f"{search.name}-4-{k + 1}",
            search_step=4,
            config=search.space.nested(configuration),
            planned_epochs=3,
            planned_steps=None if search.steps_per_epoch is None else 3 * search.steps_per_epoch,
            settings={},
            why="one point of the space",
        )
        for k, configuration in enumerate(sample(search.space, count, search.seed, skip=len(trials)))
    )
    following = Next(search_step=4, name=NAMES[3], why="no run yet", stop=False, proposals=proposals)
    return Assessment(steps=steps, next=following, ranking=())
