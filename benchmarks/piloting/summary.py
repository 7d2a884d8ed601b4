"""Figures from what was flown: test loss and updates by policy, and each policy against the autopilot, seed by seed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from piloting.policies import AUTOPILOT
from prescribing.configurations import Configuration, halves
from prescribing.cures import Sides
from prescribing.outcomes import GONE, LEVEL, blind_guess, outcome

Record = Mapping[str, Any]
Figures = dict[str, Any]
FEWER = 0.1  # updates, that a policy has to save to be better at the same loss [share of the other's]


def kept(flight: Record) -> tuple[float, float, float]:
    """Step, val and test loss of the checkpoint that is kept: the one named, else the one with the lowest val."""
    val = np.nan_to_num(np.array(flight["val"]), nan=np.inf)
    at = int(val.argmin())
    if flight["named"] is not None:
        at = int(np.abs(np.array(flight["steps"]) - flight["named"]).argmin())
    return float(flight["steps"][at]), float(flight["val"][at]), float(flight["test"][at])


def summary(records: Sequence[Record]) -> Figures:
    """By configuration, and over all of them."""
    each = [_of_configuration(record) for record in records]
    names = list(each[0]["policies"]) if each else []
    return {
        "seeds": each[0]["seeds"] if each else 0,
        "configurations": each,
        "against": {name: _counted(each, name) for name in names if name != AUTOPILOT},
        "updates": {name: float(np.mean([one["policies"][name]["updates"] for one in each])) for name in names},
        "acts": dict(Counter(act for one in each for act in one["acts"])),
    }


def _of_configuration(record: Record) -> Figures:
    c = Configuration(**record["configuration"])
    blind = blind_guess(record["classes"], c.noise)
    by_policy: dict[str, list[Record]] = {}
    for flight in record["flights"]:
        by_policy.setdefault(flight["policy"], []).append(flight)
    flown = by_policy[AUTOPILOT]
    return {
        "name": c.name,
        "task": c.task,
        "kind": c.spoiled,
        "half": "A" if c.task in halves()[0] else "B",
        "seeds": len(flown),
        "blind": blind,
        "policies": {name: _of_policy(flights, c, blind) for name, flights in by_policy.items()},
        "against": {name: _against(flown, flights, blind) for name, flights in by_policy.items() if name != AUTOPILOT},
        "acts": [act["action"] for flight in flown for act in flight["acts"]],
    }


def _of_policy(flights: Iterable[Record], c: Configuration, blind: float) -> Figures:
    """Geometric means over seeds of the checkpoint kept; the share of the updates that were used."""
    losses = _logs([kept(flight)[1:] for flight in flights], blind)
    val, test = np.exp(losses.mean(axis=0))
    used = [flight["updates"] / c.updates for flight in flights]
    return {"val": float(val), "test": float(test), "updates": float(np.mean(used))}


def _against(flown: Sequence[Record], others: Sequence[Record], blind: float) -> Figures:
    """The autopilot's test loss over the other's, less one, with its 95 % interval, paired by seed; below 0 is better.

    verdict: as outcomes of prescriptions are decided: beyond the interval, and by 1 %. both: the same; where the losses
    are alike, better is who used at least a tenth fewer updates.
    """
    ours, theirs = ([kept(flight)[2] for flight in flights] for flights in (flown, others))
    more = np.subtract(*_logs([ours, theirs], blind))
    reach = stats.t.ppf((1 + LEVEL) / 2, more.size - 1) * more.std(ddof=1) / np.sqrt(more.size)
    mean = float(more.mean())
    said = outcome(Sides(ours, theirs, paired=True), blind).verdict
    verdict = {"helped": "better", "harmed": "worse"}.get(said, "alike")
    return {
        "difference": float(np.expm1(mean)),
        "low": float(np.expm1(mean - reach)),
        "high": float(np.expm1(mean + reach)),
        "verdict": verdict,
        "both": _saved(flown, others) if verdict == "alike" else verdict,
    }


def _saved(flown: Sequence[Record], others: Sequence[Record]) -> str:
    """Who used fewer updates by a tenth at least."""
    used, by_others = (sum(flight["updates"] for flight in flights) for flights in (flown, others))
    if used <= (1 - FEWER) * by_others:
        return "better"
    return "worse" if by_others <= (1 - FEWER) * used else "alike"


def _counted(each: Sequence[Figures], name: str) -> Figures:
    """How often the autopilot was better, alike and worse than that policy, over all and on each half of the tasks.

    all_both: over all, by loss and updates.
    """
    counted: Figures = {}
    for half, by in (("A", "verdict"), ("B", "verdict"), ("all", "verdict"), ("all", "both")):
        verdicts = Counter(one["against"][name][by] for one in each if half in (one["half"], "all"))
        key = half if by == "verdict" else f"{half}_{by}"
        counted[key] = {verdict: verdicts[verdict] for verdict in ("better", "alike", "worse")}
    counted["mean"] = float(np.expm1(np.mean([np.log1p(one["against"][name]["difference"]) for one in each])))
    return counted


def _logs(values: Sequence[Sequence[float]], blind: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What is not finite, or beyond ten blind guesses, counts as ten."""
    finite = np.nan_to_num(np.array(values, dtype=float), nan=np.inf, posinf=np.inf)
    return np.asarray(np.log(np.clip(finite, 1e-9, GONE * blind)))
