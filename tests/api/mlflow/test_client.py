"""The unmodified client of MLflow logs into a real server process and reads back what it logged."""

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.frameworks import framework

mlflow: Any = framework("mlflow")
entities: Any = framework("mlflow.entities")
exceptions: Any = framework("mlflow.exceptions")


@pytest.fixture(autouse=True)
def job(tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A training job's surroundings: a directory of its own, and the one setting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(tracking_uri)
    yield
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture
def client(tracking_uri: str) -> Any:
    return mlflow.MlflowClient(tracking_uri)


@pytest.fixture
def experiment() -> str:
    """The name of an experiment that no other test uses, and that jobs log to now."""
    name = uuid4().hex
    mlflow.set_experiment(name)
    return name


def said(history: list[Any]) -> list[tuple[Any, int, int]]:
    return [("nan" if math.isnan(m.value) else m.value, m.timestamp, m.step) for m in history]


def test_tags_say_what_the_metrics_hide(client: Any, experiment: str, server: httpx.Client) -> None:
    with mlflow.start_run(run_name="told", tags={"mlflow.autologging": "keras"}) as run:
        mlflow.log_metric("loss", 2.3, step=1)
        path = f"/api/v1/projects/{experiment}/runs/told"
        (means,) = server.get(path).json()["context"]["caveats"]
        assert means.startswith("interval-mean: ")
        mlflow.set_tag("curvewise.caveats", "rounded: four decimals\nvalidated on five images")
        mlflow.set_tag("team", "vision")
    said = server.get(path).json()["context"]["caveats"]
    assert said == [means, "rounded: four decimals", "validated on five images"]
    assert client.get_run(run.info.run_id).data.tags["curvewise.caveats"].startswith("rounded: ")


def test_a_run_is_logged_diagnosed_and_read_back(client: Any, experiment: str, server: httpx.Client) -> None:
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"lr": 0.1, "model": "resnet", "nothing": None})
        mlflow.set_tags({"team": "vision", "curvewise.num_classes": 10})
        mlflow.log_metric("train_loss", 2.3, step=0)
        for step in range(1, 60):
            value = math.nan if step > 30 else 2.3 + step
            mlflow.log_metrics({"train_loss": value, "val_loss": value}, step=step)
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    found = client.get_run(run.info.run_id)
    assert found.data.params == {"lr": "0.1", "model": "resnet", "nothing": "None"}
    assert found.data.tags["team"] == "vision"
    assert found.data.tags["curvewise.run"] == "first"
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert found.info.end_time >= found.info.start_time
    assert math.isnan(found.data.metrics["train_loss"])
    path = f"/api/v1/projects/{experiment}/runs/first"
    shown = server.get(path).json()
    assert shown["context"] | {"state": "finished", "num_classes": 10} == shown["context"]
    assert shown["config"]["lr"] == "0.1"
    assert shown["tags"]["mlflow.runId"] == run.info.run_id
    assert [curve["name"] for curve in shown["curves"]] == ["train_loss", "val_loss"]
    verdicts = {one["rule"]: one for one in server.get(f"{path}/diagnosis").json()["verdicts"]}
    assert verdicts["exploding"]["verdict"] == "finding"
    assert verdicts["exploding"]["evidence"][0]["name"] == "non_finite_points"


def test_every_value_comes_back_as_it_was_said(client: Any, experiment: str) -> None:
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id)
    values = [
        (0.1, 1_700_000_000_000, 0),
        (math.nan, 1_700_000_000_001, 1),
        (math.inf, 1_700_000_000_001, 2),
        (-math.inf, 1_700_000_000_002, 2),  # a step again, later
        (5e-324, 1_700_000_000_002, 2),  # a step again, at the same time
        (1.7976931348623157e308, 1_700_000_000_003, 2**53),
        (-0.5, 1_700_000_000_004, -7),  # a step that no curve has
        (0.2, 1_700_000_000_000, 0),  # the first one's time and step, another value
        (0.1, 1_700_000_000_000, 0),  # the first one again
    ]
    for value, timestamp, step in values[:4]:
        client.log_metric(run.info.run_id, "m", value, timestamp, step)
    client.log_batch(run.info.run_id, metrics=[entities.Metric("m", *one) for one in values[4:]])
    expected = {("nan" if math.isnan(v) else v, t, s) for v, t, s in values}
    found = said(client.get_metric_history(run.info.run_id, "m"))
    assert len(found) == len(expected)
    assert set(found) == expected
    assert [one[1] for one in found] == sorted(one[1] for one in found)
    latest = client.get_run(run.info.run_id).data
    assert latest.metrics == {"m": 1.7976931348623157e308}
    assert client.get_metric_history(run.info.run_id, "another") == []


def test_a_job_without_steps_keeps_every_value_and_is_judged_over_time(
    client: Any, experiment: str, server: httpx.Client
) -> None:
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    run = client.create_run(experiment_id, start_time=1_700_000_000_000, run_name="no-steps")
    said_of = {
        # An epoch a minute, twenty updates each; the validation loss climbs after the tenth.
        "loss": [(2.0 * 0.99**i, 1_700_000_000_000 + 3000 * i) for i in range(600)],
        "val_loss": [
            (2.0 - 0.1 * min(i, 10) + 0.15 * max(i - 10, 0), 1_700_000_060_000 + 60_000 * i) for i in range(30)
        ],
    }
    for key, points in said_of.items():
        metrics = [entities.Metric(key, value, timestamp, 0) for value, timestamp in points]
        client.log_batch(run.info.run_id, metrics=metrics[: len(metrics) // 2])
        client.log_batch(run.info.run_id, metrics=metrics[len(metrics) // 2 :])
    client.set_terminated(run.info.run_id)
    for key, points in said_of.items():
        assert said(client.get_metric_history(run.info.run_id, key)) == [(v, t, 0) for v, t in points]
    assert client.get_run(run.info.run_id).data.metrics["val_loss"] == said_of["val_loss"][-1][0]
    path = f"/api/v1/projects/{experiment}/runs/no-steps"
    for query in ("", "?max_points=10000"):
        curves = server.get(f"{path}/curves{query}").json()["curves"]
        assert curves["loss"]["steps"] == [3.0 * i for i in range(600)]
        assert curves["val_loss"] == {
            "steps": [60.0 + 60 * i for i in range(30)],
            "values": [value for value, _ in said_of["val_loss"]],
        }
    lines = server.get(f"{path}/curves?format=ndjson&name=val_loss").text.splitlines()
    assert len(lines) == 1
    assert '"steps":[60.0,120.0' in lines[0].replace(" ", "")
    verdicts = {one["rule"]: one for one in server.get(f"{path}/diagnosis").json()["verdicts"]}
    assert verdicts["overfitting"]["verdict"] == "finding"
    assert 500 <= verdicts["overfitting"]["onset_step"] <= 900  # seconds


def test_asynchronous_logging_loses_nothing(client: Any, experiment: str) -> None:
    with mlflow.start_run() as run:
        for step in range(300):
            mlflow.log_metric("loss", 1 / (step + 1), step=step, synchronous=False)
        mlflow.log_params({"a": 1}, synchronous=False)
        mlflow.flush_async_logging()
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == [(s, 1 / (s + 1)) for s in range(300)]
    assert client.get_run(run.info.run_id).data.params == {"a": "1"}


def test_ranks_that_log_the_same_step_at_once_are_all_kept(client: Any, experiment: str) -> None:
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id).info.run_id
    together = threading.Barrier(4)

    def rank(number: int) -> None:
        together.wait()
        for step in range(25):
            client.log_metric(run, "loss", number, timestamp=1_700_000_000_000, step=step)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rank, range(4)))
    found = said(client.get_metric_history(run, "loss"))
    assert sorted(found) == sorted((float(n), 1_700_000_000_000, step) for n in range(4) for step in range(25))


def test_what_was_acknowledged_is_there_for_a_client_that_asks_in_pages(client: Any, experiment: str) -> None:
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id).info.run_id
    for first in range(0, 60_000, 1000):
        client.log_batch(run, metrics=[entities.Metric("loss", i / 7, i, i) for i in range(first, first + 1000)])
    history = client.get_metric_history(run, "loss")  # the client's own pages hold 25,000
    assert [(m.step, m.value) for m in history] == [(i, i / 7) for i in range(60_000)]


def test_a_param_does_not_change_and_what_else_was_said_is_kept(client: Any, experiment: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_param("lr", 0.1)
        with pytest.raises(exceptions.MlflowException, match="params do not change") as refused:
            mlflow.log_param("lr", 0.2)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
        with pytest.raises(exceptions.MlflowException, match="Everything else of this batch is stored"):
            client.log_batch(
                run.info.run_id,
                [entities.Metric("loss", 1.0, 1, 1)],
                [entities.Param("lr", "0.3"), entities.Param("depth", "3")],
                [entities.RunTag("a", "b")],
            )
    data = client.get_run(run.info.run_id).data
    assert data.params == {"lr": "0.1", "depth": "3"}
    assert data.metrics == {"loss": 1.0}
    assert data.tags["a"] == "b"


@pytest.mark.parametrize(("status", "state"), [("FINISHED", "finished"), ("FAILED", "failed"), ("KILLED", "failed")])
def test_how_a_run_ended(client: Any, experiment: str, server: httpx.Client, status: str, state: str) -> None:
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id, run_name="r").info.run_id
    client.set_terminated(run, status)
    assert client.get_run(run).info.status == status
    assert server.get(f"/api/v1/projects/{experiment}/runs/r").json()["context"]["state"] == state
    with mlflow.start_run(run_id=run):  # resumed
        assert client.get_run(run).info.status == "RUNNING"
    assert client.get_run(run).info.status == "FINISHED"
    server.post(f"/api/v1/projects/{experiment}/runs/r/finish", json={"state": "failed"})
    assert client.get_run(run).info.status == "FAILED"


def test_runs_of_one_name_and_names_that_no_path_holds(client: Any, server: httpx.Client) -> None:
    name = f"/Users/me/{uuid4().hex}"
    mlflow.set_experiment(name)
    runs = []
    for _ in range(2):
        with mlflow.start_run(run_name="base/line") as run:
            mlflow.log_metric("loss", 1.0)
        runs.append(run.info.run_id)
    project = name.replace("/", ":")
    listed = server.get(f"/api/v1/projects/{project}/runs").json()["items"]
    assert [one["run"] for one in listed] == ["base:line", f"base:line-{runs[1][:8]}"]
    assert [client.get_run(run).info.run_name for run in runs] == ["base/line", "base/line"]
    found = client.get_experiment_by_name(name)
    assert found.name == name
    assert found.tags["curvewise.project"] == project
    # Another experiment that would have the same project.
    other = client.create_experiment(project)
    assert client.get_experiment(other).name == project
    assert client.get_experiment(other).tags["curvewise.project"].startswith(f"{project}~")
    with pytest.raises(exceptions.MlflowException) as refused:
        client.create_experiment(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.update_run(runs[0], name="renamed")
    assert client.get_run(runs[0]).info.run_name == "renamed"
    assert client.get_run(runs[0]).data.tags["curvewise.run"] == "base:line"


def test_projects_are_experiments_and_the_default_one_is_there(client: Any, server: httpx.Client) -> None:
    assert client.get_experiment("0").name == "Default"
    assert client.get_experiment_by_name("Default").experiment_id == "0"
    project = uuid4().hex
    server.put(f"/api/v1/projects/{project}/runs/r")
    found = client.get_experiment_by_name(project)
    assert project in [one.name for one in client.search_experiments()]
    assert [one.name for one in client.search_experiments(filter_string=f"name = '{project}'")] == [project]
    client.set_experiment_tag(found.experiment_id, "team", "vision")
    tagged = client.search_experiments(filter_string=f"tags.team = 'vision' AND name ILIKE '{project[:9].upper()}%'")
    assert [one.experiment_id for one in tagged] == [found.experiment_id]
    client.delete_experiment(found.experiment_id)
    assert client.search_experiments(filter_string=f"name = '{project}'") == []
    assert client.get_experiment(found.experiment_id).lifecycle_stage == "deleted"
    client.restore_experiment(found.experiment_id)
    assert client.get_experiment(found.experiment_id).lifecycle_stage == "active"
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_metric("loss", 1.0)
    assert client.get_run(run.info.run_id).info.experiment_id == "0"
    assert client.get_experiment_by_name("never made") is None


def test_runs_are_searched_sorted_and_paged(client: Any, experiment: str) -> None:
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    ids = []
    for number in range(6):
        run = client.create_run(experiment_id, start_time=1000 + number, run_name=f"run-{number}").info.run_id
        client.log_param(run, "model", f"net{number % 2}")
        client.log_metric(run, "val.loss", [0.5, 0.1, math.nan, 0.3, math.inf, 0.2][number], step=1)
        if number != 3:
            client.set_tag(run, "kind a", "x")
        ids.append(run)
    client.log_metric(ids[1], "only", 1.0)
    client.set_terminated(ids[0], "FAILED", end_time=5000)
    client.delete_run(ids[5])

    def search(filter_string: str = "", order_by: list[str] | None = None, **more: Any) -> list[int]:
        return [
            ids.index(run.info.run_id)
            for run in client.search_runs([experiment_id], filter_string, order_by=order_by, **more)
        ]

    assert search() == [4, 3, 2, 1, 0]
    assert search(run_view_type=entities.ViewType.DELETED_ONLY) == [5]
    assert len(search(run_view_type=entities.ViewType.ALL)) == 6
    assert search("metrics.`val.loss` < 0.4 and params.model = 'net1'") == [3, 1]
    assert search('metrics."val.loss" >= 0.3', ["start_time ASC"]) == [0, 3, 4]
    assert search("metrics.only = 1") == [1]
    assert search("tags.`kind a` = 'x' AND params.model LIKE 'net0'") == [4, 2, 0]
    assert search("tags.`kind a` IS NULL") == [3]
    assert search("params.model ILIKE 'NET_' and attributes.status != 'RUNNING'") == [0]
    assert search("attributes.status = 'FAILED' and end_time = 5000") == [0]
    assert search("attributes.run_name LIKE 'run-%' and start_time > 1001") == [4, 3, 2]
    assert search(f"attributes.run_id IN ('{ids[2]}', '{ids[0]}')") == [2, 0]
    assert search("", ["metrics.`val.loss` DESC"]) == [4, 0, 3, 1, 2]  # NaN after all numbers, whichever way
    assert search("", ["metrics.`val.loss`"]) == [1, 3, 0, 4, 2]
    assert search("", ["metrics.only ASC", "params.model DESC"]) == [1, 3, 4, 2, 0]
    client.restore_run(ids[5])
    first = client.search_runs([experiment_id], max_results=4)
    second = client.search_runs([experiment_id], max_results=4, page_token=first.token)
    assert [ids.index(run.info.run_id) for run in [*first, *second]] == [5, 4, 3, 2, 1, 0]
    assert second.token is None
    for wrong in (
        "metrics.x = 'text'",
        "params.x = 1",
        "nonsense",
        "metrics.a > 1 OR metrics.b > 1",
        "attributes.x = '1'",
    ):
        with pytest.raises(exceptions.MlflowException) as refused:
            search(wrong)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_unknown_runs_are_said_to_be_unknown(client: Any, experiment: str, server: httpx.Client) -> None:
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id, run_name="r").info.run_id
    client.log_metric(run, "loss", 1.0)
    server.delete(f"/api/v1/projects/{experiment}/runs/r")
    for unknown in (run, "0" * 32):
        for call in (
            client.get_run,
            lambda run: client.log_metric(run, "loss", 1.0),
            lambda run: client.log_batch(run, params=[entities.Param("a", "b")]),
            lambda run: client.set_tag(run, "a", "b"),
            client.set_terminated,
            lambda run: client.get_metric_history(run, "loss"),
        ):
            with pytest.raises(exceptions.MlflowException) as refused:
                call(unknown)
            assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_what_is_not_kept_here_says_so(client: Any) -> None:
    with pytest.raises(exceptions.MlflowException, match="is not served here") as refused:
        client.create_registered_model("m")
    assert refused.value.error_code == "ENDPOINT_NOT_FOUND"
    with pytest.raises(exceptions.MlflowException, match="is not served here"):
        client.search_traces(locations=["0"])


def test_files_stay_with_the_job_or_go_where_the_experiment_says(client: Any, experiment: str, tmp_path: Path) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("a note", "note.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt") == "a note"
    assert [path.name for path in (tmp_path / "mlartifacts").rglob("note.txt")] == ["note.txt"]
    elsewhere = client.create_experiment(uuid4().hex, artifact_location=f"file://{tmp_path}/elsewhere")
    with mlflow.start_run(experiment_id=elsewhere):
        mlflow.log_text("a note", "there.txt")
    assert len(list((tmp_path / "elsewhere").rglob("there.txt"))) == 1


def test_a_job_needs_no_more_than_the_environment_variable(
    server: httpx.Client, tracking_uri: str, tmp_path: Path
) -> None:
    name = uuid4().hex
    code = "import mlflow\nfor i in range(20): mlflow.log_metric('loss', 1 / (i + 1), step=i)"
    environ = {"MLFLOW_TRACKING_URI": tracking_uri, "MLFLOW_EXPERIMENT_NAME": name, "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, check=True, timeout=120)
    (run,) = server.get(f"/api/v1/projects/{name}/runs").json()["items"]
    assert run["context"]["state"] == "finished"
    assert run["curves"] == [{"name": "loss", "role": "train/loss", "points": 20, "first_step": 0.0, "last_step": 19.0}]
