"""How a search ends: near the rates that lead, and with its best configuration at a decaying rate."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.rules.context import Context
from app.search.assess import assess
from app.search.candidates import FINER, refined
from app.search.search import Search
from app.search.space import Space
from app.search.trial import Trial

SPACE = Space.parse(
    {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 10}, "width": {"kind": "integer", "low": 8, "high": 64}}
)
SEARCH = Search(name="s", space=SPACE, steps_per_epoch=10, num_classes=10)


def trial(run: str, search_step: int, lr: float, width: int, level: float, *, state: str = "finished") -> Trial:
    """A run of 15 epochs that falls to a level."""
    steps = np.arange(10.0, 151.0, 10.0)
    val = level + np.exp(-steps / 20)
    curves = {
        "train/loss": make_curve("train/loss", np.arange(1.0, 151.0), 2.3 * np.exp(-np.arange(1.0, 151.0) / 50)),
        "val/loss": make_curve("val/loss", steps, val),
    }
    context = Context(num_classes=10, planned_steps=150.0, state=state)  # type: ignore[arg-type]
    return Trial(run, {"lr": lr, "width": width}, state, search_step, curves, context, None)  # type: ignore[arg-type]


def settled() -> list[Trial]:
    """A refined round of configurations with three seeds each that differ by less than seeds do."""
    return [
        trial(f"s-5-{width}-{seed}", 5, 0.1, width, level + 0.01 * (seed - 1))
        for width, level in ((16, 0.1), (24, 0.101), (32, 0.102), (40, 0.103), (48, 0.104))
        for seed in range(3)
    ]


def test_what_is_refined_lies_near_the_rates_that_lead() -> None:
    leaders = [{"lr": 0.1, "width": 16}, {"lr": 0.3, "width": 32}]
    drawn = [one for one, _ in zip(refined(SEARCH, leaders), range(60), strict=False)]
    assert drawn[:2] == leaders
    rates = [float(one["lr"]) for one in drawn[2:]]  # type: ignore[arg-type]
    assert min(rates) >= 0.99 * 0.1 / FINER
    assert max(rates) <= 1.01 * 0.3 * FINER
    assert max(rates) / min(rates) > 3


@pytest.mark.parametrize(
    ("space", "leader"),
    [
        (
            {"lr": {"kind": "choice", "options": [0.1, 0.2]}, "width": {"kind": "uniform", "low": 0, "high": 1}},
            {"lr": 0.1, "width": 0.5},
        ),
        ({"width": {"kind": "uniform", "low": 0, "high": 1}}, {"width": 0.5}),
        ({"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1e-4}}, {"lr": 0.1}),
    ],
)
def test_spaces_without_a_range_of_rates_are_refined_as_they_are(
    space: dict[str, object], leader: dict[str, object]
) -> None:
    search = replace(SEARCH, space=Space.parse(space))
    drawn = [one for one, _ in zip(refined(search, [leader]), range(5), strict=False)]  # type: ignore[list-item]
    assert len(drawn) == 5
    parsed = search.space.parameters
    assert all(parsed[name].has(value) for one in drawn[1:] for name, value in one.items())  # type: ignore[arg-type]


def test_before_the_end_the_leader_is_trained_with_a_decaying_rate() -> None:
    coming = assess(SEARCH, settled()).next
    assert (coming.search_step, coming.stop) == (7, False)
    (last,) = coming.proposals
    assert last.search_step == 7
    assert last.config == {"lr": 0.1, "width": 16}
    assert last.settings["schedule"] == "linear"
    assert last.planned_steps == 150


def test_while_it_trains_nothing_is_proposed_and_then_the_search_is_over() -> None:
    training = trial("s-7-1", 7, 0.1, 16, 0.05, state="running")
    waiting = assess(SEARCH, [*settled(), training]).next
    assert (waiting.stop, waiting.proposals) == (False, ())
    over = assess(SEARCH, [*settled(), trial("s-7-1", 7, 0.1, 16, 0.05)]).next
    assert (over.stop, over.proposals) == (True, ())
    assert "with a decaying rate, s-7-1 came to 0.05" in over.why


def test_a_last_run_that_does_not_say_its_step_is_not_asked_for_again() -> None:
    silent = replace(trial("s-7-1", 7, 0.1, 16, 0.05), declared=None)
    assert assess(SEARCH, [*settled(), silent]).next.stop


def test_a_last_run_that_diverged_ends_the_search_too() -> None:
    diverged = trial("s-7-1", 7, 0.1, 16, float("nan"), state="failed")
    over = assess(SEARCH, [*settled(), diverged]).next
    assert over.stop
    assert "and train it with a decaying rate." in over.why
