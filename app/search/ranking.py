"""How configurations compare by the search's metric, within noise over seeds.

Statistic
    level of a run = the best mean of consecutive evaluations (1 of up to 3, 2 of up to 19, else a tenth)
    level of a configuration = mean over its seeds; a positive metric that is to be low is compared by its logarithm, so
        that noise is a share of the level
    s^2 = sum (n_i - 1) s_i^2 / sum (n_i - 1), the spread over seeds pooled over all configurations that were repeated
    a configuration is as good as the best unless it is worse by more than t s sqrt(1 / n_i + 1 / n_best), where t is
        the one-sided 95 % quantile of Student's distribution, by Bonferroni for the comparisons with the best
Without a repeated configuration s is not known. It is then assumed and said so, without an interval: 5 % of a loss,
6 % of 1 - accuracy, what two seeds of one training differed by (benchmarks/baselines.py); for any other metric what
single runs' evaluations scatter by. A configuration that diverged with some seed is never as good as the best.

The best of many is lucky as a rule: of m that noise does not part, the best is expected to lie E[max of m normal
deviates] s / sqrt(n) on the lucky side (Blom 1958 for that expectation). It is said beside the best, and step 7 reckons
with a level that is shrunk to the mean of all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from app.curves.curve import FloatArray
from app.search.answers import Ranked
from app.search.looks import Look
from app.search.parameters import as_number
from app.search.search import Goal, Search
from app.search.space import Configuration
from app.signals.noise import scatter
from app.signals.view import LARGEST

CONFIDENCE = 0.95
ASSUMED_LOSS, ASSUMED_ERROR = 0.05, 0.06  # standard deviation over seeds [share of the loss; of 1 - accuracy]
MOST_SCORE = math.log(LARGEST)  # beyond it no level means anything, and its exponential is none
Key = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Reached:
    """How good one run got: its level and the standard error that its evaluations alone give it [metric's unit]."""

    look: Look
    level: float
    error: float


def reached(look: Look, metric: str, goal: Goal) -> Reached | None:
    """The best level of a run; None where it diverged or has no finite evaluation."""
    curve = look.trial.curves.get(metric)
    if curve is None or look.diverged is not None:
        return None
    values = curve.values[np.abs(curve.values) < LARGEST]
    if values.size == 0 or not np.isfinite(curve.values[-1]):
        return None
    width = width_of(values.size)
    late = values[-max(8, 4 * width) :]
    return Reached(look, best_level(values, goal), scatter(late) / math.sqrt(width))


def best_level(values: FloatArray, goal: Goal) -> float:
    """The best mean of consecutive evaluations. values: [evaluations], finite, at least one."""
    width = width_of(values.size)
    means = np.convolve(values, np.full(width, 1 / width), mode="valid")
    return float(means.min() if goal == "min" else means.max())


def width_of(evaluations: int) -> int:
    """Of how many evaluations a level is the mean: of so few that a fall does not hide in it, of many a tenth."""
    return 1 if evaluations < 4 else 2 if evaluations < 20 else round(0.1 * evaluations)


@dataclass(frozen=True)
class Group:
    """The runs of one configuration.

    scores: on the scale of comparison, where low is good [runs]. lost: runs that diverged or logged nothing finite.
    """

    values: Configuration
    reached: tuple[Reached, ...]
    scores: tuple[float, ...]
    lost: tuple[Look, ...]

    @property
    def score(self) -> float:
        """Mean over its seeds."""
        return math.fsum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class Scale:
    """Between a metric and the scale of comparison, on which low is good and noise is about as large everywhere."""

    goal: Goal
    logarithmic: bool

    def score(self, level: float) -> float:
        """Metric -> score."""
        if self.logarithmic:
            return math.log(level)
        return level if self.goal == "min" else -level

    def level(self, score: float) -> float:
        """Score -> metric."""
        if self.logarithmic:
            return math.exp(min(score, MOST_SCORE))
        return score if self.goal == "min" else -score

    def words(self, difference: float) -> str:
        """A difference of scores in words."""
        return (
            f"{100 * math.expm1(min(abs(difference), MOST_SCORE)):.2g} %"
            if self.logarithmic
            else f"{abs(difference):.3g}"
        )


@dataclass(frozen=True)
class Standing:
    """Configurations of one length, best first. spread: of one run over seeds [score]; free: its degrees of freedom, 0
    where no configuration was repeated and the spread is assumed.
    """

    search_step: int
    scale: Scale
    groups: tuple[Group, ...]
    spread: float
    free: int
    lost: tuple[Look, ...]

    @property
    def leaders(self) -> tuple[Group, ...]:
        """Those that noise may be all that parts from the best, the best among them."""
        return tuple(group for group in self.groups if self.equivalent(group))

    def equivalent(self, group: Group) -> bool:
        """Whether noise may be all that parts a configuration from the best."""
        best = self.groups[0]
        if group is best or (group.lost and not best.lost):
            return group is best
        share = (1 - CONFIDENCE) / (len(self.groups) - 1)
        limit = -(float(stdtrit(self.free, share)) if self.free else float(ndtri(share)))
        error = self.spread * math.sqrt(1 / len(group.scores) + 1 / len(best.scores))
        return group.score - best.score <= limit * error

    @property
    def luck(self) -> float:
        """How much of the best's score is expected to be luck: see the head of this file [score]."""
        many = len(self.leaders)
        expected = float(ndtri((many - 0.375) / (many + 0.25))) if many > 1 else 0.0
        return expected * self.spread / math.sqrt(len(self.groups[0].scores))


def standing(search: Search, looks: Sequence[Look], search_step: int) -> Standing:
    """The configurations of these runs, as far as they have ended."""
    by_key: dict[Key, list[Look]] = {}
    for look in looks:
        if look.over and len(look.values) == len(search.space.parameters):
            by_key.setdefault(key_of(look.values), []).append(look)
    read = {look.run: one for look in looks if (one := reached(look, search.metric, search.goal)) is not None}
    positive = all(one.level > 0 for one in read.values())
    scale = Scale(search.goal, search.goal == "min" and positive)
    groups: list[Group] = []
    lost: list[Look] = []
    for members in by_key.values():
        good = [read[look.run] for look in members if look.run in read]
        gone = tuple(look for look in members if look.run not in read)
        lost += gone
        if good:
            scores = tuple(scale.score(one.level) for one in good)
            groups.append(Group(members[0].values, tuple(good), scores, gone))
    groups.sort(key=lambda group: (bool(group.lost), group.score, group.reached[0].look.run))
    spread, free = _spread(groups, scale)
    return Standing(search_step, scale, tuple(groups), spread, free, tuple(lost))


def key_of(values: Configuration) -> Key:
    """What two configurations that are the same share: numbers to six digits."""
    return tuple((name, _rounded(values[name])) for name in sorted(values))


def _rounded(value: object) -> object:
    number = as_number(value)
    return (type(value).__name__, value) if number is None else float(f"{number:.6g}")


def _spread(groups: Sequence[Group], scale: Scale) -> tuple[float, int]:
    """Spread of one run over seeds and its degrees of freedom; assumed, and 0, where nothing was repeated."""
    free = sum(len(group.scores) - 1 for group in groups)
    if free:
        squares = math.fsum((s - group.score) ** 2 for group in groups for s in group.scores)
        return math.sqrt(squares / free), free
    found = [one for group in groups for one in group.reached]
    return (float(np.median([_assumed(one, scale) for one in found])) if found else 0.0), 0


def _assumed(one: Reached, scale: Scale) -> float:
    """What seeds are assumed to make of a level [score]."""
    if scale.logarithmic:
        return ASSUMED_LOSS
    if scale.goal == "max" and 0 <= one.level < 1:
        return ASSUMED_ERROR * (1 - one.level)
    return one.error


def ranked(search: Search, one: Standing) -> list[Ranked]:
    """The configurations of one length as they are answered."""
    return [_ranked(search, one, place, group) for place, group in enumerate(one.groups)]


def _ranked(search: Search, one: Standing, place: int, group: Group) -> Ranked:
    seeds, equivalent = len(group.scores), one.equivalent(group)
    interval = None
    if one.free:
        reach = -float(stdtrit(one.free, (1 - CONFIDENCE) / 2)) * one.spread / math.sqrt(seeds)
        ends = one.scale.level(group.score - reach), one.scale.level(group.score + reach)
        interval = (min(ends), max(ends))
    runs = tuple(sorted([r.look.run for r in group.reached] + [look.run for look in group.lost]))
    return Ranked(
        config=search.space.nested(group.values),
        runs=runs,
        search_step=one.search_step,
        seeds=seeds,
        level=one.scale.level(group.score),
        interval=interval,
        equivalent_to_best=equivalent,
        says=_words(search, one, place, group, equivalent),
    )


def _words(search: Search, one: Standing, place: int, group: Group, equivalent: bool) -> str:
    seeds, level = len(group.scores), one.scale.level(group.score)
    says = f"{search.metric} {level:.4g} over {seeds} seed{'s' if seeds > 1 else ''}"
    if group.lost:
        says += f", and {len(group.lost)} more that diverged or logged nothing finite"
    if place == 0:
        rivals = len(one.leaders) - 1
        if rivals:
            says += f"; {rivals} of {len(one.groups) - 1} others may be as good, for all that noise allows"
            says += f", and as the best of these it is expected to be lucky by {one.scale.words(one.luck)}"
        elif len(one.groups) > 1:
            says += "; better than every other beyond noise"
    elif group.lost and not equivalent:
        says += "; so it is not held as good as the best"
    elif equivalent:
        says += "; not told from the best by noise"
    else:
        says += f"; worse than the best by {one.scale.words(group.score - one.groups[0].score)}, beyond noise"
    if not one.free:
        says += f" (noise assumed, {one.scale.words(one.spread)}: no configuration was run with several seeds)"
    return says
