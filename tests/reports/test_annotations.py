"""Workflow commands, read back as a GitHub runner reads the lines of a step."""

import re
from collections import Counter

from app.reports import annotations, words
from tests.checked import checked, each_outcome, hostile
from tests.hostile import TEXTS

COMMAND = re.compile(r"::(?P<kind>[a-z]+) (?P<properties>[^:]*)::(?P<message>.*)")


def unescaped(text: str, *, of_property: bool) -> str:
    for code, character in (("%3A", ":"), ("%2C", ",")) if of_property else ():
        text = text.replace(code, character)
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def read(text: str) -> list[dict[str, str]]:
    found = []
    for line in text.split("\n")[:-1]:
        match = COMMAND.fullmatch(line)
        assert match, line
        properties = dict(part.split("=", 1) for part in match["properties"].split(","))
        found.append(
            {"kind": match["kind"], "message": unescaped(match["message"], of_property=False)}
            | {key: unescaped(value, of_property=True) for key, value in properties.items()}
        )
    return found


def test_a_command_an_issue_the_worst_first() -> None:
    found = read(annotations.render(each_outcome()))
    kinds = [each["kind"] for each in found]
    assert kinds == sorted(kinds, key=["error", "warning", "notice"].index)
    assert Counter(kinds)["error"] == 4
    first = found[0]
    assert (first["file"], first["line"]) == ("src/train.py", "1")
    (overfitting,) = (each for each in found if each["kind"] == "error" and "overfitting" in each["title"])
    assert overfitting["title"] == "CW005 overfitting in mnist/mlp-300-samples"
    assert "Keep the checkpoint of step 250.\n" in overfitting["message"]
    assert "21%" in overfitting["message"]


def test_an_error_that_fails_nothing_is_a_warning() -> None:
    found = read(annotations.render([checked("mlp-rate-3.0", fail_on="none")]))
    assert [each["kind"] for each in found] == ["warning"]


def test_more_than_github_shows_is_counted() -> None:
    found = read(annotations.render([checked("mlp-rate-3.0")] * 11 + [checked("mlp-300-samples")] * 10))
    assert Counter(each["kind"] for each in found) == {"error": 10, "notice": 10}
    assert found[9]["message"].startswith("2 more like these")
    assert "more like these" not in found[-1]["message"]
    assert annotations.render([]) == ""


def test_texts_of_strangers_command_nothing(monkeypatch) -> None:
    monkeypatch.setattr(annotations, "MOST", 1000)
    text = annotations.render(hostile())
    found = read(text)
    assert {each["kind"] for each in found} == {"error"}
    assert {each["file"] for each in found} == {words.plain(each) for each in TEXTS}
    titles = {each["title"] for each in found}
    assert {f"CW005 overfitting in {words.plain(each)}" for each in TEXTS} <= titles
