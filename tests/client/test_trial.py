"""A job that a search started knows its run and its configuration from its environment."""

import json
from pathlib import Path

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.reading import described

NAMES = ("PROJECT", "RUN", "SEARCH", "SEARCH_STEP", "CONFIG", "SETTINGS")


@pytest.fixture(autouse=True)
def _no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"CURVEWISE_{name}", raising=False)


@pytest.fixture
def within(server: httpx.Client, url: str, project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """In the environment of a trial; the project."""
    space = {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1}}
    assert server.put(f"/api/v1/projects/{project}/searches/s", json={"space": space}).status_code == 201
    settings = {"planned_steps": 500.0, "sample_size": 20}
    said = (project, "s-2-1", "s", "2", json.dumps({"lr": 0.1}), json.dumps(settings))
    for name, value in zip(NAMES, said, strict=True):
        monkeypatch.setenv(f"CURVEWISE_{name}", value)
    monkeypatch.setenv("CURVEWISE_URL", url)
    return project


def test_it_needs_no_arguments(within: str, server: httpx.Client, spool: Path) -> None:
    with curvewise.start(spool=spool) as run:
        run.log(0, {"train/loss": 1.0})
    found = described(server, within, "s-2-1")
    assert (found["search"], found["search_step"], found["context"]["state"]) == ("s", 2, "finished")


def test_arguments_go_before_it_and_a_run_named_by_the_job_is_no_trial(
    within: str, server: httpx.Client, spool: Path
) -> None:
    with curvewise.start(run="mine", spool=spool) as run:
        run.log(0, {"train/loss": 1.0})
    assert (run.project, run.name) == (within, "mine")
    found = described(server, within, "mine")
    assert (found["search"], found["search_step"]) == (None, None)


def test_it_reads_what_to_do(within: str) -> None:
    expected = curvewise.Trial(
        config={"lr": 0.1}, settings={"sample_size": 20}, planned_steps=500.0, planned_epochs=None, search_step=2
    )
    assert curvewise.trial() == expected


def test_outside_a_search_there_is_nothing_to_read() -> None:
    assert curvewise.trial() == curvewise.Trial({}, {}, None, None, None)


def test_without_a_name_nothing_is_logged_and_that_is_said(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = curvewise.start(spool=spool)
    run.log(0, {"train/loss": 1.0})
    run.finish()
    assert (run.project, run.name) == ("", "")
    assert "this run is not logged: it has no name; call start(project, run), or set CURVEWISE_PROJECT" in caplog.text


@pytest.mark.parametrize("value", ["{", "[1]"])
def test_what_is_no_configuration_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match="CURVEWISE_CONFIG in the environment is no JSON"):
        curvewise.trial({"CURVEWISE_CONFIG": value})
