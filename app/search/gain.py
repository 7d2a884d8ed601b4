"""Step 7: what another round may be expected to gain, against noise over seeds.

Statistic
    Scores of the n configurations (see ranking.py), each shrunk towards their mean by b^2 / (b^2 + s^2 / n_i), where
        b^2 is their variance less what noise makes of it (James and Stein 1961): the best of many is lucky, and this
        takes its luck back.
    E(m) = the mean over all choices of m of the n of the best score among them, which is exact from order statistics.
    gain = E(n - k) - E(n), what the last k configurations were worth, in whatever order they came. Each further one is
        worth less than the one before, so a round of k more is expected to gain no more than this, whatever the
        distribution of scores; a normal one would promise more, for it knows no floor.
    noise = s sqrt(1 + 1 / n_best), what a new run differs from the best by when it is no better.
A gain below the noise could not be seen, so the search is over. Without a repeated configuration there is no s, and it
cannot be told.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import binom

from app.curves.curve import FloatArray
from app.rules.verdict import Evidence
from app.search.answers import NAMES, StepReport
from app.search.looks import counted
from app.search.places import Placed
from app.search.ranking import Group, Standing

LEAST_CONFIGURATIONS = 3
SEEDS, REPEATED = 3, 3  # seeds of each of the leaders that a decision rests on; how many leaders


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
    noise = standing.spread**2 / np.array([len(group.scores) for group in standing.groups])
    between = max(0.0, float(scores.var(ddof=1)) - float(noise.mean()))
    kept = between / (between + noise) if between else np.zeros_like(scores)
    shrunk = np.sort(scores.mean() + kept * (scores - scores.mean()))
    # Where k are more than half of them, what half were worth stands for k, each as much as those.
    back = min(more, len(shrunk) // 2)
    gained = best_of(shrunk, len(shrunk) - back) - float(shrunk[0])
    one_more = standing.spread * math.sqrt(1 + 1 / len(standing.groups[0].scores))
    return Gain(gained * more / back, one_more, more)


def best_of(scores: FloatArray, many: int) -> float:
    """The mean, over all choices of `many` of the scores, of the least among them. scores: in rising order."""
    size = scores.size
    # The i-th is the least of a choice with the chance C(size - 1 - i, many - 1) / C(size, many).
    later = np.arange(size - 1, -1, -1.0)
    chances = np.where(later >= many - 1, binom(later, many - 1.0) / binom(float(size), float(many)), 0.0)
    return float(chances @ scores)


def unsettled(standing: Standing) -> tuple[Group, ...]:
    """The leaders that want more seeds before anything is decided, of the first few; none when the best is plain."""
    leaders = standing.leaders
    if standing.free and len(leaders) == 1:
        return ()
    # Without any repetition noise is only assumed, so the runners-up are repeated whatever it parts.
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
        says = "Whether another round pays cannot be told: "
        if few:
            says += f"{counted(len(standing.groups), 'configuration')} of {LEAST_CONFIGURATIONS} were refined."
        else:
            says += "no configuration was run with several seeds, so what noise makes is not known."
        return StepReport(
            number=7, name=NAMES[6], status="open", says=says, runs=runs, inferred=inferred, missing=missing
        )
    words = standing.scale.words
    says = f"{more} more configurations like these are expected to gain at most {words(gain.expected)}, "
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
