"""A stored run's diagnosis as JUnit and SARIF."""

import httpx
import jsonschema
from junitparser import Failure, JUnitXml

from tests.api.test_diagnoses import EXPLODED, FALLING, send
from tests.reports.test_sarif import SCHEMA


def test_junit_fails_where_a_finding_is_an_error(client: httpx.Client, project: str) -> None:
    for name, values, failures in (("good", FALLING, 0), ("bad", EXPLODED, 1)):
        send(client, f"{project}/runs/{name}", values)
        reply = client.get(f"{project}/runs/{name}/diagnosis", params={"format": "junit"})
        assert reply.headers["content-type"] == "application/xml"
        suites = JUnitXml.fromstring(reply.content)
        (suite,) = suites
        assert (suite.name.rpartition("/")[2], suites.failures) == (name, failures)
    assert [case.name for case in suite if any(isinstance(r, Failure) for r in case.result)] == ["CW008 exploding"]


def test_sarif_points_at_what_trains_and_keeps_the_name_of_the_job(client: httpx.Client, project: str) -> None:
    prints = []
    for name in ("a", "b"):
        send(client, f"{project}/runs/{name}", EXPLODED)
        client.put(f"{project}/runs/{name}", json={"tags": {"job": "nightly", "script": "src/train.py"}})
        reply = client.get(f"{project}/runs/{name}/diagnosis", headers={"Accept": "application/sarif+json"})
        assert reply.headers["content-type"] == "application/sarif+json"
        jsonschema.validate(log := reply.json(), SCHEMA)
        results = log["runs"][0]["results"]
        assert results[0]["ruleId"] == "CW008"
        uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "src/train.py"
        prints.append([result["partialFingerprints"] for result in results])
    assert prints[0] == prints[1]


def test_as_it_stood_at_an_earlier_step_and_known_by_its_etag(client: httpx.Client, run: str) -> None:
    send(client, run, EXPLODED)
    early = client.get(f"{run}/diagnosis", params={"format": "junit", "at_step": 50})
    assert JUnitXml.fromstring(early.content).failures == 0
    known = client.get(
        f"{run}/diagnosis", params={"format": "junit", "at_step": 50}, headers={"If-None-Match": early.headers["etag"]}
    )
    assert known.status_code == 304
    other = client.get(
        f"{run}/diagnosis", params={"format": "sarif", "at_step": 50}, headers={"If-None-Match": early.headers["etag"]}
    )
    assert other.status_code == 200
