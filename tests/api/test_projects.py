import httpx
import pytest

from tests.api.asserts import assert_problem


def test_a_project_is_made_once_and_configured_afterwards(client_on_each: httpx.Client) -> None:
    path = "/api/v1/projects/p"
    settings = {"roles": {"objective": "val/loss", "box_loss": ""}, "params": {"overfitting": {}}}
    made = client_on_each.put(path, json=settings)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in settings} == settings
    assert client_on_each.put(path).status_code == 200
    client_on_each.put(f"{path}/runs/r")
    found = client_on_each.get(path).json()
    assert found == {**made.json(), "runs": 1}
    assert client_on_each.get("/api/v1/projects").json() == {"items": [found], "next": None}
    assert client_on_each.put(path, json={"roles": {}}).json() == {**found, "roles": {}}


def test_projects_are_listed_a_page_at_a_time(client_on_each: httpx.Client) -> None:
    for name in ("b", "a", "c"):
        client_on_each.put(f"/api/v1/projects/{name}/runs/r")
    first = client_on_each.get("/api/v1/projects", params={"limit": 2}).json()
    assert ([p["project"] for p in first["items"]], first["next"]) == (["a", "b"], "b")
    second = client_on_each.get("/api/v1/projects", params={"limit": 2, "after": "b"}).json()
    assert ([p["project"] for p in second["items"]], second["next"]) == (["c"], None)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"params": {"overfiting": {}}}, "invalid-params"),
        ({"params": {"overfitting": {"no_such": 1}}}, "invalid-params"),
        ({"params": {"overfitting": 1}}, "invalid-input"),
        ({"roles": {"a": "val/nonsense"}}, "invalid-input"),
        ({"roles": {"a": None}}, "invalid-input"),
        ({"roles": {"": "val/loss"}}, "invalid-input"),
        ({"roles": {"\x00": "val/loss"}}, "invalid-input"),
        ({"color": "red"}, "invalid-input"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(client: httpx.Client, project: str, body: object, name: str) -> None:
    assert_problem(client.put(project, json=body), 422, name)
    assert_problem(client.get(project), 404, "unknown-project")


def test_role_overrides_change_the_diagnosis_at_once(client: httpx.Client, run: str, project: str) -> None:
    curve = {"steps": [1, 2, 3], "values": [1, 1, "NaN"]}
    client.post(f"{run}/points", json={"curves": {"objective": curve}})
    before = client.get(f"{run}/diagnosis")
    client.put(project, json={"roles": {"objective": "train/loss"}})
    after = client.get(f"{run}/diagnosis", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert before.json()["through_step"] is None
    assert after.json()["through_step"] == 3


def test_a_deleted_project_is_gone_with_its_runs(client_on_each: httpx.Client, run_on_each: str) -> None:
    curve = {"curves": {"loss": {"steps": [1, 2], "values": [3, 4]}}}
    client_on_each.post(f"{run_on_each}/points", json=curve)
    assert client_on_each.delete("/api/v1/projects/p").status_code == 204
    assert_problem(client_on_each.delete("/api/v1/projects/p"), 404, "unknown-project")
    assert_problem(client_on_each.get(run_on_each), 404, "unknown-project")
    assert_problem(client_on_each.post(f"{run_on_each}/points", json=curve), 404, "unknown-project")
    assert client_on_each.get("/api/v1/projects").json()["items"] == []
    assert client_on_each.put(run_on_each).status_code == 201
    assert client_on_each.get(run_on_each).json()["curves"] == []


def test_a_project_says_after_how_many_days_its_runs_are_rolled_up(client: httpx.Client, project: str) -> None:
    assert client.put(project).json()["roll_up_after_days"] == 0
    assert client.put(project, json={"roll_up_after_days": 30}).json()["roll_up_after_days"] == 30
    assert client.put(project, json={"roles": {}}).json()["roll_up_after_days"] == 30
    assert client.put(project, json={"roll_up_after_days": 0}).json()["roll_up_after_days"] == 0
    for days in (-1, 1.5, "soon", 10**9):
        assert_problem(client.put(project, json={"roll_up_after_days": days}), 422, "invalid-input")
