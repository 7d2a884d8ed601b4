"""The report that is a baseline later."""

import json

import pytest

from app.errors import InvalidInput
from app.reports import check_json
from tests.checked import each_outcome, hostile
from tests.hostile import TEXTS


def refuse(token: str) -> None:
    raise AssertionError(token)


def test_everything_that_was_found_is_there() -> None:
    document = json.loads(check_json.render(each_outcome()), parse_constant=refuse)
    assert (document["form"], document["outcome"]) == ("curvewise-check/1", "fail")
    cosine = document["checks"][2]
    assert (cosine["name"], cosine["outcome"]) == ("mnist/mlp-cosine", "investigate")
    assert cosine["comparisons"][0]["relation"] == "doubtful"
    assert cosine["reasons"][0]["kind"] == "unclear"
    assert {verdict["code"] for verdict in cosine["diagnosis"]["verdicts"]} == {f"CW00{n}" for n in range(1, 10)}


def test_the_levels_come_back_to_the_last_bit() -> None:
    before = each_outcome()
    after = check_json.read(check_json.render(before).encode())
    assert [each.levels for each in after] == [dict(each.levels) for each in before]
    assert [(each.name, each.identity) for each in after] == [(each.name, each.identity) for each in before]


def test_texts_of_strangers_come_back() -> None:
    checks = check_json.read(check_json.render(hostile()).encode())
    assert len(checks) == len(TEXTS)
    assert sum(each.name == text for each, text in zip(checks, TEXTS, strict=True)) == len(TEXTS) - 1
    assert checks[TEXTS.index("half \udc80")].name == "half ?"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "EOF"),
        (b"[]", "object"),
        (b'{"form": "curvewise-check/2", "checks": []}', "form"),
        (b'{"form": "curvewise-check/1", "checks": []}', "checks"),
        (b'{"form": "curvewise-check/1", "checks": [{"name": 1}]}', "checks.0.name"),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(text: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match="not a report of `curvewise check") as refused:
        check_json.read(text)
    assert says in str(refused.value)
