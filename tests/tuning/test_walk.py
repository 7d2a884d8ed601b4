"""Walks over a search: a real server, real jobs, real signals."""

import threading
from pathlib import Path

import httpx
import pytest

from app.errors import CurvewiseError, InvalidInput
from app.tuning.searches import Away, Searches
from app.tuning.trial import Running
from tests.tuning.conftest import SPACE, Walking


def run_of(server: httpx.Client, walking: Walking, name: str) -> dict[str, object]:
    found: dict[str, object] = server.get(f"/api/v1/projects/{walking.here.project}/runs/{name}").json()
    return found


def test_a_walk_runs_what_comes_next_until_the_search_says_stop(server: httpx.Client, walking: Walking) -> None:
    walked = walking.walk(jobs=2).run()
    assert walked.complete, walked.why
    assert "All 3 runs" in walked.why
    assert [one.how for one in walked.ended] == ["finished"] * 3
    assert walking.told.steps[0] == 1
    first = run_of(server, walking, walking.told.begun[0])
    assert (first["search"], first["search_step"]) == ("s", 1)
    assert first["context"]["state"] == "finished"  # type: ignore[index]
    assert first["tags"]["curvewise.ended"] == "finished"  # type: ignore[index]
    # The job posted another configuration under the same names; the proposal's is kept beside it.
    assert set(first["config"]) == {"lr", "decay", "by"}  # type: ignore[arg-type]
    assert {curve["name"] for curve in first["curves"]} == {"train/loss", "val/loss", "lr"}  # type: ignore[attr-defined,index]
    assert "training" in (walking.path / f"{walking.told.begun[0]}.log").read_text()
    assert not list(walking.path.glob("*.json"))


def test_a_walk_ends_before_the_step_that_it_is_not_to_walk(walking: Walking) -> None:
    walked = walking.walk(until_step=1).run()
    assert walked.complete
    assert set(walking.told.steps) == {1}
    assert walked.why.startswith("step 1 is done")


def begin_with_a_grid(server: httpx.Client, walking: Walking) -> None:
    """Post a good run of step 4: whoever begins there goes on there."""
    project = f"/api/v1/projects/{walking.here.project}"
    steps = list(range(0, 401, 4))
    good = {"val/loss": {"steps": steps, "values": [0.1 + 0.6 * 0.9 ** (s / 4) for s in steps]}}
    said = {"search": "s", "search_step": 4, "config": {"lr": 0.5, "decay": 0}, "context": {"planned_steps": 400}}
    assert server.put(f"{project}/runs/posted", json=said).status_code == 201
    assert server.post(f"{project}/runs/posted/points", json={"curves": good}).status_code == 200
    assert server.post(f"{project}/runs/posted/finish", json={"state": "finished"}).status_code == 200


def test_trials_run_side_by_side(server: httpx.Client, walking: Walking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISBEHAVE", "slow")
    begin_with_a_grid(server, walking)
    walking.here.put({"most_runs": 4})
    walked = walking.walk(jobs=2, until_step=4, early_stopping=False).run()
    assert {one.how for one in walked.ended} == {"finished"}
    assert walking.told.most_at_once == 2


def test_a_command_that_fails_is_told_and_not_tried_for_ever(
    server: httpx.Client, walking: Walking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "fail")
    walking.here.put({"most_runs": 100})
    with pytest.raises(CurvewiseError, match=r"3 trials in a row logged nothing .* printed is in"):
        walking.walk().run()
    name = walking.told.begun[0]
    assert walking.told.over[name].why == "the command ended with exit code 3"
    assert walking.told.tails[name][0].startswith("training")
    found = run_of(server, walking, name)
    assert found["context"]["state"] == "failed"  # type: ignore[index]
    assert found["tags"]["curvewise.why"] == "the command ended with exit code 3"  # type: ignore[index]


def test_a_command_that_logs_nothing_has_not_finished(walking: Walking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISBEHAVE", "silent")
    walking.here.put({"most_runs": 2})
    walked = walking.walk().run()
    assert [one.how for one in walked.ended] == ["logged nothing"] * 2


@pytest.mark.parametrize("how", ["hang", "deaf"])
def test_a_trial_that_hangs_is_ended(
    how: str, server: httpx.Client, walking: Walking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", how)
    walking.here.put({"most_runs": 1})
    walked = walking.walk(trial_timeout_s=2.0, grace_s=0.5).run()
    (ended,) = walked.ended
    assert (ended.how, ended.why) == ("timed out", "it ran longer than 2 s")
    assert ended.step == 8
    assert run_of(server, walking, ended.proposal.run)["context"]["state"] == "failed"  # type: ignore[index]


def test_a_program_that_cannot_be_started_ends_the_walk(server: httpx.Client, walking: Walking) -> None:
    with pytest.raises(InvalidInput, match="nothing-here"):
        walking.walk("./nothing-here").run()
    assert run_of(server, walking, "s-1-1")["context"]["state"] == "failed"  # type: ignore[index]


def test_an_interrupted_walk_leaves_nothing_running_and_is_gone_on_with(
    server: httpx.Client, walking: Walking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "hang")
    seen: list[Running] = []

    def interrupt(running: list[Running]) -> None:
        if running and running[0].step is not None:
            seen.extend(running)
            walking.stop.set()

    walking.told.seeing = interrupt
    walked = walking.walk().run()
    assert not walked.complete
    assert [one.how for one in walked.ended] == ["interrupted"]
    assert all(one.child.poll() is not None for one in seen)
    name = walking.told.begun[0]
    assert run_of(server, walking, name)["context"]["state"] == "failed"  # type: ignore[index]

    monkeypatch.delenv("MISBEHAVE")
    again = Walking(walking.here, walking.url, walking.path)
    assert again.walk().run().complete
    assert again.told.notes == [f"running again what was interrupted: {name}"]
    assert again.told.begun[0] == name
    found = run_of(server, again, name)
    assert (found["attempt"], found["context"]["state"]) == (2, "finished")  # type: ignore[index]
    assert len(again.told.begun) == len(set(again.told.begun)) == 3  # what was run is not run again

    third = Walking(walking.here, walking.url, walking.path)
    assert third.walk().run().complete
    assert third.told.begun == []


def test_what_a_deleted_search_left_unfinished_is_forgotten(walking: Walking, monkeypatch: pytest.MonkeyPatch) -> None:
    walking.path.mkdir()
    (walking.path / "s-1-9.json").write_text(
        '{"run": "s-1-9", "search_step": 1, "config": {"lr": 1}, "planned_epochs": null, "planned_steps": 4, '
        '"settings": {}, "why": ""}'
    )
    walking.walk(until_step=1).run()
    assert "s-1-9" not in walking.told.begun
    assert not list(walking.path.glob("*.json"))


def test_a_hopeless_trial_is_stopped_and_what_that_saves_is_counted(
    server: httpx.Client, walking: Walking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best is there already, and rates that are far too low follow."""
    monkeypatch.setenv("MISBEHAVE", "slow-when-bad")
    begin_with_a_grid(server, walking)
    low = {**SPACE, "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1e-4}}
    walking.here.put({"space": low, "steps_per_epoch": 100, "most_runs": 2})
    walked = walking.walk(until_step=5).run()
    (ended,) = walked.ended
    assert ended.how == "stopped early", ended
    stopped, updates, seconds = walked.saved
    assert stopped == 1
    assert updates == ended.planned_steps - ended.step  # type: ignore[operator]
    assert seconds > 0
    found = run_of(server, walking, ended.proposal.run)
    assert found["context"]["state"] == "finished"  # type: ignore[index]
    assert found["tags"]["curvewise.ended"] == "stopped early"  # type: ignore[index]


def test_a_service_that_is_away_is_waited_for_until_told_to_stop(walking: Walking) -> None:
    class Away3:
        """Is away three times, then answers."""

        def __init__(self) -> None:
            self.left = 3

        def ask(self, *_: object, **__: object) -> dict[str, object]:
            self.left -= 1
            if self.left >= 0:
                raise Away("it is away")
            return {"answered": True}

    notes: list[str] = []
    assert Searches(Away3(), "p", "s", note=notes.append).put({}) == {"answered": True}
    assert notes == ["it is away; trials go on, and it is asked again until it answers", "the server answers again"]
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Away):
        Searches(Away3(), "p", "s", stop=stopped).put({})
    with pytest.raises(Away):
        Searches(Away3(), "p", "s", patience_s=0.1).put({})


def test_logs_lie_beside_each_other(walking: Walking, tmp_path: Path) -> None:
    walking.walk(until_step=1).run()
    assert {path.name for path in (tmp_path / "walk").glob("*.log")} == {"s-1-1.log"}
