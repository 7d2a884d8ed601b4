"""Figures from what a campaign kept: shares with intervals, by rule, by action, by severity; and what was missed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prescribing.campaign import Kept, Record, alarming, prescribed, treatment_key
from prescribing.configurations import Configuration, halves
from prescribing.cures import STANDARD, Sides
from prescribing.outcomes import CLEAR, Outcome, blind_guess, median_interval, outcome, wilson
from prescribing.real_tasks import REAL


@dataclass(frozen=True)
class Applied:
    """A first recommendation and what came of it; None where no program can apply it, or it changes nothing."""

    run: str
    task: str
    spoiled: str
    code: str
    rule: str
    severity: str
    confidence: float
    action: str
    outcome: Outcome | None

    @property
    def alarm(self) -> bool:
        """Whether it comes with a warning or an error."""
        return self.severity != "info"


@dataclass(frozen=True)
class Tried:
    """A standard cure of a run that got no warning."""

    run: str
    task: str
    cure: str
    outcome: Outcome | None


def applied(kept: Kept, names: Iterable[str], every: bool = False) -> Iterator[Applied]:
    """What was prescribed, in the order of the names."""
    for name in names:
        c = _configuration(kept.originals[name])
        for finding, recommendation in prescribed(kept.diagnoses[name], every):
            key = treatment_key(name, recommendation["action"], recommendation["args"])
            if key in kept.treatments:
                yield Applied(
                    name,
                    c.task,
                    c.spoiled,
                    finding["code"],
                    finding["rule"],
                    finding["severity"],
                    finding["confidence"],
                    recommendation["action"],
                    _outcome(kept, c, key),
                )


def tried(kept: Kept, names: Iterable[str]) -> Iterator[Tried]:
    """The standard cures of the runs without a warning or an error, where all of them have been tried."""
    for name in names:
        if not alarming(kept.diagnoses[name]):
            c = _configuration(kept.originals[name])
            keys = {cure: treatment_key(name, *make(c)) for cure, make in STANDARD.items()}
            if kept.treatments.keys() >= set(keys.values()):
                for cure, key in keys.items():
                    yield Tried(name, c.task, cure, _outcome(kept, c, key))


def _configuration(original: Record) -> Configuration:
    return Configuration(**original["configuration"])


def _outcome(kept: Kept, c: Configuration, key: str) -> Outcome | None:
    sides = kept.treatments[key]["sides"]
    return outcome(Sides(**sides), blind_guess(kept.originals[c.name]["classes"], c.noise)) if sides else None


def tally(outcomes: Sequence[Outcome | None]) -> dict[str, Any]:
    """Counts, shares of those that could be applied with their 95 % intervals, and the median gain with its own."""
    known = [each for each in outcomes if each]
    helped, harmed = (sum(each.verdict == verdict for each in known) for verdict in ("helped", "harmed"))
    beat = sum(each.beat for each in known)
    return {
        "applied": len(known),
        "not applicable": len(outcomes) - len(known),
        "helped": helped,
        "beat": beat,
        "harmed": harmed,
        "clearly helped": sum(each.verdict == "helped" and each.gain >= CLEAR for each in known),
        "helped interval": wilson(helped, len(known)),
        "beat interval": wilson(beat, len(known)),
        "harmed interval": wilson(harmed, len(known)),
        "median gain": median_interval([each.gain for each in known]) if known else None,
    }


def half(kept: Kept, names: Sequence[str]) -> dict[str, Any]:
    """All figures of the runs named."""
    all_applied = list(applied(kept, names))
    alarms = [each for each in all_applied if each.alarm]
    attempts = list(tried(kept, names))
    quiet = {each.run for each in attempts}
    return {
        "runs": len(names),
        "alarmed": len({each.run for each in alarms}),
        "warnings and errors": tally([each.outcome for each in alarms]),
        "infos": tally([each.outcome for each in all_applied if not each.alarm]),
        "by rule": _by(alarms, "rule"),
        "infos by rule": _by([each for each in all_applied if not each.alarm], "rule"),
        "by action": _by(alarms, "action"),
        "quiet": len(quiet),
        "missed": len({each.run for each in attempts if each.outcome and each.outcome.verdict == "helped"}),
        "clearly missed": len({each.run for each in attempts if _clearly(each.outcome)}),
        "standard cures": {cure: tally([each.outcome for each in attempts if each.cure == cure]) for cure in STANDARD},
    }


def _clearly(found: Outcome | None) -> bool:
    return found is not None and found.verdict == "helped" and found.gain >= CLEAR


def _by(found: Iterable[Applied], what: str) -> dict[str, Any]:
    groups: dict[str, list[Applied]] = defaultdict(list)
    for each in found:
        groups[f"{each.code} {each.rule}" if what == "rule" else each.action].append(each)
    return {name: tally([each.outcome for each in group]) for name, group in sorted(groups.items())}


def summary(kept: Kept, names: Sequence[str], form: str = "numpy") -> dict[str, Any]:
    """The figures of both halves of the made tasks; of the torch form, those of the real ones, as half C."""
    tasks = {name: kept.originals[name]["configuration"]["task"] for name in names}
    sets = {"C": frozenset(REAL)} if form == "torch" else dict(zip("AB", halves(), strict=True))
    return {
        letter: {"tasks": sorted(own)} | half(kept, [name for name in names if tasks[name] in own])
        for letter, own in sets.items()
    }
