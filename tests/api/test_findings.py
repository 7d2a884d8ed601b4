"""Findings as rows for dashboards, on both databases."""

import time

import httpx
import pytest

from app.storage.database import Database, make_engine
from tests.api.standing import stand

FOUND = (("overfitting", "warning", True), ("exploding", "error", True), ("keep_training", "info", False))


def test_what_has_fired_is_a_flat_row_with_its_run_and_a_time_in_milliseconds(
    client_on_each: httpx.Client, database_url: str
) -> None:
    database = Database(make_engine(database_url))
    begun = int(time.time() * 1000)
    stand(database, "p", "r", "running", *FOUND, stalled=True, commit="9fceb02")
    time.sleep(0.01)
    middle = int(time.time() * 1000)
    time.sleep(0.01)
    stand(database, "p", "s", "finished", ("underfitting", "info", True))
    stand(database, "other", "r", "running", *FOUND)
    database.close()

    def rows(**query: str | int | list[str]) -> list[tuple[str, str]]:
        found = client_on_each.get("/api/v1/projects/p/findings", params=query).raise_for_status().json()["items"]
        return [(one["run"], one["rule"]) for one in found]

    everything = [("s", "underfitting"), ("r", "overfitting"), ("r", "exploding")]
    assert rows() == everything
    assert rows(limit=1) == everything[:1]
    assert rows(severity="warning") == everything[1:]
    assert rows(since=middle) == everything[:1]
    assert rows(until=middle) == everything[1:]
    assert rows(since=begun, until=int(time.time() * 1000) + 1000) == everything
    assert rows(rule=["CW006"]) == []  # the rows of this test have codes of their own
    [newest, *_] = client_on_each.get("/api/v1/projects/p/findings").json()["items"]
    assert begun <= newest["timestamp"] <= int(time.time() * 1000)
    stalled = client_on_each.get("/api/v1/projects/p/findings").json()["items"][1]
    assert (stalled["state"], stalled["commit"], stalled["project"]) == ("stalled", "9fceb02", "p")
    assert all(isinstance(value, str | int | float | None) for value in stalled.values())


@pytest.mark.parametrize("query", ["rule=CW999", "severity=bad", "limit=0", "since=-1", "until=999999999999999999"])
def test_what_cannot_be_meant_is_a_problem_document(client: httpx.Client, run: str, query: str) -> None:
    reply = client.get(f"{run.rsplit('/', 2)[0]}/findings?{query}")
    assert (reply.status_code, reply.headers["Content-Type"]) == (422, "application/problem+json")


def test_a_project_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    assert client.get("/api/v1/projects/no-such-project/findings").status_code == 404
