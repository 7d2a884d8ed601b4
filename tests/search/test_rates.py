"""Step 3: the rate that makes the loss fall, from a sweep, from a ramp, or from the grid that follows."""

import math

import numpy as np
import pytest

from app.search import candidates, rates
from app.search.answers import StepReport
from app.search.looks import Look, looks_at
from app.search.rates import read_ramp, read_rates, read_sweep
from app.search.trial import Trial
from tests.search.runs import falling, flat, placed, run, search
from tests.search.training import train

ENDS = (1e-5, 1.0)
NAN = np.full(50, np.nan)


def short(lr: float, *, end: float | None = None, gone: bool = False, **more: object) -> Trial:
    """About 100 updates at one rate: flat, falling to `end`, or gone to NaN half-way."""
    losses = flat(seed=round(1e6 * lr)) if end is None else falling(end=end, seed=round(1e6 * lr))
    if gone:
        losses = np.r_[losses[:50], NAN]
    return run(f"r{lr:g}", lr, train=losses, **{"step": 3, **more})  # type: ignore[arg-type]


SWEEP = [short(1e-4), short(1e-3, end=0.9), short(1e-2, end=0.2), short(1e-1, end=0.5), short(1.0, gone=True)]


def report(*trials: Trial, ends: tuple[float, float] | None = ENDS) -> StepReport:
    return rates.report(placed(*trials), ends)


def test_a_sweep_tells_the_best_rate_the_range_that_works_and_the_edge() -> None:
    reading = read_rates(placed(*SWEEP))
    assert reading is not None
    assert (reading.best, reading.low, reading.high, reading.edge) == (1e-2, 1e-3, 1e-1, 1.0)
    said = report(*SWEEP)
    assert said.status == "done"
    assert "0.01 makes the loss fall most" in said.says
    assert "from 0.001 to 0.1; it diverges from 1 on" in said.says
    assert {one.name for one in said.evidence} == {"fall", "certainty", "best_rate", "diverges_at"}


def test_of_rates_that_noise_does_not_tell_apart_the_middle_one_is_taken() -> None:
    alike = [short(lr, end=0.3) for lr in (1e-3, 3e-3, 1e-2)]
    reading = read_rates(placed(short(1e-4), *alike, short(0.1, gone=True)))
    assert reading is not None
    assert (reading.best, reading.alike) == (3e-3, (1e-3, 1e-2))
    assert "as any from 0.001 to 0.01 does within noise" in report(short(1e-4), *alike).says


def test_several_runs_at_one_rate_count_as_one() -> None:
    twice = [short(1e-2, end=0.2), run("again", 1e-2, train=falling(end=0.25), step=3)]
    assert read_sweep(looks_at(search(), [*twice, short(1e-3, end=0.9)])) is None
    some_gone = run("gone", 1e-2, train=np.r_[falling(points=20), NAN], step=3)
    reading = read_sweep(looks_at(search(), [some_gone, SWEEP[2], SWEEP[1], SWEEP[3]]))
    assert reading is not None
    assert (reading.edge, reading.best) == (None, 0.1)  # half of the runs at 0.01 diverged, but a higher rate does not


@pytest.mark.parametrize(
    ("trials", "status", "words"),
    [
        ([], "open", "No rate was tried"),
        (SWEEP[:2], "open", "2 of the 3 rates"),
        (SWEEP[:3], "open", "the highest tried is as good as the best"),
        ([short(1e-4), short(1e-2, end=0.3), short(2e-2, end=0.3)], "open", "rates above 0.02"),  # and 0.01 as good
        ([short(lr, end=0.3 + lr) for lr in (0.01, 0.1, 0.5)], "open", "the best so far is the lowest tried"),
        ([short(lr) for lr in (1e-5, 1e-4, 1e-3)], "open", "rates above 0.001"),
        ([short(lr) for lr in (1e-2, 1e-1, 1.0)], "failed", "At no rate from 0.01 to 1"),
        ([short(lr, gone=True) for lr in (1e-2, 1e-1, 1.0)], "open", "rates below 0.01"),
        ([short(lr, gone=True) for lr in (1e-5, 1e-1, 1.0)], "failed", "Every rate from 1e-05 to 1 diverges"),
    ],
)
def test_what_a_sweep_does_not_enclose_is_said(trials: list[Trial], status: str, words: str) -> None:
    said = report(*trials)
    assert said.status == status
    assert words in f"{said.says} {said.missing}"


def test_runs_without_a_finite_loss_at_all_diverged() -> None:
    said = report(*(run(f"r{lr}", lr, train=[np.nan] * 9, step=3) for lr in (0.1, 0.2, 0.3)))
    assert "Every rate from 0.1 to 0.3 diverges" in said.says
    assert said.evidence[0].value == 0


def test_a_loss_that_climbs_and_stays_above_its_start_diverged_too() -> None:
    climbs = run("up", 1.0, train=np.r_[falling(points=20), np.geomspace(1, 50, 80)], step=3)
    bursts = run("then down", 0.5, train=np.r_[flat(1.4, 20), np.full(80, 9.0), flat(1.4, 300)], step=3)
    reading = read_rates(placed(*SWEEP[:3], climbs, bursts))
    assert reading is not None
    assert reading.edge == 0.5


def test_coarse_logs_are_compared_over_the_whole_of_the_shortest_run() -> None:
    logged = [
        run(f"r{lr}", lr, train=falling(end=end, points=30), step=3, width=20.0)
        for lr, end in ((0.001, 0.9), (0.01, 0.2), (0.1, 0.6))
    ]
    reading = read_rates(placed(*logged))
    assert reading is not None
    assert reading.how == "3 rates over the first 600 steps"


def test_a_grid_is_a_sweep_where_none_was_made() -> None:
    grid = [
        run(f"r{t.run}", float(str(t.config["lr"])), train=t.curves["train/loss"].values, val=[1.0] * 5) for t in SWEEP
    ]
    reading = read_rates(placed(*grid))
    assert reading is not None
    assert reading.best == 1e-2


def test_a_space_without_a_rate_has_no_step_3() -> None:
    assert report(ends=None).status == "skipped"


@pytest.fixture(scope="module")
def trained() -> dict[str, Trial]:
    """Real trainings at rates half a decade apart, and one whose rate grows."""
    made = [train(f"r{k}", {"lr": 10 ** (k / 2)}, 100, declared=3) for k in range(-10, 3)]
    ramp = {"ramp_from": 1e-5, "ramp_to": 10.0}
    return {one.run: one for one in (*made, train("ramp", {"lr": 1e-5}, 200, declared=3, settings=ramp))}


def test_real_trainings_fall_at_the_rate_found_and_not_at_the_edge(trained: dict[str, Trial]) -> None:
    sweep = read_sweep(looks_at(search(), [one for name, one in trained.items() if name != "ramp"]))
    assert sweep is not None
    assert sweep.best is not None
    assert 3e-3 <= sweep.best <= 0.3
    assert sweep.edge is not None
    assert sweep.edge > 3 * sweep.best


def test_a_ramped_rate_finds_what_the_sweep_finds_within_a_decade(trained: dict[str, Trial]) -> None:
    ramp = read_ramp(Look(search(), trained["ramp"]))
    sweep = read_sweep(looks_at(search(), [one for name, one in trained.items() if name != "ramp"]))
    assert ramp is not None
    assert ramp.best is not None
    assert sweep is not None
    assert sweep.best is not None
    assert abs(math.log10(ramp.best / sweep.best)) <= 1
    assert ramp.edge is not None
    assert ramp.best < ramp.edge
    assert "whose rate grows from 1e-05 to 10" in report(trained["ramp"]).says


def test_a_ramp_that_is_flat_or_short_or_ends_in_nan_says_what_it_can() -> None:
    grows = np.geomspace(1e-5, 1.0, 100)
    level = read_ramp(Look(search(), run("a", None, train=flat(), rates=grows, step=3)))
    assert level is not None
    assert (level.best, level.edge) == (None, None)
    assert read_ramp(Look(search(), run("a", None, train=flat(points=5), rates=grows[:5], step=3))) is None
    gone = read_ramp(Look(search(), run("a", None, train=np.r_[falling(points=50), NAN], rates=grows, step=3)))
    assert gone is not None
    assert gone.edge == pytest.approx(grows[50], rel=0.01)
    assert "At no rate from 1e-05 to 1" in report(run("a", None, train=flat(), rates=grows, step=3)).says
    few = read_ramp(Look(search(), run("a", None, train=np.r_[1.0, np.full(9, 2.0)], rates=grows[:10], step=3)))
    assert few is not None
    assert few.fall == 0.0


def test_the_next_sweep_lies_where_the_last_one_points() -> None:
    known = search()
    first = candidates.sweep(known, 11, [], None)
    assert first[::2] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    for trials, low, high in (
        ([short(lr, gone=True) for lr in (1e-2, 1e-1, 1.0)], 1e-5, 1e-2),
        ([short(lr) for lr in (1e-5, 1e-4, 1e-3)], 1e-3, 1.0),
        (SWEEP[:3], 1e-2, 1.0),
        ([short(lr, end=0.3 + lr) for lr in (0.01, 0.1, 0.5)], 1e-4, 1e-2),
    ):
        more = candidates.sweep(known, 6, [float(str(t.config["lr"])) for t in trials], read_rates(placed(*trials)))
        assert more
        assert all(low <= rate <= high for rate in more)
        assert not {float(str(t.config["lr"])) for t in trials} & set(more)
    assert candidates.sweep(search({"a": {"kind": "choice", "options": [1]}}), 5, [], None) == []


def test_a_rate_at_the_end_of_its_range_is_a_grid_of_one() -> None:
    reading = rates.RateReading(1e-5, None, 1e-5, 1e-5, 1.1e-5, (1e-5, 1.0), "", 0.5, 9.0, ())
    extra = {"n": {"kind": "integer", "low": 1, "high": 9}}
    spaces = (
        {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0}} | extra,
        {"lr": {"kind": "choice", "options": [1e-5, 1]}} | extra,
    )
    for space in spaces:
        drawn = list(candidates.coarse(search(space), reading))[:5]
        assert len({str(one) for one in drawn}) > 1
    assert {one["lr"] for one in drawn} == {1e-5}
    assert candidates.nearest_rate(search(extra).space, 0.1) is None


def test_the_rate_that_was_logged_stands_in_for_one_that_the_configuration_lacks() -> None:
    made = [
        run(
            f"r{t.run}",
            None,
            config={},
            train=t.curves["train/loss"].values,
            rates=np.full(100, t.config["lr"]),
            step=3,
        )
        for t in SWEEP[:4]
    ]
    reading = read_rates(placed(*made))
    assert reading is not None
    assert reading.best == 1e-2


@pytest.mark.parametrize("outside", [1e-300, 1e-9, 50.0])
def test_rates_tried_outside_the_space_propose_none_there(outside: float) -> None:
    made = [run(f"r{k}", outside * (1 + k), train=falling() if k else [np.nan] * 9, step=3) for k in range(4)]
    proposed = candidates.sweep(search(), 5, [], read_rates(placed(*made)))
    assert all(1e-5 <= rate <= 1.0 for rate in proposed)
    assert proposed
