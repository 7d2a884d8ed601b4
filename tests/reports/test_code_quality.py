"""GitLab's Code Quality report: what its documentation asks of each entry."""

import json
from typing import Any

from app.reports import code_quality, words
from tests.checked import each_outcome, hostile
from tests.hostile import TEXTS

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def read(text: str) -> list[dict[str, Any]]:
    rows = json.loads(text)
    for row in rows:
        assert set(row) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert row["severity"] in SEVERITIES
        assert row["location"]["lines"] == {"begin": 1}
        assert row["location"]["path"]
        assert not row["location"]["path"].startswith("./")
    assert len({row["fingerprint"] for row in rows}) == len(rows)
    return rows


def test_an_entry_a_finding_and_a_reason() -> None:
    rows = read(code_quality.render(each_outcome()))
    severities = {(row["check_name"], row["severity"]) for row in rows}
    assert {("CW008", "blocker"), ("CW005", "minor"), ("CW005", "blocker"), ("regression", "blocker")} <= severities
    assert {("CW006", "minor"), ("unclear", "major")} <= severities
    assert read(code_quality.render([])) == []


def test_texts_of_strangers_stay_texts() -> None:
    rows = read(code_quality.render(hostile()))
    assert {row["location"]["path"] for row in rows} == {words.plain(text) for text in TEXTS}
    assert all(len(row["description"].splitlines()) == 1 for row in rows)
