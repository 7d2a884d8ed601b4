"""JUnit XML, read back by junitparser as by a dashboard."""

from collections import Counter
from dataclasses import replace

import pytest
from junitparser import Failure, JUnitXml, Skipped

from app.reports import junit, words
from tests.checked import checked, each_outcome, hostile
from tests.hostile import TEXTS


def read(text: str) -> dict[str, dict[str, list]]:
    """Suite -> case -> results."""
    suites = JUnitXml.fromstring(text.encode())
    suites.update_statistics()
    assert JUnitXml.fromstring(text.encode()).failures == suites.failures
    assert JUnitXml.fromstring(text.encode()).tests == suites.tests
    assert JUnitXml.fromstring(text.encode()).skipped == suites.skipped
    return {suite.name: {case.name: list(case.result) for case in suite} for suite in suites}


def test_a_suite_a_run_and_a_case_a_rule_and_a_baseline() -> None:
    suites = read(junit.render(each_outcome()))
    assert list(suites)[-2:] == ["mnist/mlp-warmup-linear", "mnist/mlp-300-samples"], "the worst come first"
    for name, cases in suites.items():
        assert sum(case.startswith("CW") for case in cases) == 9, name
    (exploded,) = suites["mnist/mlp-rate-3.0"]["CW008 exploding"]
    assert isinstance(exploded, Failure)
    assert exploded.type == "error"
    assert exploded.message in exploded.text
    assert '"action": "lower_lr"' in exploded.text
    (unknown,) = suites["mnist/mlp-rate-3.0"]["against main"]
    assert isinstance(unknown, Skipped)
    assert suites["mnist/mlp-warmup-linear"]["against release"] == []
    (doubtful,) = suites["mnist/mlp-cosine"]["against main"]
    assert isinstance(doubtful, Skipped)
    assert "noise units" in doubtful.message
    (failed,) = suites["mnist/mlp-2-units"]["the run's state"]
    assert isinstance(failed, Failure)
    (skipped,) = suites["mnist/mlp-rate-3.0"]["CW005 overfitting"]
    assert "to have it judged: " in skipped.message


def test_the_same_finding_fails_only_where_it_was_asked_to() -> None:
    suites = read(junit.render(each_outcome()))
    assert suites["mnist/mlp-300-samples"]["CW005 overfitting"] == []
    (failure,) = suites["mnist/mlp-300-samples ~2"]["CW005 overfitting"]
    assert isinstance(failure, Failure)
    assert "Keep the checkpoint of step 250." in failure.text


def test_no_two_cases_have_one_name() -> None:
    cases = JUnitXml.fromstring(junit.render([checked("mlp-cosine")] * 3).encode())
    names = Counter((case.classname, case.name) for suite in cases for case in suite)
    assert set(names.values()) == {1}
    assert len(names) == 27


def test_a_running_run_is_skipped() -> None:
    (cases,) = read(junit.render([checked("mlp-cosine", state="running", planned_steps=3000)])).values()
    (state,) = cases["the run's state"]
    assert isinstance(state, Skipped)


def test_texts_of_strangers_stay_texts() -> None:
    suites = JUnitXml.fromstring(junit.render(hostile(), "a<b").encode())
    assert suites.name == "a<b"
    shown = {prop.value for suite in suites for prop in suite.properties()}
    assert {words.plain(text) for text in TEXTS} <= shown
    for suite in suites:
        for case in suite:
            assert case.classname == suite.name
    assert len(list(suites)) == len(TEXTS)
    messages = {r.message for suite in suites for case in suite for r in case.result if case.name.startswith("CW005")}
    assert {words.plain(text) for text in TEXTS} <= messages


def test_more_than_gitlab_reads_is_cut_behind_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, failed = checked("mlp-cosine"), checked("mlp-rate-3.0")
    many = [replace(passed, identity=f"p/{index}") for index in range(50)]
    monkeypatch.setattr(junit, "MOST_ELEMENTS", 400)
    suites = JUnitXml.fromstring(junit.render([*many, failed]).encode())
    names = [suite.name for suite in suites]
    assert names[0] == "mnist/mlp-rate-3.0"
    assert names[-1] == "not shown"
    (case,) = list(suites)[-1]
    assert case.result[0].message.startswith(f"{51 - len(names) + 1} more runs")
