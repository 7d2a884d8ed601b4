import httpx
import pytest

from app import actions
from tests.api.asserts import assert_problem

DECAY = {
    "at_step": 4200,
    "action": "decay_lr",
    "args": {"at_step": 4200, "factor": 0.1},
    "code": "CW002",
    "text": "Decayed the learning rate from 0.1 to 0.01.",
    "by": "autopilot",
    "confidence": 0.93,
}


def put(client: httpx.Client, run: str, name: str = "a", **changed: object) -> httpx.Response:
    return client.put(f"{run}/actions/{name}", json=DECAY | changed)


def items(client: httpx.Client, run: str) -> list[dict[str, object]]:
    return list(client.get(f"{run}/actions").raise_for_status().json()["items"])


def test_what_a_job_did_is_kept_once_and_told_back(client_on_each: httpx.Client, project: str) -> None:
    run = f"{project}/runs/r"
    client_on_each.put(run).raise_for_status()
    assert items(client_on_each, run) == []
    first = put(client_on_each, run)
    assert first.status_code == 201
    again = put(client_on_each, run)
    assert (again.status_code, again.json()) == (200, first.json())
    assert first.json() == {"name": "a", **DECAY, "undone_at_step": None, "told_at": first.json()["told_at"]}
    put(client_on_each, run, "b", at_step=10, code=None, confidence=None, action="raise_lr").raise_for_status()
    assert [one["name"] for one in items(client_on_each, run)] == ["b", "a"]  # as the steps are


def test_what_is_taken_back_is_said_of_the_same_action(client: httpx.Client, run: str) -> None:
    told = put(client, run).json()
    undone = put(client, run, undone_at_step=5000)
    assert undone.status_code == 200
    assert undone.json() == told | {"undone_at_step": 5000.0}
    assert items(client, run) == [undone.json()]
    problem = assert_problem(put(client, run, undone_at_step=4199), 422, "invalid-input")
    assert "undone_at_step" in str(problem["detail"])
    assert items(client, run) == [undone.json()]


def test_whoever_follows_the_run_sees_that_something_is_new(client: httpx.Client, run: str) -> None:
    revisions = [client.get(run).json()["revision"]]
    for _ in range(2):
        put(client, run).raise_for_status()
        revisions.append(client.get(run).json()["revision"])
    assert revisions[1] == revisions[0] + 1
    assert revisions[2] == revisions[1]  # the second time said nothing new


@pytest.mark.parametrize(
    "changed",
    [
        {"at_step": -1},
        {"at_step": "1"},
        {"action": "pray"},
        {"args": {"factor": None}},
        {"args": {str(n): 1.0 for n in range(31)}},
        {"code": "overfitting"},
        {"text": ""},
        {"text": "a\nb"},
        {"by": "x" * 501},
        {"confidence": 1.5},
        {"surprise": 1},
    ],
)
def test_what_is_no_action_is_told(client: httpx.Client, run: str, changed: dict[str, object]) -> None:
    problem = assert_problem(put(client, run, **changed), 422, "invalid-input")
    assert next(iter(changed)) in str(problem["detail"])
    assert items(client, run) == []


def test_a_run_has_no_more_actions_than_can_be_shown(
    client: httpx.Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST", 2)
    put(client, run, "a").raise_for_status()
    put(client, run, "b").raise_for_status()
    assert "2 actions" in str(assert_problem(put(client, run, "c"), 422, "limit-reached")["detail"])
    put(client, run, "b", undone_at_step=9000).raise_for_status()


def test_an_unknown_run_has_none(client: httpx.Client, project: str) -> None:
    assert_problem(client.get(f"{project}/runs/r/actions"), 404, "unknown-project")
    assert_problem(put(client, f"{project}/runs/r"), 404, "unknown-project")
