"""Step 6: what the curves of the search's runs have in common, and whether the best lie at an edge of the space."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.diagnosis import Diagnosis
from app.rules.verdict import Evidence
from app.search.answers import NAMES, StepReport
from app.search.looks import counted
from app.search.parameters import Choice, Integer, LogUniform, as_number
from app.search.places import Placed
from app.search.ranking import Group, Standing
from app.search.search import Search

COMMON = 0.5  # share of the runs that makes a finding the search's own
AT_EDGE = 0.1  # of the way through a range, from either end
ADVICE = {
    "bad_init_plateau": "initialise by the fan-in of each layer, or normalise",
    "decay_needed": "decay the rate in the final training",
    "decay_too_early": "decay the rate later",
    "keep_training": "train for longer",
    "overfitting": "regularise: more weight decay, more data or augmentation, a smaller model",
    "underfitting": "grow the model, regularise less, or raise the rate",
    "wrong_initial_loss": "scale the output layer's initial weights",
    "exploding": "stay further below the rate at which the loss diverges",
    "not_decreasing": "leave out the rates at which nothing is learnt",
}


@dataclass(frozen=True)
class Edge:
    """A parameter whose best values lie at one end of what the space allows."""

    name: str
    upper: bool
    value: float


def report(search: Search, placed: Placed, standings: Sequence[Standing]) -> StepReport:
    """The findings of the refined runs, else of the coarse ones, counted."""
    looks = [look for look in placed.at(5) or placed.at(4) if look.trial.diagnosis is not None]
    if not looks:
        runs = placed.at(4, 5)
        missing = "their diagnoses" if runs else "runs of steps 4 and 5"
        return StepReport(number=6, name=NAMES[5], status="open", says="No curve to look at yet.", missing=missing)
    counts = count([look.trial.diagnosis for look in looks if look.trial.diagnosis is not None])
    says = [_finding(rule, many, len(looks)) for rule, many in counts]
    if not says:
        says = [f"None of {counted(len(looks), 'run')} shows a pathology."]
    if standings:
        says += [_edge(edge) for edge in edges(search, standings[0])]
    return StepReport(
        number=6,
        name=NAMES[5],
        status="done",
        says=" ".join(says),
        evidence=tuple(Evidence(rule, many / len(looks), COMMON, "share of the runs") for rule, many in counts),
        runs=tuple(look.run for look in looks),
        inferred=placed.inferred(looks),
    )


def count(diagnoses: Sequence[Diagnosis]) -> list[tuple[str, int]]:
    """Rule -> how many of the runs it found its pathology in, most first; without those that follow from another."""
    found: Counter[str] = Counter()
    for diagnosis in diagnoses:
        found.update(finding.rule for finding in diagnosis.findings if finding.caused_by is None)
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def edges(search: Search, standing: Standing) -> list[Edge]:
    """The parameters of which the best and most of its equals lie at one end of the space."""
    found = []
    for name in search.space.parameters:
        sides = [_side(search, name, group) for group in standing.leaders]
        best, tried = sides[0], {group.values[name] for group in standing.groups}
        if best is not None and len(tried) > 1 and 2 * sides.count(best) > len(sides):
            value = as_number(standing.groups[0].values[name])
            found.append(Edge(name, best, value if value is not None else 0.0))
    return found


def _side(search: Search, name: str, group: Group) -> bool | None:
    """Whether a value is at the upper end (True) or the lower (False); None when at neither, or when it has no ends."""
    parameter, value = search.space.parameters[name], as_number(group.values[name])
    if value is None:
        return None
    if isinstance(parameter, Choice):
        options = [number for number in map(as_number, parameter.options) if number is not None]
        if len(options) < max(3, len(parameter.options)) or not parameter.has(value):
            return None
        low, high = value == min(options), value == max(options)
    else:
        if isinstance(parameter, LogUniform | Integer) and value <= 0 < parameter.low:
            return False
        share = parameter.share(value)
        low, high = share <= AT_EDGE, share >= 1 - AT_EDGE
    if low and value == 0:  # nothing lies below none of it
        return None
    return True if high else False if low else None


def _finding(rule: str, many: int, of: int) -> str:
    how = f"{many} of {counted(of, 'run')}: {rule.replace('_', ' ')}"
    if many >= COMMON * of:
        return f"{how}, so it is the search's own: {ADVICE.get(rule, 'see their diagnoses')}."
    return f"{how}."


def _edge(edge: Edge) -> str:
    side, way = ("upper", "upwards") if edge.upper else ("lower", "downwards")
    return f"The best {edge.name} ({edge.value:.4g}) lies at the {side} end of the space: widen it {way}."
