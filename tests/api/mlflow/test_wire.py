"""What clients in any language send over the wire, and what they are told: one bad number costs no good one."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

API = "/mlflow/api/2.0/mlflow"


@pytest.fixture
def run(server: httpx.Client) -> str:
    """The id of a run in an experiment of its own."""
    experiment = post(server, "experiments/create", {"name": uuid4().hex}).json()["experiment_id"]
    made = post(server, "runs/create", {"experiment_id": experiment, "run_name": "r", "start_time": 1})
    return str(made.json()["run"]["info"]["run_id"])


def post(server: httpx.Client, path: str, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return server.post(f"{API}/{path}", content=content, headers={"Content-Type": "application/json"})


def history(server: httpx.Client, run: str, key: str) -> list[dict[str, Any]]:
    reply = server.get(f"{API}/metrics/get-history", params={"run_id": run, "metric_key": key})
    assert reply.status_code == 200
    return list(reply.json()["metrics"])


def metric(step: object, value: object = 0.5, **more: object) -> dict[str, object]:
    return {"key": "loss", "value": value, "timestamp": 1000, "step": step, **more}


def refused(reply: httpx.Response, code: str, status: int) -> str:
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error_code", "message"}
    assert reply.json()["error_code"] == code
    return str(reply.json()["message"])


def test_ten_metrics_of_which_one_is_a_bare_nan_are_ten_metrics(server: httpx.Client, run: str) -> None:
    body = {"run_id": run, "metrics": [metric(i, float("nan") if i == 3 else i / 10) for i in range(10)]}
    assert "NaN" in json.dumps(body)
    reply = post(server, "runs/log-batch", body)
    assert (reply.status_code, reply.json()) == (200, {})
    found = history(server, run, "loss")
    assert [(one["step"], one["value"]) for one in found] == [(i, "NaN" if i == 3 else i / 10) for i in range(10)]


def test_ten_metrics_of_which_one_has_half_a_step_are_nine_and_the_reply_says_which(
    server: httpx.Client, run: str
) -> None:
    body = {"run_id": run, "metrics": [metric(3.5 if i == 3 else i, i / 10) for i in range(10)]}
    told = refused(post(server, "runs/log-batch", body), "INVALID_PARAMETER_VALUE", 400)
    assert told.startswith("metrics.3.step: a whole number is wanted, not 3.5.")
    assert [one["step"] for one in history(server, run, "loss")] == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_batch_with_a_bad_name_keeps_the_good_ones(server: httpx.Client, run: str) -> None:
    names = ["loss", "a\nb", "mlflow.step/x", "acc", ""]
    body = {"run_id": run, "metrics": [{**metric(1), "key": name} for name in names]}
    told = refused(post(server, "runs/log-batch", body), "INVALID_PARAMETER_VALUE", 400)
    assert [part.partition(":")[0] for part in told.split("; ")] == ["metrics.1.key", "metrics.2.key", "metrics.4.key"]
    kept = server.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]["metrics"]
    assert [one["key"] for one in kept] == ["acc", "loss"]


def test_one_bare_nan_is_one_nan_at_its_own_step(server: httpx.Client, run: str) -> None:
    assert post(server, "runs/log-metric", {"run_id": run, **metric(7, float("nan"))}).status_code == 200
    assert history(server, run, "loss") == [{"key": "loss", "value": "NaN", "timestamp": 1000, "step": 7}]


@pytest.mark.parametrize("wrong", ["high", None, True, [1], {"a": 1}, ""])
def test_a_value_that_is_no_number_is_refused_and_stored_as_none(server: httpx.Client, run: str, wrong: object) -> None:
    told = refused(post(server, "runs/log-metric", {"run_id": run, **metric(7, wrong)}), "INVALID_PARAMETER_VALUE", 400)
    assert told.startswith("value: a number is wanted, not ")
    assert history(server, run, "loss") == []


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "1.5", "1e-3", 3, -0.25])
def test_numbers_as_protobuf_writes_them_in_json(server: httpx.Client, run: str, raw: object) -> None:
    one = {"run_id": run, "key": "loss", "value": raw, "timestamp": "1700000000000", "step": "12"}
    assert post(server, "runs/log-metric", one).status_code == 200
    assert post(server, "runs/log-batch", {"run_id": run, "metrics": [{**one, "step": 13.0}]}).status_code == 200
    expected = raw if raw in ("NaN", "Infinity", "-Infinity") else float(str(raw))
    assert [(m["value"], m["timestamp"], m["step"]) for m in history(server, run, "loss")] == [
        (expected, 1_700_000_000_000, 12),
        (expected, 1_700_000_000_000, 13),
    ]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"step": float("nan")}, "step: a whole number"),
        ({"step": 2**60}, "step: Input should be less"),
        ({"step": True}, "step: a whole number"),
        ({"timestamp": -1}, "timestamp: Input should be greater"),
        ({"timestamp": None}, "timestamp: a whole number"),
        ({"timestamp": 10**18}, "timestamp: Input should be less"),  # nanoseconds
        ({"key": ""}, "key: String should have at least 1"),
        ({"key": 7}, "key: Input should be a valid string"),
        ({"key": "k" * 251}, "key: String should have at most"),
        ({"key": "mlflow.value/loss"}, "key: names that begin like"),
        ({"key": "a\nb"}, "key: a curve name has no control characters"),
        ({"run_id": ""}, "there is no run with the id ''"),
        ({"run_id": "\x00"}, "there is no run with the id '\\x00'"),
    ],
)
def test_what_cannot_be_meant_is_told_and_changes_nothing(
    server: httpx.Client, run: str, change: dict[str, object], where: str
) -> None:
    body = {"run_id": run, **metric(1), **change}
    reply = post(server, "runs/log-metric", body)
    assert reply.status_code == (404 if "run_id" in change else 400)
    assert reply.json()["message"].startswith(where)
    assert history(server, run, "loss") == []


@pytest.mark.parametrize(
    ("path", "body", "code", "status"),
    [
        ("runs/log-batch", b'{"run_id": ', "MALFORMED_REQUEST", 400),
        ("runs/log-batch", b"\xff\xfe", "MALFORMED_REQUEST", 400),
        ("runs/log-batch", b"[1]", "INVALID_PARAMETER_VALUE", 400),
        ("runs/log-batch", {"metrics": 3}, "INVALID_PARAMETER_VALUE", 400),
        ("runs/log-batch", {"metrics": [metric(0)] * 1001}, "INVALID_PARAMETER_VALUE", 400),
        ("runs/log-batch", {"run_id": "0" * 32}, "RESOURCE_DOES_NOT_EXIST", 404),
        ("runs/log-batch", {"run_id": "0" * 32, "tags": [{"key": "a", "value": "b" * 2**20}]}, "BAD_REQUEST", 413),
        ("experiments/create", {}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/create", {"name": ""}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/create", {"name": "x" * 501}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/delete", {"experiment_id": "0"}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/delete", {"experiment_id": "999999999"}, "RESOURCE_DOES_NOT_EXIST", 404),
        ("experiments/delete", {"experiment_id": "one"}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/delete", {"experiment_id": "9" * 40}, "INVALID_PARAMETER_VALUE", 400),
        ("runs/create", {"experiment_id": "999999999"}, "RESOURCE_DOES_NOT_EXIST", 404),
        ("runs/search", {"experiment_ids": ["0"], "page_token": "x"}, "INVALID_PARAMETER_VALUE", 400),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 50_001}, "INVALID_PARAMETER_VALUE", 400),
        ("runs/search", {"experiment_ids": ["0"], "order_by": ["sideways UP"]}, "INVALID_PARAMETER_VALUE", 400),
        ("experiments/update", {"experiment_id": "999999999", "new_name": "a"}, "RESOURCE_DOES_NOT_EXIST", 404),
        ("logged-models", {"name": "m"}, "NOT_IMPLEMENTED", 501),
        ("registered-models/create", {"name": "m"}, "ENDPOINT_NOT_FOUND", 404),
        ("runs/get", {}, "ENDPOINT_NOT_FOUND", 404),
    ],
)
def test_every_error_has_the_shape_that_clients_read(
    server: httpx.Client, path: str, body: object, code: str, status: int
) -> None:
    assert refused(post(server, path, body), code, status)


@pytest.mark.parametrize("path", ["/mlflow/api/3.0/mlflow/traces", "/mlflow/version"])
def test_what_is_outside_the_subset_says_so(server: httpx.Client, path: str) -> None:
    reply = server.get(path)
    assert "is not served here" in refused(reply, "ENDPOINT_NOT_FOUND", 404)


def test_files_are_refused_once_they_are_read(server: httpx.Client) -> None:
    reply = server.put("/mlflow/api/2.0/mlflow-artifacts/artifacts/1/x", content=b"x" * 4_000_000)
    assert "artifact_location" in refused(reply, "NOT_IMPLEMENTED", 501)


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [
        ("curvewise.num_classes", "ten", "the tag curvewise.num_classes is a number, not 'ten'"),
        ("curvewise.num_classes", "1", "context.num_classes: "),
        ("curvewise.planned_steps", "-5", "context.planned_steps: "),
    ],
)
def test_context_that_cannot_be_meant_is_told(server: httpx.Client, run: str, tag: str, value: str, told: str) -> None:
    reply = post(server, "runs/set-tag", {"run_id": run, "key": tag, "value": value})
    assert refused(reply, "INVALID_PARAMETER_VALUE", 400).startswith(told)
    kept = server.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]["tags"]
    assert tag not in {one["key"] for one in kept}


def test_facts_have_a_limit_together(server: httpx.Client, run: str) -> None:
    def tell(number: int) -> httpx.Response:
        return post(server, "runs/set-tag", {"run_id": run, "key": f"t{number}", "value": "x" * 8000})

    replies = [tell(number) for number in range(140)]
    assert {reply.status_code for reply in replies} == {200, 400}
    assert "characters together" in refused(replies[-1], "INVALID_PARAMETER_VALUE", 400)
    assert refused(
        post(server, "runs/set-tag", {"run_id": run, "key": "t", "value": "x" * 8001}), "INVALID_PARAMETER_VALUE", 400
    )


def test_a_metric_may_have_a_name_as_long_as_mlflow_allows(server: httpx.Client, run: str) -> None:
    longest, longer = "k" * 250, "k" * 251
    batch = [{**metric(1, 0.5), "key": longest}, {**metric(1, 0.5), "key": longer}, metric(1)]
    told = refused(post(server, "runs/log-batch", {"run_id": run, "metrics": batch}), "INVALID_PARAMETER_VALUE", 400)
    assert told.startswith("metrics.1.key: ")
    assert post(server, "runs/log-metric", {"run_id": run, **metric(2, 0.25), "key": longest}).status_code == 200
    assert [one["value"] for one in history(server, run, longest)] == [0.5, 0.25]
    latest = server.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]["metrics"]
    assert {one["key"]: one["step"] for one in latest} == {longest: 2, "loss": 1}


def test_an_experiment_is_not_renamed_and_says_why(server: httpx.Client) -> None:
    name = uuid4().hex
    experiment = post(server, "experiments/create", {"name": name}).json()["experiment_id"]
    reply = post(server, "experiments/update", {"experiment_id": experiment, "new_name": "other"})
    assert "projects are not renamed" in refused(reply, "NOT_IMPLEMENTED", 501)
    assert post(server, "experiments/update", {"experiment_id": experiment, "new_name": name}).status_code == 200
    found = server.get(f"{API}/experiments/get", params={"experiment_id": experiment}).json()["experiment"]
    assert found["name"] == name


def test_tags_of_an_experiment_come_and_go(server: httpx.Client) -> None:
    experiment = post(server, "experiments/create", {"name": uuid4().hex}).json()["experiment_id"]
    about = {"experiment_id": experiment, "key": "team"}
    assert post(server, "experiments/set-experiment-tag", {**about, "value": "vision"}).status_code == 200

    def team() -> list[str]:
        found = server.get(f"{API}/experiments/get", params={"experiment_id": experiment}).json()["experiment"]
        return [one["value"] for one in found["tags"] if one["key"] == "team"]

    assert team() == ["vision"]
    assert post(server, "experiments/delete-experiment-tag", about).status_code == 200
    assert team() == []


def test_a_model_of_an_old_client_is_told_in_a_tag(server: httpx.Client, run: str) -> None:
    for name in ("a", "b"):
        sent = {"run_id": run, "model_json": json.dumps({"artifact_path": name})}
        assert post(server, "runs/log-model", sent).status_code == 200
    kept = server.get(f"{API}/runs/get", params={"run_uuid": run}).json()["run"]["data"]["tags"]
    logged = next(one["value"] for one in kept if one["key"] == "mlflow.log-model.history")
    assert [one["artifact_path"] for one in json.loads(logged)] == ["a", "b"]
    assert post(server, "runs/log-model", {"run_id": run, "model_json": "{"}).status_code == 400


def test_what_other_languages_may_send_is_in_the_openapi_document_of_nobody(server: httpx.Client) -> None:
    assert not [path for path in server.get("/openapi.json").json()["paths"] if path.startswith("/mlflow")]


def test_context_of_all_kinds_is_read_from_tags(server: httpx.Client, run: str) -> None:
    for tag, value in {
        "curvewise.class_priors": "0.9,0.1",
        "curvewise.target_variance": "2.5",
        "curvewise.dataset_size": "500",
        "curvewise.pretrained": "resnet50",
    }.items():
        assert post(server, "runs/set-tag", {"run_id": run, "key": tag, "value": value}).status_code == 200
    reply = post(server, "runs/set-tag", {"run_id": run, "key": "curvewise.class_priors", "value": "0.9;0.1"})
    told = "the tag curvewise.class_priors is numbers with commas between them, not '0.9;0.1'"
    assert refused(reply, "INVALID_PARAMETER_VALUE", 400).startswith(told)
