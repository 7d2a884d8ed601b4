from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.api.asserts import assert_problem

RUN = "/api/v1/projects/p/runs/r"


def take(client: httpx.Client, token: str, run: str = RUN) -> tuple[int, int]:
    """The status, and the attempt that this token has."""
    reply = client.put(f"{run}/attempts/{token}")
    said = reply.json()
    assert said["token"] == token
    return reply.status_code, said["attempt"]


def test_each_token_has_an_attempt_of_its_own_however_often_it_asks(client_on_each: httpx.Client) -> None:
    assert take(client_on_each, "a") == (201, 1)
    assert take(client_on_each, "b") == (201, 2)
    for _ in range(2):
        assert take(client_on_each, "a") == (200, 1)
        assert take(client_on_each, "b") == (200, 2)
    known = client_on_each.get(RUN).json()
    assert (known["attempt"], known["context"]["state"]) == (2, "running")
    assert take(client_on_each, "a", "/api/v1/projects/p/runs/other") == (201, 1)


def test_many_that_ask_at_one_moment_are_as_many_attempts(client_on_each: httpx.Client) -> None:
    tokens = [
        f"job-{number % 20}" for number in range(60)
    ]  # each asks three times, as a client does that hears nothing
    with ThreadPoolExecutor(20) as jobs:
        given = list(jobs.map(lambda token: (token, take(client_on_each, token)), tokens))
    attempts = {token: attempt for token, (_, attempt) in given}
    assert sorted(attempts.values()) == list(range(1, 21))
    assert all(attempts[token] == attempt for token, (_, attempt) in given)
    assert sum(status == 201 for _, (status, _) in given) == 20


def test_a_run_that_was_opened_before_its_job_is_at_its_first_attempt(client_on_each: httpx.Client) -> None:
    client_on_each.put(RUN, json={"context": {"num_classes": 10}})
    assert take(client_on_each, "a") == (201, 1)


def test_what_has_points_or_has_ended_or_was_opened_by_number_is_not_given_out(client_on_each: httpx.Client) -> None:
    points, ended, numbered = (f"/api/v1/projects/p/runs/{name}" for name in ("points", "ended", "numbered"))
    for run in (points, ended):
        client_on_each.put(run)
    client_on_each.put(numbered, json={"attempt": 4})
    client_on_each.post(f"{points}/points", json={"curves": {"loss": {"steps": [1], "values": [2.3]}}})
    client_on_each.post(f"{ended}/finish", json={"state": "failed"})
    assert take(client_on_each, "a", points) == (201, 2)
    assert take(client_on_each, "a", ended) == (201, 2)
    assert client_on_each.get(ended).json()["context"]["state"] == "running"
    assert take(client_on_each, "a", numbered) == (201, 5)


def test_a_run_that_is_opened_again_under_its_name_begins_anew(client_on_each: httpx.Client) -> None:
    assert take(client_on_each, "a") == (201, 1)
    assert take(client_on_each, "b") == (201, 2)
    client_on_each.delete(RUN)
    assert take(client_on_each, "b") == (201, 1)


def test_a_token_is_one_part_of_a_path(client: httpx.Client, run: str) -> None:
    assert_problem(client.put(f"{run}/attempts/{'x' * 251}"), 422, "invalid-input")
    assert_problem(client.put(f"{run}/attempts/a%00b"), 422, "invalid-input")
