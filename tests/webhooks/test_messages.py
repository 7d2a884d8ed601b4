"""What webhooks are told: bounded, readable by those it is for, and harmless whatever users called things."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from app.storage.events import Kind
from app.webhooks.messages import LARGEST_BODY, Said, page_of, render

AT = datetime(2026, 1, 31, 9, 0, 0, 250_000, UTC)
FINDING = {
    "code": "CW005",
    "rule": "overfitting",
    "severity": "warning",
    "confidence": 0.93,
    "onset_step": 4200.0,
    "summary": "val/loss has climbed 14 % above its best since step 4200",
    "first_seen_at": "2026-01-31T08:59:00+00:00",
}
APPEARED = Said(
    kind="finding_appeared",
    at=AT,
    project="mnist",
    run="r1",
    payload=FINDING,
    page="https://curves.example/projects/mnist/runs/r1",
)
HOSTILE = "<!channel> <@U123> @everyone *b* _i_ `c` ||s|| [x](http://evil.example) <http://evil.example|x> & #g"


def told(said: Said, template: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(render(said, template))
    return read


def test_the_standard_shape_is_type_timestamp_and_data() -> None:
    assert told(APPEARED, "standard") == {
        "type": "finding_appeared",
        "timestamp": "2026-01-31T09:00:00.250000Z",
        "data": {
            "project": "mnist",
            "run": "r1",
            "url": "https://curves.example/projects/mnist/runs/r1",
            "code": "CW005",
            "rule": "overfitting",
            "severity": "warning",
            "confidence": 0.93,
            "onset_step": 4200.0,
            "summary": "val/loss has climbed 14 % above its best since step 4200",
        },
    }


def test_what_is_not_finite_is_a_string_and_never_a_token_that_is_no_json() -> None:
    payload = {"through_step": float("inf"), "confidence": float("nan"), "onset_step": float("-inf")}
    data = told(replace(APPEARED, kind="run_stalled", payload=payload), "standard")["data"]
    assert (data["through_step"], data["confidence"], data["onset_step"]) == ("Infinity", "NaN", "-Infinity")


@pytest.mark.parametrize("template", ["standard", "slack", "discord"])
@pytest.mark.parametrize("kind", [*get_args(Kind), "ping"])
@pytest.mark.parametrize(
    "name", ["n", "<" * 250, "\U0001f525" * 250, "\\" * 250, '"' * 250, "\ud7ff" * 250, "&*" * 125]
)
def test_every_message_fits_whatever_things_are_called(template: Any, kind: Any, name: str) -> None:
    payload = {**FINDING, "summary": name * 100} if kind.startswith("finding") else {"through_step": 1.0}
    page = page_of("https://curves.example/", name, name)
    said = Said(kind=kind, at=AT, project=name, run=None if kind == "ping" else name, payload=payload, page=page)
    body = render(said, template)
    assert len(body.encode()) < LARGEST_BODY
    shown = json.loads(body)
    if template == "discord":
        assert 0 < len(shown["content"]) <= 2000
    if template == "slack":
        texts = [shown["blocks"][0]["text"]["text"]] + [b["elements"][0]["text"] for b in shown["blocks"][1:]]
        assert all(0 < len(text) <= 3000 for text in texts)
        assert shown["text"]


def test_slack_sees_no_mention_link_or_markup_in_what_users_typed() -> None:
    said = replace(APPEARED, project=HOSTILE, payload={**FINDING, "summary": HOSTILE})
    shown = told(said, "slack")
    for text in (shown["text"], shown["blocks"][0]["text"]["text"]):
        assert "<" not in text
        assert ">" not in text
        assert "&lt;!channel&gt;" in text
        assert "*b*" not in text
        assert "`c`" not in text
    # Else Slack looks for channels and addresses by itself.
    assert shown["blocks"][0]["text"]["verbatim"] is True
    assert shown["unfurl_links"] is shown["unfurl_media"] is False
    assert shown["blocks"][1]["elements"][0]["text"] == f"<{APPEARED.page}|Open the run>"


def test_discord_notifies_nobody_and_formats_nothing_that_users_typed() -> None:
    said = replace(APPEARED, project=HOSTILE, page="", payload={**FINDING, "summary": HOSTILE})
    shown = told(said, "discord")
    assert shown["allowed_mentions"] == {"parse": []}
    content = shown["content"]
    marks = "*_~`|<>[]()@#:"
    assert all(content[at - 1] == "\\" for at, letter in enumerate(content) if letter in marks)
    assert "CW005" in content
    assert "overfitting" in content


@pytest.mark.parametrize("template", ["slack", "discord"])
def test_chats_are_told_what_where_and_how_bad_in_one_sentence(template: Any) -> None:
    shown = render(APPEARED, template).replace("\\\\", "")
    assert "mnist/r1: CW005 overfitting (warning) found" in shown.replace("\\", "")
    stalled = replace(APPEARED, kind="run_stalled", payload={"through_step": 7.0})
    assert "no points for several times its usual interval" in render(stalled, template)


def test_without_an_address_of_the_server_chats_get_no_link_and_programs_the_path() -> None:
    said = replace(APPEARED, page=page_of("", "a b", "r/1"))
    assert told(said, "standard")["data"]["url"] == "/projects/a%20b/runs/r%2F1"
    assert len(told(said, "slack")["blocks"]) == 1
    assert "projects" not in told(said, "discord")["content"]
