"""Whatever a server answers, and whatever else happens to a job: the autopilot does nothing that was not allowed."""

import math
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import curvewise_client as curvewise
from curvewise_client.advice import advice_in
from curvewise_client.rates import rate_of
from tests.client.judged import DECAY, GO_ON, STOP, Optimizer, finding
from tests.client.stub import RUN, Answer, Request, Stub, stub

Found = Callable[..., None]
EVERYTHING = ("decay_lr", "lower_lr", "raise_lr", "stop", "continue")
LINE = (*DECAY[:3], {"at_step": 100.0, "factor": 0.1, "kind": "linear", "lr": 0.1, "steps": 100.0})


@pytest.mark.parametrize(
    ("action", "args"),
    [
        *(("decay_lr", {"factor": factor}) for factor in (math.nan, "NaN", 10, 1, 0, -0.1, None, True, [0.1], 1e-9)),
        ("decay_lr", {}),
        ("lower_lr", {"factor": 3.0}),
        ("raise_lr", {"factor": 0.5}),
        ("raise_lr", {"factor": math.inf}),
        ("stop", {"best_step": 101}),
        ("stop", {"best_step": math.nan}),
        ("stop", {}),
        ("continue", {"steps": -5}),
        ("continue", {"steps": math.inf}),
        ("decay_lr", "a tenth"),
        ("pray", {"factor": 0.1}),
    ],
)
def test_numbers_that_make_no_sense_are_not_followed(run: curvewise.Run, found: Found, action: str, args: Any) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow=EVERYTHING, hold=1, planned_steps=100, landing=None)
    found(100, finding("CW002", "decay_needed", action, args, severity="error"))
    assert pilot.step(99, timeout_s=5) is None
    assert not pilot.goes_on(100)
    assert (optimizer.lr, pilot.should_stop, pilot.planned_steps, pilot.acts) == (0.1, False, 100, [])


@pytest.mark.parametrize(
    "verdicts",
    [7, None, "finding", [7, None, []], [{}], [{"verdict": "finding"}], [{"verdict": "finding", "recommendations": 3}]],
)
def test_a_diagnosis_of_another_shape_advises_nothing(run: curvewise.Run, verdicts: Any) -> None:
    assert advice_in({"verdicts": verdicts}) == []
    sound = finding(*DECAY)
    assert len(advice_in({"verdicts": [*(verdicts if isinstance(verdicts, list) else []), sound]})) == 1


def test_a_cure_that_an_effect_shares_with_its_cause_is_the_causes() -> None:
    decay = {"action": "decay_lr", "args": {"factor": 0.1}, "text": "Decay."}
    keep = {"action": "stop", "args": {"best_step": 7.0}, "text": "Keep."}
    shared = {"verdict": "finding", "rule": "", "severity": "warning", "confidence": 0.9, "summary": ""}
    verdicts = [
        {**shared, "code": "CW002", "recommendations": [decay]},
        {**shared, "code": "CW005", "caused_by": "CW002", "recommendations": [decay, keep]},
    ]
    assert [(one.code, one.action) for one in advice_in({"verdicts": verdicts})] == [
        ("CW002", "decay_lr"),
        ("CW005", "stop"),
    ]


@pytest.mark.parametrize("confidence", [math.nan, 1.5, "sure", None])
def test_a_confidence_that_is_none_is_not_enough(run: curvewise.Run, found: Found, confidence: Any) -> None:
    pilot = run.autopilot(Optimizer(), allow=EVERYTHING, hold=1)
    found(150, finding(*DECAY, confidence=confidence))
    assert pilot.step(150, timeout_s=5) is None


@pytest.mark.parametrize("through_step", [None, "far", math.nan])
def test_a_diagnosis_of_no_step_counts_for_nothing(run: curvewise.Run, found: Found, through_step: Any) -> None:
    pilot = run.autopilot(Optimizer(), allow=EVERYTHING, hold=1)
    found(through_step, finding(*DECAY))
    assert pilot.step(150, timeout_s=5) is None


def test_what_only_informs_changes_neither_rate_nor_end(run: curvewise.Run, found: Found) -> None:
    pilot = run.autopilot(Optimizer(), allow=EVERYTHING, hold=1)
    found(150, finding(*DECAY, severity="info"), finding(*STOP, severity="info"))
    assert pilot.step(150, timeout_s=5) is None


def test_a_rate_that_somebody_else_changed_is_theirs(
    run: curvewise.Run, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*DECAY))
    assert pilot.step(100, timeout_s=5) is not None
    optimizer.lr = 0.05
    assert pilot.undo(110) is None
    assert optimizer.lr == 0.05
    assert "no longer the 0.01" in caplog.text
    optimizer.lr = 0.01
    assert pilot.undo(120) is not None
    assert optimizer.lr == pytest.approx(0.1)


def test_a_line_is_followed_to_its_end_and_can_be_left(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*LINE))
    act = pilot.step(100, timeout_s=5)
    assert act is not None
    assert act.text == "Brings the learning rate from 0.1 to zero over 100 steps."
    rates = {}
    for step in (100, 125, 150, 175, 200, 300):
        pilot.step(step)
        rates[step] = optimizer.lr
    assert rates == pytest.approx({100: 0.1, 125: 0.075, 150: 0.05, 175: 0.025, 200: 0.001, 300: 0.001})
    assert pilot.undo(300) is not None
    pilot.step(150)
    assert optimizer.lr == pytest.approx(0.1)


@pytest.mark.parametrize("drawn", [{"steps": "many"}, {"steps": -50.0}, {"steps": math.inf}, {"at_step": None}])
def test_a_line_that_makes_no_sense_is_a_cut(run: curvewise.Run, found: Found, drawn: dict[str, Any]) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*LINE[:3], {**LINE[3], **drawn}))
    assert pilot.step(100, timeout_s=5) is not None
    assert optimizer.lr == pytest.approx(0.01)


def test_a_step_or_a_plan_that_is_none_is_left_out(
    run: curvewise.Run, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*LINE))
    pilot.step(100, timeout_s=5)
    pilot.follow(math.nan)
    pilot.replan(-3)
    assert (optimizer.lr, pilot.planned_steps) == (0.1, 200)
    assert "autopilot() was left out" in caplog.text or "a step is" in caplog.text
    pilot.follow(150)
    optimizer.lr = 0.07
    pilot.replan(400)
    assert (optimizer.lr, pilot.planned_steps) == (0.07, 400), "it is somebody else's now"


def test_a_line_is_let_go_where_somebody_else_sets_the_rate(
    run: curvewise.Run, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1)
    found(100, finding(*LINE))
    pilot.step(100, timeout_s=5)
    optimizer.lr = 0.03
    for step in (110, 120):
        pilot.step(step)
    assert optimizer.lr == 0.03
    assert "stays as it is" in caplog.text


def test_under_a_scheduler_a_line_is_a_cut_and_undone_by_its_factor(run: curvewise.Run, found: Found) -> None:
    inner = SimpleNamespace(base_lrs=[0.2], max_lrs=[0.4])
    scheduler = SimpleNamespace(_schedulers=[inner])
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.2, "initial_lr": 0.2}, {"lr": 0.1}])
    pilot = run.autopilot(optimizer, allow={"decay_lr"}, hold=1, scheduler=scheduler)
    found(100, finding(*LINE))
    pilot.step(100, timeout_s=5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.01])
    assert (inner.base_lrs, inner.max_lrs) == (pytest.approx([0.02]), pytest.approx([0.04]))
    optimizer.param_groups[0]["lr"] = 0.004  # the schedule went on
    assert pilot.undo(120) is not None
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.04)
    assert inner.base_lrs == pytest.approx([0.2])


def test_advice_to_stop_waits_until_a_change_of_the_rate_can_show(run: curvewise.Run, found: Found) -> None:
    pilot = run.autopilot(Optimizer(), allow={"decay_lr", "stop"}, hold=1)  # 200 steps are planned
    found(80, finding(*STOP))
    assert pilot.step(80, timeout_s=5) is None, "a rate that is too high is not judged before half of the plan"
    found(130, finding(*DECAY))
    assert pilot.step(130, timeout_s=5) is not None
    found(140, finding(*STOP))
    assert pilot.step(140, timeout_s=5) is None, "the cut was ten steps ago"
    found(150, finding(*STOP))
    assert pilot.step(150, timeout_s=5) is not None


def test_a_checkpoint_that_cannot_be_brought_back_leaves_a_run_to_be_stopped(
    run: curvewise.Run, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    def restore(step: float) -> None:
        raise OSError(f"no checkpoint of step {step:g}")

    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"lower_lr", "stop"}, restore=restore)
    lower = {"text": "Lower it.", "action": "lower_lr", "args": {"factor": 0.3}}
    back = {"text": "Go back.", "action": "stop", "args": {"best_step": 80.0}}
    exploded = finding("CW008", "exploding", "lower_lr", {}, severity="error", recommendations=[lower, back])
    found(100, exploded)
    act = pilot.step(100, timeout_s=5)
    assert act is not None
    assert (act.advice.action, optimizer.lr, pilot.should_stop, pilot.best_step) == ("stop", 0.1, True, None)
    assert "no checkpoint of step 80" in caplog.text


def test_a_forked_child_changes_nothing_and_says_nothing(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow=EVERYTHING, hold=1)
    found(100, finding(*DECAY))
    if (child := os.fork()) == 0:
        run.log(1, {"train/loss": 1.0})
        pilot.follow(150)
        os._exit(0 if pilot.step(100, timeout_s=5) is None and optimizer.lr == 0.1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pilot.step(100, timeout_s=5) is not None


def test_at_the_end_only_a_diagnosis_of_everything_prolongs(judging: tuple[Stub, Found]) -> None:
    serving, found = judging
    with curvewise.start("p", "late", url=serving.url, planned_steps=200, interval_s=0.05, exit_timeout_s=0.1) as run:
        pilot = run.autopilot(allow={"continue"})
        found(150, finding(*GO_ON))
        assert pilot.step(150, timeout_s=5) is None
        before = serving.answer

        def failing(request: Request) -> Answer:
            return Answer(418, {}) if request.path.endswith("/diagnosis") else before(request)

        serving.answer = failing
        assert not pilot.goes_on(200)
        assert pilot.planned_steps == 200


@pytest.mark.parametrize("state", [{}, {"settled": 3}, None, {"acts": [{}]}])
def test_a_checkpoint_of_another_kind_leaves_it_as_it_was(run: curvewise.Run, state: Any) -> None:
    pilot = run.autopilot(Optimizer(), allow={"decay_lr"})
    pilot.load_state_dict(state)
    assert (pilot.acts, pilot.planned_steps, pilot.should_stop) == ([], 200, False)


def test_a_resumed_job_follows_on_undoes_and_stays_stopped(run: curvewise.Run, found: Found) -> None:
    optimizer = Optimizer()
    pilot = run.autopilot(optimizer, allow={"decay_lr", "stop"}, hold=1)
    found(100, finding(*LINE))
    pilot.step(100, timeout_s=5)
    pilot.step(150)
    resumed = run.autopilot(optimizer, allow={"decay_lr", "stop"}, hold=1)
    resumed.load_state_dict(pilot.state_dict())
    resumed.step(160)
    assert optimizer.lr == pytest.approx(0.04)
    assert resumed.undo(161) is not None
    assert optimizer.lr == pytest.approx(0.1)
    found(180, finding(*STOP))
    resumed.step(180, timeout_s=5)
    again = run.autopilot(optimizer, allow={"decay_lr", "stop"})
    again.load_state_dict(resumed.state_dict())
    assert (again.should_stop, again.best_step, again.goes_on(10)) == (True, 60, False)


def test_a_plan_that_was_changed_before_a_resumption_is_the_jobs(run: curvewise.Run) -> None:
    pilot = run.autopilot(allow={"continue"}, planned_steps=100)
    pilot.planned_steps = 150.0  # as if it had been continued
    same, other = (run.autopilot(allow={"continue"}, planned_steps=steps) for steps in (100, 400))
    for resumed in (same, other):
        resumed.load_state_dict(pilot.state_dict())
    assert (same.planned_steps, other.planned_steps) == (150, 400)


@pytest.mark.parametrize("why", ["disabled", "no name", "rank", "wrong option"])
def test_a_loop_ends_where_nothing_is_logged(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "disabled":
        monkeypatch.setenv("CURVEWISE_DISABLED", "1")
    name = "" if why == "no name" else "r"
    run = curvewise.start(
        "p", name, url="http://127.0.0.1:9", planned_steps=30, rank=int(why == "rank"), exit_timeout_s=0
    )
    options = {"planned_steps": 30, "hold": "often"} if why == "wrong option" else {}
    pilot = run.autopilot(Optimizer(), allow=EVERYTHING, **options)
    assert list(zip(range(40), pilot.steps(), strict=False))[-1] == (29, 29)
    run.finish(timeout_s=0)


@pytest.mark.parametrize("planned", ["soon", -3, math.nan])
def test_a_plan_that_is_no_number_is_none(run: curvewise.Run, planned: Any) -> None:
    assert run.autopilot(Optimizer(), allow=EVERYTHING, planned_steps=planned).planned_steps is None


def test_a_deleted_run_is_opened_again_before_it_is_told_what_was_done(tmp_path: Any) -> None:
    deleted = [True]

    def answer(request: Request) -> Answer:
        if "/attempts/" in request.path:
            return Answer(200, {"attempt": 1})
        if "/actions/" in request.path and deleted.pop():
            deleted.append(False)
            return Answer(404, {"type": "urn:curvewise:problem:unknown-run", "detail": "no such run"})
        if "/actions/" in request.path:
            deleted.append(False)
        return Answer(200, RUN)

    with stub(answer) as serving:
        run = curvewise.start("p", "r", url=serving.url, interval_s=0.05, spool=tmp_path)
        run.log_action(1_234_567, "stop", "Stopped.")
        run.log_action(1_234_568, "stop", "Stopped.")
        assert run.flush(5)
        run.finish()
        names = [request.path.rpartition("/")[2] for request in serving.requests if "/actions/" in request.path]
    assert names == ["stop-1234567", "stop-1234567", "stop-1234568"]


def test_a_rate_is_found_only_where_there_is_one() -> None:
    assert rate_of(Optimizer()) is not None
    assert rate_of(None) is None
