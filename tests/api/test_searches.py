"""Searches over HTTP: declared, joined by runs, read back, deleted; on SQLite and on Postgres."""

import threading
from typing import Any

import httpx
import pytest

from app import searches
from app.storage import audit
from app.storage.database import Database, make_engine

SPACE = {
    "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0, "role": "learning_rate"},
    "weight_decay": {"kind": "choice", "options": [0, 1e-5, 1e-4], "role": "weight_decay"},
}
SEARCH = {"space": SPACE, "num_classes": 10, "steps_per_epoch": 100}
HERE = "/api/v1/projects/p"


def put(client: httpx.Client, name: str = "s", body: object = SEARCH, project: str = HERE) -> httpx.Response:
    return client.put(f"{project}/searches/{name}", json=body)


def problem(response: httpx.Response, status: int, name: str) -> str:
    assert response.status_code == status, response.text
    assert response.json()["type"] == f"urn:curvewise:problem:{name}"
    return str(response.json()["detail"])


def test_a_search_is_made_changed_and_made_again(client_on_each: httpx.Client) -> None:
    made = put(client_on_each)
    assert made.status_code == 201  # and its project with it
    assert made.json()["space"]["lr"] == SPACE["lr"]
    assert (made.json()["metric"], made.json()["goal"], made.json()["seed"], made.json()["runs"]) == (
        "val/loss",
        "min",
        0,
        0,
    )
    again = put(client_on_each)
    assert (again.status_code, again.json()) == (200, made.json())
    changed = put(client_on_each, body={"space": {"lr": {**SPACE["lr"], "high": 0.1}}, "seed": 3})
    assert changed.status_code == 200
    assert list(changed.json()["space"]) == ["lr"]
    assert (changed.json()["seed"], changed.json()["num_classes"]) == (3, 10)  # what was not said is as it was
    assert changed.json()["updated_at"] > made.json()["updated_at"]
    read = client_on_each.get(f"{HERE}/searches/s").json()
    assert {name: read[name] for name in changed.json()} == changed.json()


def test_a_run_joins_moves_and_leaves(client_on_each: httpx.Client) -> None:
    for name in ("s", "t"):
        put(client_on_each, name)
    run = f"{HERE}/runs/r"
    joined = client_on_each.put(run, json={"search": "s", "search_step": 4}).json()
    assert (joined["search"], joined["search_step"]) == ("s", 4)
    assert client_on_each.put(run, json={"tags": {"a": "b"}}).json()["search"] == "s"
    assert client_on_each.put(run, json={"search": "s"}).json()["search_step"] == 4
    assert client_on_each.put(run, json={"search_step": 5}).json()["search_step"] == 5
    moved = client_on_each.put(run, json={"search": "t"}).json()
    assert (moved["search"], moved["search_step"]) == ("t", None)
    runs = {one["search"]: one["runs"] for one in client_on_each.get(f"{HERE}/searches").json()["items"]}
    assert runs == {"s": 0, "t": 1}
    left = client_on_each.put(run, json={"search": ""}).json()
    assert (left["search"], left["search_step"]) == (None, None)


def test_a_run_of_an_unknown_search_is_refused_and_nothing_is_stored(client_on_each: httpx.Client) -> None:
    refused = client_on_each.put(f"{HERE}/runs/r", json={"search": "s", "config": {"lr": 1}})
    assert "PUT /api/v1/projects/p/searches/s" in problem(refused, 404, "unknown-search")
    assert client_on_each.get(f"{HERE}/runs/r").status_code == 404
    client_on_each.put(f"{HERE}/runs/r", json={"config": {"lr": 1}})
    problem(client_on_each.put(f"{HERE}/runs/r", json={"search": "s", "config": {"lr": 2}}), 404, "unknown-search")
    assert client_on_each.get(f"{HERE}/runs/r").json()["config"] == {"lr": 1}


def test_a_deleted_search_leaves_its_runs(client_on_each: httpx.Client) -> None:
    put(client_on_each)
    points = {"curves": {"train/loss": {"steps": [0, 1], "values": [2.3, 2.0]}}}
    for run in ("a", "b"):
        client_on_each.put(f"{HERE}/runs/{run}", json={"search": "s", "search_step": 4})
        client_on_each.post(f"{HERE}/runs/{run}/points", json=points)
    before = client_on_each.get(f"{HERE}/runs/a").json()["revision"]
    assert client_on_each.delete(f"{HERE}/searches/s").status_code == 204
    problem(client_on_each.delete(f"{HERE}/searches/s"), 404, "unknown-search")
    problem(client_on_each.get(f"{HERE}/searches/s"), 404, "unknown-search")
    kept = client_on_each.get(f"{HERE}/runs/a").json()
    assert (kept["search"], kept["search_step"], kept["curves"][0]["points"]) == (None, None, 2)
    assert kept["revision"] > before
    put(client_on_each)
    assert client_on_each.get(f"{HERE}/searches/s").json()["runs"] == 0


def test_a_deleted_project_takes_its_searches(client_on_each: httpx.Client) -> None:
    put(client_on_each)
    client_on_each.put(f"{HERE}/runs/r", json={"search": "s"})
    assert client_on_each.delete(HERE).status_code == 204
    problem(client_on_each.get(f"{HERE}/searches/s"), 404, "unknown-project")
    assert put(client_on_each).status_code == 201


def test_searches_are_listed_in_pages(client: httpx.Client, project: str) -> None:
    for name in ("b", "a", "ü", "c d"):
        assert put(client, name, project=project).status_code == 201
    first = client.get(f"{project}/searches", params={"limit": 3}).json()
    assert ([one["search"] for one in first["items"]], first["next"]) == (["a", "b", "c d"], "c d")
    last = client.get(f"{project}/searches", params={"limit": 3, "after": "c d"}).json()
    assert ([one["search"] for one in last["items"]], last["next"]) == (["ü"], None)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "space"),
        ({"space": {}}, "space"),
        ({"space": {"lr": {"kind": "log_uniform", "low": 1, "high": 0.1}}}, "space.lr"),
        ({"space": {"lr": {"kind": "log_uniform", "low": 0, "high": 0.1}}}, "space.lr"),
        ({"space": {"lr": {"kind": "normal", "low": 0, "high": 0.1}}}, "space.lr"),
        ({"space": {"lr": {"kind": "choice", "options": []}}}, "space.lr"),
        ({"space": {"lr": {"kind": "choice", "options": [{"a": 1}]}}}, "space.lr"),
        ({"space": {"": {"kind": "choice", "options": [1]}}}, "space"),
        ({"space": {f"p{k}": {"kind": "choice", "options": [1]} for k in range(5000)}}, "space"),
        ({"space": {"a": {"kind": "choice", "options": list(range(20_000))}}}, "space.a"),
        ({"space": {"a": {"kind": "uniform", "low": "NaN", "high": 1}}}, "space.a"),
        ({"space": {"a": {"kind": "uniform", "low": -1.7e308, "high": 1.7e308}}}, "space.a"),
        ({"space": {"a": {"kind": "integer", "low": 0, "high": 10**30}}}, "space.a"),
        ({**SEARCH, "seed": -1}, "seed"),
        ({**SEARCH, "most_runs": 10**6}, "most_runs"),
        ({**SEARCH, "goal": "up"}, "goal"),
        ({**SEARCH, "metric": ""}, "metric"),
        ({**SEARCH, "class_priors": [0.5, 0.1]}, "class_priors"),
        ({**SEARCH, "number_classes": 10}, "number_classes"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    client: httpx.Client, project: str, body: dict[str, Any], place: str
) -> None:
    assert place in problem(put(client, body=body, project=project), 422, "invalid-input")
    assert client.get(f"{project}/searches/s").status_code == 404


@pytest.mark.parametrize("body", [{"search_step": 4}, {"search": "", "search_step": 4}, {"search_step": 8}])
def test_a_step_needs_a_search(client: httpx.Client, project: str, body: dict[str, Any]) -> None:
    assert "search_step" in problem(client.put(f"{project}/runs/r", json=body), 422, "invalid-input")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>"[:24], "%", "a b", "ü" * 100, "' OR 1=1 --", "{{7*7}}"])
def test_odd_names_are_names(client: httpx.Client, project: str, name: str) -> None:
    space = {name: {"kind": "choice", "options": [1, 2]}, "\ud7ff.x": {"kind": "uniform", "low": 0, "high": 1}}
    path = str(httpx.URL(f"{project}/searches/").join(name.replace("/", "").replace("%", "%25").replace("<", "%3C")))
    made = client.put(path, json={"space": space})
    assert made.status_code == 201, made.text
    assert list(client.get(path).json()["space"]) == [name, "\ud7ff.x"]


def test_two_who_put_at_once_make_one(client_on_each: httpx.Client) -> None:
    answers: list[httpx.Response] = []

    def make(seed: int) -> None:
        answers.append(put(client_on_each, body={**SEARCH, "seed": seed}))

    threads = [threading.Thread(target=make, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert client_on_each.get(f"{HERE}/searches").json()["items"][0]["seed"] in range(8)
    assert len(client_on_each.get(f"{HERE}/searches").json()["items"]) == 1


def test_next_proposes_runs_that_can_be_opened(client: httpx.Client, project: str) -> None:
    put(client, project=project)
    following = client.get(f"{project}/searches/s/next", params={"count": 3}).json()
    assert 1 <= following["search_step"] <= 7
    assert following["why"]
    assert 1 <= len(following["proposals"]) <= 3
    for one in following["proposals"]:
        said = {"search": "s", "search_step": one["search_step"], "config": one["config"]}
        assert client.put(f"{project}/runs/{one['run']}", json=said).status_code == 201
    after = client.get(f"{project}/searches/s/next", params={"count": 3}).json()
    assert not {one["run"] for one in after["proposals"]} & {one["run"] for one in following["proposals"]}
    problem(client.get(f"{project}/searches/s/next", params={"count": 101}), 422, "invalid-input")


def test_what_has_not_changed_is_not_sent_again(client: httpx.Client, project: str) -> None:
    put(client, project=project)
    client.put(f"{project}/runs/r", json={"search": "s"})
    for path in (f"{project}/searches/s", f"{project}/searches/s/next"):
        etag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
        client.post(f"{project}/runs/r/points", json={"curves": {"val/loss": {"steps": [0], "values": [1.0]}}})
        changed = client.get(path, headers={"If-None-Match": etag})
        assert (changed.status_code, changed.headers["ETag"] != etag) == (200, True)


def test_runs_without_the_parameters_of_the_space_do_no_harm(client: httpx.Client, project: str) -> None:
    put(client, project=project)
    configs: list[dict[str, Any]] = [{}, {"lr": "high"}, {"lr": [1]}, {"lr": None, "weight_decay": {}}, {"lr": 1e999}]
    for k, config in enumerate(configs):
        body = f'{{"search": "s", "config": {str(config).replace(chr(39), chr(34)).replace("None", "null")}}}'
        opened = client.put(f"{project}/runs/{k}", content=body.replace("inf", "Infinity"))
        assert opened.status_code == 201, opened.text
        curves = {"val/loss": {"steps": [0, 1, 2], "values": [1.0, float("nan"), 0.5]}}
        client.post(
            f"{project}/runs/{k}/points", content=str({"curves": curves}).replace("'", '"').replace("nan", "NaN")
        )
    answer = client.get(f"{project}/searches/s")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["steps"]) == 7


def test_importance_says_what_it_can(client: httpx.Client, project: str) -> None:
    put(client, project=project)
    answer = client.get(f"{project}/searches/s/importance")
    assert answer.status_code == 200, answer.text
    assert answer.json()["judged"] is False
    assert {one["name"]: one["interval"] for one in answer.json()["parameters"]} == {key: [0.0, 1.0] for key in SPACE}
    etag = answer.headers["ETag"]
    assert client.get(f"{project}/searches/s/importance", headers={"If-None-Match": etag}).status_code == 304


def test_who_deleted_a_search_is_written_down(client_on_each: httpx.Client, database_url: str) -> None:
    put(client_on_each)
    client_on_each.put(f"{HERE}/runs/r", json={"search": "s"})
    client_on_each.delete(f"{HERE}/searches/s")
    database = Database(make_engine(database_url))
    with database.reading() as connection:
        [entry] = audit.latest(connection, limit=9, project="p")
    database.close()
    assert (entry.did, entry.by, entry.detail) == ("delete_search", audit.ANYBODY, {"search": "s", "runs": 1})


def test_there_is_an_end_to_runs_and_searches(
    client: httpx.Client, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "MOST_TRIALS", 1)
    monkeypatch.setattr(searches, "MOST_SEARCHES", 1)
    put(client, project=project)
    assert client.put(f"{project}/runs/a", json={"search": "s"}).status_code == 201
    problem(client.put(f"{project}/runs/b", json={"search": "s"}), 422, "limit-reached")
    assert client.put(f"{project}/runs/a", json={"search": "s"}).status_code == 200
    problem(put(client, "t", project=project), 422, "limit-reached")


def test_a_search_may_compare_by_any_curve(client: httpx.Client, project: str) -> None:
    put(client, body={**SEARCH, "metric": "f1", "goal": "max"}, project=project)
    for run, level in (("low", 0.5), ("high", 0.9)):
        said = {"search": "s", "search_step": 4, "config": {"lr": level / 10, "weight_decay": 0}}
        client.put(f"{project}/runs/{run}", json=said)
        steps = list(range(0, 300, 30))
        points = {"f1": {"steps": steps, "values": [level] * 10}, "train/loss": {"steps": steps, "values": [1.0] * 10}}
        client.post(f"{project}/runs/{run}/points", json={"curves": points})
        client.post(f"{project}/runs/{run}/finish")
    answer = client.get(f"{project}/searches/s", params={"ranked": 1}).json()
    assert (answer["configurations"], [one["runs"] for one in answer["ranking"]]) == (2, [["high"]])
    assert {place["run"]: place["search_step"] for place in answer["places"]} == {"low": 4, "high": 4}
