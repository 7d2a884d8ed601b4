"""A job says which search it is a trial of; what cannot be said of it costs neither its points nor its other facts."""

import json
from pathlib import Path

import httpx
import pytest

import curvewise_client as curvewise
from tests.client.reading import described
from tests.client.stub import Answer, Request, stub

SPACE = {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0}}


def test_a_run_says_which_search_it_is_a_trial_of(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    assert server.put(f"/api/v1/projects/{project}/searches/rates", json={"space": SPACE}).status_code == 201
    run = curvewise.start(project, "r", url=url, spool=spool, config={"lr": 0.1}, search="rates", search_step=4)
    run.log(1, {"loss": 1.0})
    run.finish()
    found = described(server, project)
    assert (found["search"], found["search_step"], found["config"]) == ("rates", 4, {"lr": 0.1})


def test_a_search_that_is_not_there_costs_only_itself(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, config={"lr": 0.1}, search="rates", search_step=4)
    run.log(1, {"loss": 1.0})
    run.finish()
    found = described(server, project)
    assert (found["search"], found["config"], found["curves"][0]["points"]) == (None, {"lr": 0.1}, 1)
    (said,) = caplog.messages
    assert f"PUT /api/v1/projects/{project}/searches/rates" in said


def test_a_server_that_knows_no_searches_gets_the_rest(
    project: str, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PUT" and b'"search' in request.body:
            detail = "body.search: no such field (and 1 more, see errors)"
            return Answer(422, {"type": "urn:curvewise:problem:invalid-input", "detail": detail})
        return Answer()

    with stub(answer) as old:
        run = curvewise.start(
            project, "r", url=old.url, spool=spool, tags={"a": "b"}, attempt=1, search="rates", search_step=1
        )
        run.log(1, {"loss": 1.0})
        run.finish()
        opened = [json.loads(one.body) for one in old.sent("/runs/r") if one.method == "PUT"]
    assert opened[-1] == {"tags": {"a": "b"}, "attempt": 1}
    assert "the run is of no search: 422: body.search: no such field" in caplog.text
