"""The autopilot acts on what is found, within what it may, once, and says so; and it cannot hurt the job."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

import curvewise_client as curvewise
from curvewise_client.autopilot import Autopilot
from curvewise_client.rates import rate_of
from curvewise_client.values import Unusable
from tests.client.judged import DECAY, GO_ON, STOP, Optimizer, finding
from tests.client.stub import Stub


def acts(pilot: Autopilot) -> list[tuple[float, str]]:
    return [(act.step, act.advice.action) for act in pilot.acts]


def test_a_finding_that_holds_is_acted_on_once(run: curvewise.Run, found: Callable[..., None]) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, landing=None)
    found(100, finding(*DECAY))
    assert pilot.step(100, timeout_s=5) is None  # seen once
    assert pilot.step(101) is None  # the same diagnosis again
    found(120, finding(*DECAY))
    act = pilot.step(120, timeout_s=5)
    assert act is not None
    assert optimizer.lr == pytest.approx(0.01)
    assert act.text == "Changed the learning rate from 0.1 to 0.01."
    for step in (140, 160, 180):
        found(step, finding(*DECAY))
        assert pilot.step(step, timeout_s=5) is None
    assert optimizer.lr == pytest.approx(0.01)
    assert acts(pilot) == [(120, "decay_lr")]


def test_a_finding_that_does_not_hold_is_left_alone(run: curvewise.Run, found: Callable[..., None]) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, landing=None)
    for step in range(100, 180, 20):
        found(step, *([finding(*DECAY)] if step % 40 else []))
        assert pilot.step(step, timeout_s=5) is None
    assert optimizer.lr == 0.1


@pytest.mark.parametrize(
    ("allow", "confidence"), [({"stop"}, 0.9), (set(), 0.9), ({"decay_lr"}, 0.79)], ids=["other", "nothing", "unsure"]
)
def test_what_is_not_allowed_or_not_sure_is_not_done(
    run: curvewise.Run, found: Callable[..., None], allow: set[str], confidence: float
) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow=allow)
    for step in (100, 120, 140):
        found(step, finding(*DECAY, confidence=confidence))
        assert pilot.step(step, timeout_s=5) is None
    assert optimizer.lr == 0.1


def test_stopping_names_the_checkpoint_and_goes_back_to_it(run: curvewise.Run, found: Callable[..., None]) -> None:
    restored: list[float] = []
    pilot = run.autopilot(allow={"stop"}, hold=1, restore=restored.append)
    made = []
    for step in pilot.steps():
        made.append(step)
        if step == 99:
            found(100, finding(*STOP))
            pilot.step(100, timeout_s=5)
    assert made == list(range(100))
    assert (pilot.should_stop, pilot.best_step, restored) == (True, 60.0, [60.0])
    assert not pilot.goes_on(100)


def test_the_plan_is_prolonged_where_a_diagnosis_of_everything_says_so(
    run: curvewise.Run, found: Callable[..., None]
) -> None:
    pilot = run.autopilot(allow={"continue"}, most_steps=260)
    found(150, finding(*GO_ON))
    assert pilot.step(150, timeout_s=5) is None  # it is not over yet: nothing is prolonged
    found(200, finding(*GO_ON))
    assert sum(1 for _ in pilot.steps(200)) == 60  # not the hundred that were advised: no further than allowed
    assert pilot.planned_steps == 260
    assert pilot.acts[0].text == "Goes on to step 260, 60 further than planned."


def test_what_diverged_is_mended_only_with_a_checkpoint(run: curvewise.Run, found: Callable[..., None]) -> None:
    lower = {"text": "Lower it.", "action": "lower_lr", "args": {"factor": 0.3}}
    back = {"text": "Go back.", "action": "stop", "args": {"best_step": 80.0}}
    exploded = finding("CW008", "exploding", "lower_lr", {}, severity="error", recommendations=[lower, back])
    dead = Optimizer()
    pilot = run.autopilot(dead, allow={"lower_lr", "stop"})
    found(100, exploded)
    act = pilot.step(100, timeout_s=5)  # an error does not wait
    assert act is not None
    assert (act.advice.action, dead.lr, pilot.should_stop) == ("stop", 0.1, True)
    restored: list[float] = []
    alive = Optimizer()
    mended = run.autopilot(alive, allow={"lower_lr", "stop"}, restore=restored.append)
    found(101, exploded)
    act = mended.step(101, timeout_s=5)
    assert act is not None
    assert (restored, alive.lr, mended.should_stop) == ([80.0], pytest.approx(0.03), False)
    assert "checkpoint of step 80" in act.text


def test_a_diagnosis_of_before_the_last_action_counts_for_nothing(
    run: curvewise.Run, found: Callable[..., None]
) -> None:
    pilot = run.autopilot(Optimizer(), allow={"decay_lr", "stop"}, hold=1, settle=0)
    found(90, finding(*DECAY))
    assert pilot.step(100, timeout_s=5) is not None
    found(100, finding(*STOP))
    assert pilot.step(110, timeout_s=5) is None
    found(110, finding(*STOP))
    assert pilot.step(110, timeout_s=5) is not None


def test_what_it_did_can_be_undone_and_is_not_done_again(
    run: curvewise.Run, judging: tuple[Stub, Callable[..., None]]
) -> None:
    serving, found = judging
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*DECAY))
    assert pilot.step(100, timeout_s=5) is not None
    assert pilot.undo(130) is not None
    assert optimizer.lr == pytest.approx(0.1)
    assert pilot.undo(131) is None
    found(140, finding(*DECAY))
    assert pilot.step(140, timeout_s=5) is None
    assert run.flush()
    told = [request for request in serving.requests if "/actions/" in request.path]
    assert {request.path.rpartition("/")[2] for request in told} == {"autopilot-CW002-decay_lr-100"}
    assert [b'"undone_at_step": 130' in request.body for request in told] == [False, True]


def test_an_end_that_was_moved_can_be_moved_back(run: curvewise.Run, found: Callable[..., None]) -> None:
    pilot = run.autopilot(allow={"continue", "stop"}, hold=1)
    found(120, finding(*STOP))
    assert pilot.step(120, timeout_s=5) is not None
    assert pilot.undo(121) is not None
    assert (pilot.should_stop, pilot.best_step) == (False, None)
    found(200, finding(*GO_ON), finding(*STOP))
    assert pilot.goes_on(200)
    assert pilot.planned_steps == 300
    assert pilot.undo(201) is not None
    assert (pilot.planned_steps, pilot.goes_on(201)) == (200, False)


def test_a_resumed_job_does_nothing_twice(run: curvewise.Run, found: Callable[..., None]) -> None:
    pilot = run.autopilot(Optimizer(), allow={"decay_lr", "stop"}, hold=1)
    found(100, finding(*DECAY))
    assert pilot.step(100, timeout_s=5) is not None
    resumed = run.autopilot(Optimizer(0.01), allow={"decay_lr", "stop"}, hold=1)
    resumed.load_state_dict(pilot.state_dict())
    found(120, finding(*DECAY), finding(*STOP))
    act = resumed.step(120, timeout_s=5)
    assert act is not None
    assert act.advice.action == "stop"


@pytest.mark.parametrize("wrong", ["allow", "optimizer", "option", "together"])
def test_what_cannot_be_made_does_nothing_and_says_why(
    run: curvewise.Run,
    found: Callable[..., None],
    wrong: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"allow": {"decay_lr"}}
    optimizer: Any = Optimizer()
    if wrong == "allow":
        options["allow"] = {"decay_lr", "pray"}
    elif wrong == "optimizer":
        optimizer = object()
    elif wrong == "option":
        options["patience"] = 3
    else:
        monkeypatch.setenv("WORLD_SIZE", "4")
    pilot = run.autopilot(optimizer, **options)
    for step in (100, 120, 140):
        found(step, finding(*DECAY))
        assert pilot.step(step, timeout_s=5) is None
    assert pilot.goes_on(199)
    assert not pilot.goes_on(200)
    said = {
        "allow": "'pray'",
        "optimizer": "neither param_groups",
        "option": "patience",
        "together": "several processes",
    }
    assert said[wrong] in caplog.text


def test_a_server_that_is_away_leaves_the_job_as_it_was() -> None:
    with curvewise.start("p", "r", url="http://127.0.0.1:9", planned_steps=50, exit_timeout_s=0.1) as run:
        optimizer = Optimizer()
        pilot = run.autopilot(optimizer, allow={"decay_lr", "stop", "continue"})
        for step in pilot.steps():
            run.log(step, {"train/loss": 1.0})
    assert (step, optimizer.lr, pilot.acts) == (49, 0.1, [])


def test_a_noisy_descent_is_decayed_on_a_real_server_and_ends_lower(server: httpx.Client, url: str) -> None:
    """Descent on a bowl with noisy gradients: at a constant rate it bounces, at a tenth of it hardly."""
    ends = {}
    for name, allow in (("left-alone", set[str]()), ("flown", {"decay_lr"})):
        random = np.random.default_rng(3)
        optimizer, at = Optimizer(0.3), np.full(20, 1.2)
        with curvewise.start("autopilot", name, url=url, planned_steps=1200, interval_s=0.05) as run:
            pilot = run.autopilot(optimizer, allow=allow)
            for step in pilot.steps():
                if step % 10 == 0:
                    loss = float(at @ at)
                    seen = {"train/loss": 0.02 + loss * random.uniform(0.95, 1.05), "val/loss": 0.03 + loss}
                    run.log(step, {**seen, "lr": optimizer.lr})
                if step % 100 == 0 and step >= 600:
                    pilot.step(step, timeout_s=20)
                at = at - optimizer.lr * (at + random.normal(0, 0.7, at.size))
        ends[name] = float(at @ at)
        assert [act.advice.code for act in pilot.acts] == ([] if name == "left-alone" else ["CW002"])
    assert ends["flown"] < ends["left-alone"] / 3
    (told,) = server.get("/api/v1/projects/autopilot/runs/flown/actions").raise_for_status().json()["items"]
    assert (told["code"], told["action"], told["by"]) == ("CW002", "decay_lr", "autopilot")
    assert told["at_step"] == pilot.acts[0].step
    assert server.get("/api/v1/projects/autopilot/runs/flown").json()["context"]["schedule"] == "constant"


def test_rates_that_follow_a_schedule_of_their_own_are_refused() -> None:
    class Scheduled:
        def __init__(self) -> None:
            self.learning_rate = 0.1
            self._learning_rate = lambda step: 0.1 / (1 + step)

    with pytest.raises(Unusable, match="follows a schedule"):
        rate_of(Scheduled())
    assert rate_of(None) is None
