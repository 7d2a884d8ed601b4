"""Advice to stop is first answered from the best checkpoint at a lower rate, where there is one to go back to."""

from collections.abc import Callable
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

import curvewise_client as curvewise
from tests.client.judged import STOP, Optimizer, finding
from tests.client.stub import Stub

Found = Callable[..., None]
BOTH = {"decay_lr", "stop"}


def stop_at(best_step: float, earliest_step: object = None) -> dict[str, object]:
    return finding(*STOP[:3], {"best_step": best_step, "earliest_step": earliest_step})


@pytest.mark.parametrize(
    ("earliest", "back_to"), [(40.0, 40.0), (None, 60.0), ("far", 60.0), (61.0, 60.0), (float("nan"), 60.0)]
)
def test_advice_to_stop_is_tried_again_once_and_then_taken(
    run: curvewise.Run, judging: tuple[Stub, Found], earliest: object, back_to: float
) -> None:
    serving, found = judging
    optimizer, restored = Optimizer(), list[float]()
    pilot = run.autopilot(optimizer, allow=BOTH, hold=1, restore=restored.append)  # 200 steps are planned
    found(100, stop_at(60, earliest))
    act = pilot.step(100, timeout_s=5)
    assert act is not None
    assert act.text == (
        f"Went back to the checkpoint of step {back_to:g} and changed the learning rate from 0.1 to 0.03, "
        "from there to zero over 100 steps."
    )
    assert (restored, optimizer.lr, pilot.should_stop) == ([back_to], pytest.approx(0.03), False)
    found(110, stop_at(100))
    assert pilot.step(110, timeout_s=5) is None, "the rate was changed ten steps ago"
    pilot.follow(150)
    assert optimizer.lr == pytest.approx(0.015)
    found(150, stop_at(120, 110.0))
    assert pilot.step(150, timeout_s=5) is not None
    assert (pilot.should_stop, pilot.best_step) == (True, 120.0)
    assert restored == [back_to, 120.0], "the best evaluation, not the earliest like it"
    assert run.flush()
    told = [request.path.rpartition("/")[2] for request in serving.requests if "/actions/" in request.path]
    assert told == ["autopilot-CW005-decay_lr-100", "autopilot-CW005-stop-150"]


def test_what_was_tried_again_can_be_undone_and_no_advice_to_stop_is_taken_after_it(
    run: curvewise.Run, found: Found
) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow=BOTH, hold=1, restore=lambda step: None)
    found(100, stop_at(60))
    pilot.step(100, timeout_s=5)
    pilot.step(120)
    assert pilot.undo(120) is not None
    assert optimizer.lr == pytest.approx(0.1)
    found(150, stop_at(60))
    assert pilot.step(150, timeout_s=5) is None
    assert not pilot.should_stop


@pytest.mark.parametrize("plan", ["none", "a scheduler"])
def test_without_a_line_to_follow_it_is_a_cut(run: curvewise.Run, found: Found, plan: str) -> None:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    options = {"planned_steps": None} if plan == "none" else {"scheduler": SimpleNamespace(base_lrs=[0.1])}
    pilot = run.autopilot(optimizer, allow=BOTH, hold=1, restore=lambda step: None, **options)
    found(100, stop_at(60))
    assert pilot.step(100, timeout_s=5) is not None
    pilot.step(150)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.03)


def test_a_checkpoint_that_cannot_be_brought_back_leaves_all_as_it_is(run: curvewise.Run, found: Found) -> None:
    def restore(step: float) -> None:
        raise OSError(f"no checkpoint of step {step:g}")

    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow=BOTH, hold=1, restore=restore)
    found(80, stop_at(60))
    assert pilot.step(80, timeout_s=5) is None
    found(90, stop_at(60))
    assert pilot.step(90, timeout_s=5) is None, "a rate that is too high may still be found"
    assert (optimizer.lr, pilot.should_stop, pilot.acts) == (0.1, False, [])


def test_a_resumed_job_tries_no_third_time(run: curvewise.Run, found: Found) -> None:
    pilot = run.autopilot(Optimizer(), allow=BOTH, hold=1, restore=lambda step: None)
    found(100, stop_at(60))
    pilot.step(100, timeout_s=5)
    resumed = run.autopilot(Optimizer(0.03), allow=BOTH, hold=1, restore=lambda step: None)
    resumed.load_state_dict(pilot.state_dict())
    found(150, stop_at(60))
    assert resumed.step(150, timeout_s=5) is not None
    assert resumed.should_stop


def test_a_run_that_learnt_nothing_begins_again(run: curvewise.Run, found: Found) -> None:
    restored = list[float]()
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"lower_lr"}, hold=1, restore=restored.append)
    found(100, finding("CW009", "not_decreasing", "lower_lr", {"factor": 0.1}))
    act = pilot.step(100, timeout_s=5)
    assert act is not None
    assert (restored, optimizer.lr) == ([0.0], pytest.approx(0.01))
    assert "went back to the checkpoint of step 0" in act.text


def test_a_model_that_overfits_ends_lower_by_it_on_a_real_server(server: httpx.Client, url: str) -> None:
    """Single examples of few and noisy ones, fitted with as many weights: val falls, then climbs."""
    best = {}
    for name, allow in (("left-alone", set[str]()), ("flown", BOTH)):
        random = np.random.default_rng(5)
        truth = random.normal(size=60) / np.sqrt(60)
        x, held = random.normal(size=(50, 60)), random.normal(size=(2000, 60))
        y, wanted = x @ truth + random.normal(0, 0.7, 50), held @ truth + random.normal(0, 0.7, 2000)
        weights, optimizer, passed, vals = np.zeros(60), Optimizer(0.01), dict[float, np.ndarray](), list[float]()

        def restore(step: float) -> None:
            weights[:] = passed[max(each for each in passed if each <= step)]  # noqa: B023 - called within the loop

        with curvewise.start("second-try", name, url=url, planned_steps=2000, interval_s=0.05) as run:
            pilot = run.autopilot(optimizer, allow=allow, restore=restore)
            for step in pilot.steps():
                if step % 50 == 0:
                    passed[step] = weights.copy()
                    vals.append(float(np.mean((held @ weights - wanted) ** 2)))
                    train = float(np.mean((x @ weights - y) ** 2))
                    run.log(step, {"train/loss": train, "val/loss": vals[-1], "lr": optimizer.lr})
                    pilot.step(step, timeout_s=20)
                one = random.integers(50)
                weights -= optimizer.lr * (x[one] @ weights - y[one]) * x[one]
        best[name] = min(vals)
    assert (pilot.acts[0].advice.code, pilot.acts[0].advice.action) == ("CW005", "decay_lr")
    assert best["flown"] < best["left-alone"]
    told = server.get("/api/v1/projects/second-try/runs/flown/actions").raise_for_status().json()["items"]
    assert (told[0]["code"], told[0]["action"], told[0]["args"]["factor"]) == ("CW005", "decay_lr", 0.3)
