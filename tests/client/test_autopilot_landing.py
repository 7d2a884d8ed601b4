"""The last part of a plan is flown down to a rate of zero, where that is allowed and the rate is nobody else's."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

import curvewise_client as curvewise
from curvewise_client.landing import is_time, landing_share
from curvewise_client.values import Unusable
from tests.client.judged import DECAY, GO_ON, Optimizer, finding
from tests.client.stub import Stub

Found = Callable[..., None]
LINE = (*DECAY[:3], {"at_step": 100.0, "factor": 0.1, "kind": "linear", "lr": 0.1, "steps": 100.0})


def test_the_last_fifth_of_the_plan_is_flown_down_to_zero_told_and_undoable(
    run: curvewise.Run, judging: tuple[Stub, Found]
) -> None:
    serving, found = judging
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"})  # 200 steps are planned
    found(100)
    assert pilot.step(159, timeout_s=5) is None
    act = pilot.step(160)
    assert act is not None
    assert act.text == "Lands: brings the learning rate from 0.1 to zero over the last 40 steps."
    rates = {}
    for step in (170, 180, 190, 200):
        pilot.follow(step)
        rates[step] = optimizer.lr
    assert rates == pytest.approx({170: 0.075, 180: 0.05, 190: 0.025, 200: 0.0025})
    assert pilot.undo(190) is not None
    assert pilot.step(191) is None
    assert optimizer.lr == pytest.approx(0.1)
    assert run.flush()
    told = [request for request in serving.requests if "/actions/" in request.path]
    assert {request.path.rpartition("/")[2] for request in told} == {"autopilot-landing-decay_lr-160"}
    assert not any(b'"code"' in request.body or b'"confidence"' in request.body for request in told)


def test_half_as_late_where_both_losses_still_fall(run: curvewise.Run, found: Found) -> None:
    pilot = run.autopilot(Optimizer(), allow={"decay_lr"})
    found(150, finding(*GO_ON, severity="info"))
    assert [pilot.step(step, timeout_s=5) is None for step in (160, 179, 180)] == [True, True, False]


@pytest.mark.parametrize(
    "why", ["switched off", "not allowed", "a scheduler", "no plan", "too short", "nobody answered"]
)
def test_a_rate_stays_as_it_is(run: curvewise.Run, found: Found, why: str) -> None:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    options: dict[str, Any] = {"allow": {"decay_lr"}}
    if why == "switched off":
        options["landing"] = None
    elif why == "not allowed":
        options["allow"] = {"lower_lr", "stop"}
    elif why == "a scheduler":
        options["scheduler"] = SimpleNamespace(base_lrs=[0.1])
    elif why == "no plan":
        options["planned_steps"] = None
    pilot = run.autopilot(optimizer, **options)
    if why != "nobody answered":
        found(100)
        assert pilot.step(100, timeout_s=5) is None
    for step in (199,) if why == "too short" else (160, 180):
        assert pilot.step(step) is None
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_what_somebody_else_has_changed_is_not_landed(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"})
    found(100)
    pilot.step(100, timeout_s=5)
    optimizer.lr = 0.05
    assert pilot.step(160) is None
    optimizer.lr = 0.1
    assert pilot.step(170) is None
    assert optimizer.lr == 0.1


def test_it_lands_from_a_rate_that_it_lowered_but_not_from_a_line(run: curvewise.Run, found: Found) -> None:
    lowered, falling = Optimizer(), Optimizer()
    pilots = [
        run.autopilot(lowered, allow={"lower_lr", "decay_lr"}, hold=1),
        run.autopilot(falling, allow={"decay_lr"}, hold=1),
    ]
    found(100, finding("CW009", "not_decreasing", "lower_lr", {"factor": 0.3}), finding(*LINE))
    for pilot in pilots:
        assert pilot.step(100, timeout_s=5) is not None
    found(160)
    acts = [pilot.step(160, timeout_s=5) for pilot in pilots]
    assert [act is None for act in acts] == [False, True]
    for pilot in pilots:
        pilot.follow(180)
    assert lowered.lr == pytest.approx(0.015)
    assert falling.lr == pytest.approx(0.02)


def test_a_resumed_job_goes_on_landing_and_lands_once(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"})
    found(100)
    pilot.step(160, timeout_s=5)
    pilot.step(170)
    resumed = run.autopilot(optimizer, allow={"decay_lr"})
    resumed.load_state_dict(pilot.state_dict())
    resumed.step(180, timeout_s=5)
    assert optimizer.lr == pytest.approx(0.05)
    assert resumed.undo(181) is not None
    assert resumed.step(182) is None
    of_before = {name: value for name, value in pilot.state_dict().items() if name not in ("landed", "tried_again")}
    earlier = run.autopilot(Optimizer(0.05), allow={"decay_lr"})
    earlier.load_state_dict(of_before)
    assert len(earlier.acts) == 1, "a checkpoint of a client that did not land is one as well"


def test_what_is_continued_climbs_back_and_lands_at_the_new_end(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr", "continue"}, most_steps=260)
    found(150)
    pilot.step(160, timeout_s=5)
    pilot.step(195)
    assert optimizer.lr == pytest.approx(0.0125)
    found(200, finding(*GO_ON))
    assert pilot.goes_on(200)
    assert optimizer.lr == pytest.approx(0.1)
    assert pilot.step(233) is None, "both losses still fall"
    act = pilot.step(234)
    assert act is not None
    assert act.text.endswith("over the last 26 steps.")


def test_a_plan_that_moves_moves_the_landing(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"})
    found(100)
    pilot.step(160, timeout_s=5)
    pilot.step(180)
    pilot.replan(400)
    assert optimizer.lr == pytest.approx(0.1)
    assert pilot.step(319) is None
    assert pilot.step(320) is not None
    pilot.follow(360)
    pilot.replan(400)
    assert optimizer.lr == pytest.approx(0.05), "it is the same plan"


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan"), "late"])
def test_a_share_that_is_none_is_refused(
    run: curvewise.Run, found: Found, share: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unusable):
        landing_share(share)
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, landing=share)
    found(100)
    assert pilot.step(190, timeout_s=5) is None
    assert optimizer.lr == 0.1
    assert "autopilot" in caplog.text


def test_it_is_time_from_one_step_to_another() -> None:
    assert [is_time(step, 1000, 0.2, still_falling=False) for step in (799, 800, 989, 990, 1000)] == [
        *(False, True, True, False, False)
    ]
    assert [is_time(step, 1000, 0.2, still_falling=True) for step in (800, 899, 900)] == [False, False, True]
    assert not is_time(800, 1000, landing_share(None), still_falling=False)


def test_a_noisy_descent_that_lands_ends_lower_on_a_real_server(server: httpx.Client, url: str) -> None:
    """Descent on a bowl with noisy gradients, on which no finding is sure enough to act."""
    ends = {}
    for name, landing in (("held", None), ("landed", 0.2)):
        random = np.random.default_rng(3)
        optimizer, at = Optimizer(0.1), np.full(20, 1.2)
        with curvewise.start("landing", name, url=url, planned_steps=600, interval_s=0.05) as run:
            pilot = run.autopilot(optimizer, allow={"decay_lr"}, min_confidence=1.0, landing=landing)
            for step in pilot.steps():
                if step % 10 == 0:
                    run.log(step, {"train/loss": float(at @ at), "val/loss": float(at @ at), "lr": optimizer.lr})
                if step % 100 == 0:
                    pilot.step(step, timeout_s=20)
                at = at - optimizer.lr * (at + random.normal(0, 0.7, at.size))
        ends[name] = float(at @ at)
    assert ends["landed"] < ends["held"] / 2
    (told,) = server.get("/api/v1/projects/landing/runs/landed/actions").raise_for_status().json()["items"]
    assert (told["code"], told["action"], told["at_step"], told["by"]) == (None, "decay_lr", 480, "autopilot")
