import json
import time
from datetime import datetime

import httpx
import pytest

from tests.api.asserts import assert_problem

FACTS = {
    "context": {
        "num_classes": 10,
        "planned_steps": 1200.5,
        "state": "running",
        "schedule": "cosine",
        "class_priors": [0.5, 0.25, 0.25, *[0.0] * 7],
        "target_variance": 2.5,
        "dataset_size": 50_000,
        "pretrained": "resnet50",
        "caveats": ["train/loss is a running mean"],
    },
    "config": {"lr": 0.1, "nested": {"a": [1, None, True, "x"]}, "big": 10**40, "nul\x00": "\x00"},
    "tags": {"team": "vision", "nul\x00": "\x00"},
    "commit": "9fceb02",
    "attempt": 2,
}


def test_a_run_is_opened_once_and_updated_afterwards(client_on_each: httpx.Client) -> None:
    run = "/api/v1/projects/p/runs/r"
    opened = client_on_each.put(run, content=json.dumps(FACTS))
    assert opened.status_code == 201
    said = opened.json()
    assert {name: said[name] for name in FACTS} == FACTS
    assert (said["project"], said["run"], said["curves"]) == ("p", "r", [])
    assert datetime.fromisoformat(said["created_at"]).utcoffset() is not None
    again = client_on_each.put(run, json=FACTS)
    assert again.status_code == 200
    assert again.json() == said == client_on_each.get(run).json()


def test_absent_and_null_leave_what_is_known(client: httpx.Client, run: str) -> None:
    client.put(run, content=json.dumps(FACTS))
    nothing = {**dict.fromkeys(FACTS), "context": dict.fromkeys(FACTS["context"])}  # type: ignore[call-overload]
    for body in (b"", b"{}", json.dumps(nothing).encode(), b'{"context": {}}'):
        said = client.put(run, content=body).json()
        assert {name: said[name] for name in FACTS} == FACTS
    assert client.put(run, json={"context": {"dataset_size": 3}}).json()["context"] == {
        **FACTS["context"],  # type: ignore[dict-item]
        "dataset_size": 3,
    }


def test_nan_in_a_config_leaves_as_the_string(client_on_each: httpx.Client, run_on_each: str) -> None:
    client_on_each.put(run_on_each, content='{"config": {"a": NaN, "b": [-Infinity, 1e999]}}')
    text = client_on_each.get(run_on_each).text
    assert json.loads(text, parse_constant=pytest.fail)["config"] == {"a": "NaN", "b": ["-Infinity", "Infinity"]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"context": {"num_classes": "10"}}, "body.context.num_classes"),
        ({"context": {"num_classes": 1}}, "body.context.num_classes"),
        ({"context": {"num_classes": 10**400}}, "body.context.num_classes"),
        ({"context": {"num_classes": True}}, "body.context.num_classes"),
        ({"context": {"planned_steps": 0}}, "body.context.planned_steps"),
        ({"context": {"planned_steps": float("nan")}}, "body.context.planned_steps"),
        ({"context": {"planned_steps": float("inf")}}, "body.context.planned_steps"),
        ({"context": {"planned_steps": 10**400}}, "body.context.planned_steps"),
        ({"context": {"state": "done"}}, "body.context.state"),
        ({"context": {"classes": 10}}, "body.context.classes"),
        ({"context": []}, "body.context"),
        ({"config": [1]}, "body.config"),
        ({"tags": {"a": 1}}, "body.tags.a"),
        ({"commit": "a\x00b"}, "body.commit"),
        ({"commit": ""}, "body.commit"),
        ({"commit": "x" * 251}, "body.commit"),
        ({"attempt": 0}, "body.attempt"),
        ({"name": "r"}, "body.name"),
        ([], "body"),
    ],
)
def test_facts_that_cannot_be_meant_are_refused_by_their_place(
    client: httpx.Client, project: str, body: object, where: str
) -> None:
    reply = client.put(f"{project}/runs/r", content=json.dumps(body))
    problem = assert_problem(reply, 422, "invalid-input")
    assert where in [error["where"] for error in problem["errors"]]  # type: ignore[attr-defined]
    assert_problem(client.get(f"{project}/runs/r"), 404, "unknown-project")


@pytest.mark.parametrize("name", ["%00", "a%0Ab", "%7F", "%C2%85", "x" * 251])
def test_names_that_cannot_be_kept_are_refused(client: httpx.Client, project: str, name: str) -> None:
    assert_problem(client.put(f"{project}/runs/{name}"), 422, "invalid-input")
    assert_problem(client.put(f"/api/v1/projects/{name}"), 422, "invalid-input")
    assert_problem(client.get(f"/api/v1/projects/{name}/runs/{name}"), 422, "invalid-input")


@pytest.mark.parametrize("name", ["a b", "%20", "a.b", "...", "%E6%90%8D", "%F0%9F%98%80", "a%3Fb", "a%23b", "%25"])
def test_other_names_are_kept(client_on_each: httpx.Client, name: str) -> None:
    run = f"/api/v1/projects/{name}/runs/{name}"
    assert client_on_each.put(run).status_code == 201
    assert client_on_each.get(run).status_code == 200


def test_half_a_surrogate_pair_in_a_path_or_a_body_is_no_failure(client_on_each: httpx.Client) -> None:
    assert client_on_each.put("/api/v1/projects/p/runs/%ED%A0%80").status_code in {201, 422}
    for field in ("commit", "tags", "config"):
        value = '"\\ud800"' if field == "commit" else '{"\\udfff": "\\ud800"}'
        assert client_on_each.put("/api/v1/projects/p/runs/r", content=f'{{"{field}": {value}}}').status_code == 400


def test_runs_are_listed_a_page_at_a_time(client: httpx.Client, project: str) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in reversed(names):
        client.put(f"{project}/runs/{name}")
    seen, after = [], None
    while True:
        page = client.get(f"{project}/runs", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen.append([run["run"] for run in page["items"]])
        after = page["next"]
        if after is None:
            break
    assert seen == [["a", "b"], ["c", "d"], ["e"]]
    assert client.get(f"{project}/runs", params={"limit": 5}).json()["next"] is None


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"limit": 10**30}, {"limit": "x"}, {"limit": "nan"}, {"after": "\x00"}]
)
@pytest.mark.parametrize("listed", ["runs", "diagnoses", ""])
def test_pages_that_cannot_be_are_refused(client: httpx.Client, run: str, query: dict[str, str], listed: str) -> None:
    path = f"{run.removesuffix('/runs/r')}/{listed}" if listed else "/api/v1/projects"
    problem = assert_problem(client.get(path, params=query), 422, "invalid-input")
    assert next(iter(query)) in str(problem["detail"])


def test_a_run_is_closed_as_it_ended(client: httpx.Client, run: str) -> None:
    for body, state in ((b"", "finished"), (b'{"state": "failed"}', "failed"), (b"{}", "finished")):
        reply = client.post(f"{run}/finish", content=body)
        assert reply.status_code == 200
        assert reply.json()["context"]["state"] == state == client.get(run).json()["context"]["state"]
    for body in (b'{"state": "running"}', b'{"state": null}', b'{"how": 1}'):
        assert_problem(client.post(f"{run}/finish", content=body), 422, "invalid-input")
    assert_problem(client.post(f"{run}/finish", content="{"), 400, "unreadable-body")


def test_a_later_attempt_runs_again(client: httpx.Client, run: str) -> None:
    client.post(f"{run}/finish")
    assert client.put(run, json={"attempt": 1}).json()["context"]["state"] == "finished"
    assert client.put(run, json={"attempt": 2}).json()["context"]["state"] == "running"


def test_what_was_never_opened_is_not_found(client: httpx.Client, run: str) -> None:
    for path, name in ((f"{run}x", "unknown-run"), ("/api/v1/projects/nobodys/runs/r", "unknown-project")):
        for method, tail in (("GET", ""), ("POST", "/finish"), ("GET", "/diagnosis"), ("GET", "/curves")):
            assert_problem(client.request(method, path + tail), 404, name)
    for listed in ("", "/runs", "/diagnoses"):
        assert_problem(client.get(f"/api/v1/projects/nobodys{listed}"), 404, "unknown-project")


def test_a_run_tells_what_is_stored_of_its_curves(client: httpx.Client, run: str) -> None:
    points = {"train_loss": {"steps": [5, 1, 5], "values": [1, 2, 3]}, "odd": {"steps": [0], "values": [1]}}
    client.post(f"{run}/points", json={"curves": points})
    assert client.get(run).json()["curves"] == [
        {"name": "odd", "role": None, "points": 1, "first_step": 0, "last_step": 0},
        {"name": "train_loss", "role": "train/loss", "points": 3, "first_step": 1, "last_step": 5},
    ]


def test_a_deleted_run_is_gone_and_its_name_is_free(client_on_each: httpx.Client, run_on_each: str) -> None:
    points = f"{run_on_each}/points"
    curve = {"curves": {"loss": {"steps": [1, 2], "values": [3, 4]}}}
    assert client_on_each.post(points, json=curve).status_code == 200
    gone = client_on_each.delete(run_on_each)
    assert (gone.status_code, gone.content) == (204, b"")
    for method, path in (("GET", run_on_each), ("GET", f"{run_on_each}/diagnosis"), ("DELETE", run_on_each)):
        assert_problem(client_on_each.request(method, path), 404, "unknown-run")
    assert_problem(client_on_each.post(points, json=curve), 404, "unknown-run")
    assert client_on_each.get("/api/v1/projects/p/runs").json()["items"] == []
    assert client_on_each.put(run_on_each).status_code == 201
    assert client_on_each.get(run_on_each).json()["curves"] == []
    assert client_on_each.post(points, json=curve).json()["accepted"] == 2
    assert client_on_each.get(f"{run_on_each}/curves").json()["curves"]["loss"]["steps"] == [1, 2]


def test_runs_are_filtered_sorted_and_paged(client: httpx.Client, project: str) -> None:
    for number in range(5):
        tags = {"seed": str(number % 2)}
        assert client.put(f"{project}/runs/r{number}", json={"tags": tags}).status_code == 201
    client.post(f"{project}/runs/r3/finish")

    def found(**params: object) -> list[str]:
        return [one["run"] for one in client.get(f"{project}/runs", params=params).json()["items"]]

    assert found(tag="seed=1") == ["r1", "r3"]
    assert found(tag=["seed=1", "team=x"]) == []
    assert found(text="R4") == ["r4"]
    assert found(state="finished") == ["r3"]
    assert found(sort="created", descending=True) == ["r4", "r3", "r2", "r1", "r0"]
    assert found(until="2026-01-31T09:00:00Z", since="2026-01-31T08:00:00Z") == []
    assert found(finding="overfitting") == found(severity="info") == []
    page = client.get(f"{project}/runs", params={"sort": "updated", "limit": 3}).json()
    assert [one["run"] for one in page["items"]] == ["r0", "r1", "r2"]
    assert found(sort="updated", limit=3, after=page["next"]) == ["r4", "r3"]
    wrong = ({"tag": "seed"}, {"finding": "x"}, {"since": "2026-01-31T09:00:00"}, {"sort": "updated", "after": "r0"})
    for params in (*wrong, {"severity": "bad"}, {"state": "open"}):
        assert_problem(client.get(f"{project}/runs", params=params), 422, "invalid-input")


def test_a_run_that_failed_carries_its_findings(client: httpx.Client, run: str) -> None:
    body = '{"curves": {"train/loss": {"steps": [0, 1, 2, 3, 4], "values": [2.3, 9, 90, Infinity, NaN]}}}'
    client.post(f"{run}/points", content=body)
    client.post(f"{run}/finish", json={"state": "failed"})
    deadline = time.monotonic() + 20
    while not (found := client.get(run).json())["findings"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(one["code"], one["severity"]) for one in found["findings"]] == [("CW008", "error")]
    listed = client.get(f"{run.rpartition('/')[0]}", params={"finding": "exploding", "severity": "error"}).json()
    assert listed["items"] == [found]
