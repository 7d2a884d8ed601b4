import json
import math
from collections.abc import Sequence

import httpx
import pytest

from tests.api.asserts import assert_problem

STEPS = list(range(100))
FALLING = [2.3 * math.exp(-step / 30) + 0.1 for step in STEPS]
EXPLODED = [*FALLING[:60], *["NaN"] * 40]


def send(client: httpx.Client, run: str, values: Sequence[object]) -> None:
    client.put(run)
    assert client.post(f"{run}/points", json={"curves": {"train/loss": {"steps": STEPS, "values": values}}}).json() == {
        "accepted": 100,
        "rejected": [],
        "not_measured": 0,
    }


def findings(diagnosis: dict[str, object]) -> list[str]:
    verdicts = diagnosis["verdicts"]
    assert isinstance(verdicts, list)
    return [verdict["code"] for verdict in verdicts if verdict["verdict"] == "finding"]


def test_a_run_is_diagnosed_as_it_stands(client_on_each: httpx.Client, run_on_each: str) -> None:
    send(client_on_each, run_on_each, EXPLODED)
    reply = client_on_each.get(f"{run_on_each}/diagnosis")
    diagnosis = json.loads(reply.text, parse_constant=pytest.fail)
    assert reply.headers["content-type"] == "application/json"
    assert {name: diagnosis[name] for name in ("run", "project", "through_step", "state")} == {
        "run": "r",
        "project": "p",
        "through_step": 99,
        "state": "running",
    }
    assert findings(diagnosis) == ["CW008"]
    assert diagnosis["verdicts"][0]["onset_step"] == 60


def test_at_step_replays_the_run(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    client.post(f"{run}/finish")
    early = client.get(f"{run}/diagnosis", params={"at_step": 59}).json()
    assert (early["through_step"], early["state"], findings(early)) == (59, "running", [])
    late = client.get(f"{run}/diagnosis", params={"at_step": 1e300}).json()
    assert late == client.get(f"{run}/diagnosis").json()
    assert late["state"] == "finished"


@pytest.mark.parametrize("at_step", ["nan", "inf", "-1", "x", "1" * 400, ""])
def test_a_step_that_is_none_is_refused(client: httpx.Client, run: str, at_step: str) -> None:
    problem = assert_problem(client.get(f"{run}/diagnosis", params={"at_step": at_step}), 422, "invalid-input")
    assert problem["errors"][0]["where"] == "query.at_step"  # type: ignore[index]


def test_the_etag_changes_with_whatever_changes_the_reply(client: httpx.Client, run: str, project: str) -> None:
    def etag(**params: str) -> str:
        return str(client.get(f"{run}/diagnosis", params=params).headers["etag"])

    seen = [etag(), etag(format="markdown"), etag(at_step="1")]
    send(client, run, EXPLODED)
    seen.append(etag())
    client.post(f"{run}/finish")
    seen.append(etag())
    client.put(project, json={"params": {"exploding": {}}})
    seen.append(etag())
    assert len(set(seen)) == len(seen)
    assert all(tag.startswith('"') for tag in seen)
    assert etag() == seen[-1]


def test_a_known_diagnosis_is_not_sent_again(client: httpx.Client, run: str) -> None:
    first = client.get(f"{run}/diagnosis")
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        reply = client.get(f"{run}/diagnosis", headers={"If-None-Match": known})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", etag)
    for other in ('"other"', "", etag[1:-1]):
        assert client.get(f"{run}/diagnosis", headers={"If-None-Match": other}).status_code == 200
    markdown = client.get(f"{run}/diagnosis", headers={"If-None-Match": etag, "Accept": "text/markdown"})
    assert markdown.status_code == 200


def test_markdown_is_given_where_it_is_asked_for(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    for headers, params in (({"Accept": "text/markdown"}, {}), ({}, {"format": "markdown"})):
        reply = client.get(f"{run}/diagnosis", headers=headers, params=params)
        assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
        assert reply.headers["vary"] == "Accept"
        assert "CW008" in reply.text
    both = client.get(f"{run}/diagnosis", headers={"Accept": "text/markdown"}, params={"format": "json"})
    assert both.headers["content-type"] == "application/json"
    assert_problem(client.get(f"{run}/diagnosis", params={"format": "pdf"}), 422, "invalid-input")


@pytest.mark.parametrize(
    ("headers", "params"),
    [({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {}), ({}, {"format": "html"})],
    ids=["Accept", "format"],
)
def test_a_browser_gets_a_report(
    client: httpx.Client, run: str, headers: dict[str, str], params: dict[str, str]
) -> None:
    send(client, run, EXPLODED)
    reply = client.get(f"{run}/diagnosis", headers=headers, params=params)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert (reply.headers["vary"], reply.headers["x-content-type-options"]) == ("Accept", "nosniff")
    assert reply.headers["etag"]
    assert reply.text.startswith("<!DOCTYPE html>")
    assert "CW008 exploding" in reply.text
    assert '"curve":"train/loss"' in reply.text


def test_a_picture_is_given_where_one_is_asked_for_and_can_run_nothing(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    for headers, params in (({"Accept": "image/avif,image/svg+xml,*/*;q=0.8"}, {}), ({}, {"format": "svg"})):
        reply = client.get(f"{run}/diagnosis", headers=headers, params=params)
        assert reply.headers["content-type"].startswith("image/svg+xml")
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert reply.text.startswith("<svg")
        assert "exploding" in reply.text


def test_a_replayed_report_shows_the_run_as_it_stood(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    early = client.get(f"{run}/diagnosis", params={"format": "html", "at_step": "0"}).text
    assert '"step":0' in early
    assert '"said":"' not in early
    assert '"said":"' in client.get(f"{run}/diagnosis", params={"format": "html"}).text


def test_a_run_without_points_has_a_report_and_a_picture(client: httpx.Client, run: str) -> None:
    for chosen in ("html", "svg"):
        assert client.get(f"{run}/diagnosis", params={"format": chosen}).status_code == 200


@pytest.fixture
def three_runs(client: httpx.Client, project: str) -> str:
    for name, values in (("a", EXPLODED), ("b", FALLING), ("c", EXPLODED)):
        send(client, f"{project}/runs/{name}", values)
    client.post(f"{project}/runs/c/finish")
    return f"{project}/diagnoses"


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ({}, ["a", "b", "c"]),
        ({"state": "finished"}, ["c"]),
        ({"severity": "error"}, ["a", "c"]),
        ({"rule": "CW008"}, ["a", "c"]),
        ({"rule": "exploding", "after": "a"}, ["c"]),
        ({"rule": ["CW001", "exploding"], "severity": "info"}, ["a", "c"]),
        ({"rule": "CW007"}, []),
        ({"after": "c"}, []),
    ],
)
def test_a_projects_diagnoses_are_filtered(
    client: httpx.Client, three_runs: str, query: dict[str, str], runs: list[str]
) -> None:
    page = client.get(three_runs, params=query).json()
    assert ([item["run"] for item in page["items"]], page["next"]) == (runs, None)


def test_a_projects_diagnoses_are_paged_also_when_filtered(client: httpx.Client, three_runs: str) -> None:
    for query, expected in (({}, ["a", "b", "c"]), ({"severity": "error"}, ["a", "c"])):
        seen: list[str] = []
        after: dict[str, str] = {}
        for _ in range(4):
            page = client.get(three_runs, params={**query, **after, "limit": 1}).json()
            assert len(page["items"]) <= 1
            seen += [item["run"] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == expected


def test_each_item_is_the_runs_own_diagnosis(client: httpx.Client, three_runs: str) -> None:
    for item in client.get(three_runs).json()["items"]:
        assert item == client.get(f"{three_runs.removesuffix('/diagnoses')}/runs/{item['run']}/diagnosis").json()


def test_a_filter_that_is_none_is_refused(client: httpx.Client, three_runs: str) -> None:
    for query in ({"rule": "overfiting"}, {"severity": "bad"}, {"state": "done"}, {"rule": "\x00"}):
        problem = assert_problem(client.get(three_runs, params=query), 422, "invalid-input")
        assert next(iter(query)) in str(problem["detail"])


def test_curves_in_the_body_are_judged_like_stored_ones(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    client.post(f"{run}/finish")
    body = {
        "curves": {"train_loss": {"steps": STEPS[::-1], "values": EXPLODED[::-1]}},
        "context": {"state": "finished"},
    }
    stateless = client.post("/api/v1/diagnose", json=body).json()
    assert {**stateless, "run": "r", "project": stateless["project"]} == {
        **client.get(f"{run}/diagnosis").json(),
        "project": None,
    }


def test_nothing_to_judge_is_skipped_and_not_clear(client: httpx.Client) -> None:
    bodies: list[object] = [{}, {"odd": {"steps": [1], "values": [1]}}, {"loss": {"steps": [], "values": []}}]
    for curves in bodies:
        diagnosis = client.post("/api/v1/diagnose", json={"curves": curves}).json()
        assert {verdict["verdict"] for verdict in diagnosis["verdicts"]} == {"skipped"}


def test_bad_points_refuse_the_whole_body_as_nothing_is_stored(client: httpx.Client) -> None:
    body = {"curves": {"loss": {"steps": [1, -2], "values": [1, 2]}}}
    problem = assert_problem(client.post("/api/v1/diagnose", json=body), 422, "points-refused")
    assert problem["rejected"][0]["index"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ("", 400, "unreadable-body"),
        ("{", 400, "unreadable-body"),
        ("{}", 422, "invalid-input"),
        ('{"curves": null}', 422, "invalid-input"),
        ('{"curves": {}, "params": {"nope": {}}}', 422, "invalid-params"),
        ('{"curves": {}, "params": {"exploding": {"nope": NaN}}}', 422, "invalid-params"),
        ('{"curves": {}, "context": {"num_classes": 0}}', 422, "invalid-input"),
        ('{"curves": {"a": {"steps": [1], "values": [null]}}, "run": "r"}', 422, "invalid-input"),
    ],
)
def test_bodies_that_cannot_be_meant_are_refused(client: httpx.Client, body: str, status: int, name: str) -> None:
    assert_problem(client.post("/api/v1/diagnose", content=body), status, name)


def test_values_at_the_ends_of_float64_do_not_break_the_judgement(client: httpx.Client) -> None:
    for values in ([1e308, -1e308] * 50, [5e-324] * 100, [0] * 100, ["Infinity", "-Infinity"] * 50, ["NaN"] * 100):
        curves = {name: {"steps": STEPS, "values": values} for name in ("train/loss", "val/loss", "val/accuracy", "lr")}
        reply = client.post("/api/v1/diagnose", json={"curves": curves, "context": {"num_classes": 10}})
        assert reply.status_code == 200, reply.text
        json.loads(reply.text, parse_constant=pytest.fail)
