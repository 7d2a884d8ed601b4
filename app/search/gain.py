"""Step 7: what another round may be expected to gain, against noise over seeds.

Statistic
    Scores of the configurations (see ranking.py) have mean m and variance V, of which noise makes v = s^2 / n.
    b^2 = max(0, V - v) is what configurations truly differ by. The best, being the best of many, is shrunk towards m by
        b^2 / (b^2 + v) (James and Stein 1961), which takes back its luck.
    gain = E[max(0, best - min of k draws from N(m, b^2))], for k more configurations like these.
    noise = s sqrt(1 + 1 / n_best), what a new run differs from the best by when it is no better.
A gain below the noise could not be seen, so the search is over. Without a repeated configuration there is no s, and it
cannot be told.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from app.rules.verdict import Evidence
from app.search.answers import NAMES, StepReport
from app.search.places import Placed
from app.search.ranking import Group, Standing

LEAST_CONFIGURATIONS = 3
SEEDS, REPEATED = 3, 3  # seeds of each of the leaders that a decision rests on; how many leaders
GRID = 400


@dataclass(frozen=True)
class Gain:
    """What a round of `configurations` more may gain, beside the noise of one new run [score]."""

    expected: float
    noise: float
    configurations: int

    @property
    def pays(self) -> bool:
        """Whether the gain could be seen."""
        return self.expected > self.noise


def expected_gain(standing: Standing, more: int) -> Gain | None:
    """None where it cannot be told: fewer than three configurations, or none with several seeds."""
    if len(standing.groups) < LEAST_CONFIGURATIONS or not standing.free:
        return None
    scores = np.array([group.score for group in standing.groups])
    seeds = np.array([len(group.scores) for group in standing.groups], dtype=np.float64)
    noise = standing.spread**2 * float((1 / seeds).mean())
    mean, between = float(scores.mean()), max(0.0, float(scores.var(ddof=1)) - noise)
    own = standing.spread**2 / len(standing.groups[0].scores)
    best = mean + (between / (between + own) if between else 0.0) * (float(scores.min()) - mean)
    one_more = standing.spread * math.sqrt(1 + 1 / len(standing.groups[0].scores))
    if between == 0:
        return Gain(0.0, one_more, more)
    width = math.sqrt(between)
    x = np.linspace(mean - 8 * width, best, GRID)
    reached = 1 - (1 - ndtr((x - mean) / width)) ** more
    expected = float(np.sum((reached[1:] + reached[:-1]) / 2 * np.diff(x)))
    return Gain(expected, one_more, more)


def unsettled(standing: Standing) -> tuple[Group, ...]:
    """The leaders that want more seeds before anything is decided, of the first few; none when the best is plain."""
    leaders = standing.leaders
    if standing.free and len(leaders) == 1:
        return ()
    # Without any repetition the evaluations' scatter parts too much, so the runners-up are repeated as well.
    chosen = leaders[:REPEATED] if standing.free else standing.groups[:REPEATED]
    return tuple(group for group in chosen if len(group.scores) + len(group.lost) < SEEDS)


def report(placed: Placed, standing: Standing | None, more: int) -> StepReport:
    """Whether another round pays."""
    if standing is None or standing.search_step != 5:
        missing = "runs of step 5 that have ended"
        return StepReport(number=7, name=NAMES[6], status="open", says="Nothing was refined yet.", missing=missing)
    looks = [one.look for group in standing.groups for one in group.reached]
    runs, inferred = tuple(sorted(look.run for look in looks)), placed.inferred(looks)
    gain = expected_gain(standing, more)
    if gain is None:
        few = len(standing.groups) < LEAST_CONFIGURATIONS
        missing = f"{LEAST_CONFIGURATIONS} refined configurations" if few else "the leaders with other seeds"
        why = "there are too few configurations" if few else "no configuration was run with several seeds"
        says = f"Whether another round pays cannot be told: {why}, so what noise makes is not known."
        return StepReport(
            number=7, name=NAMES[6], status="open", says=says, runs=runs, inferred=inferred, missing=missing
        )
    words = standing.scale.words
    says = f"{more} more configurations like these are expected to gain {words(gain.expected)}, "
    says += "more than" if gain.pays else "within"
    says += f" the noise of {words(gain.noise)} that seeds make: " + ("go on." if gain.pays else "stop.")
    unit = "share of the level" if standing.scale.logarithmic else "metric's unit"
    return StepReport(
        number=7,
        name=NAMES[6],
        status="done",
        says=says,
        evidence=(Evidence("expected_gain", gain.expected, gain.noise, unit),),
        runs=runs,
        inferred=inferred,
    )
