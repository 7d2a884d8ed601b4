"""The page of the API: all that the OpenAPI document says, without a network, under the policy of every page."""

import httpx
import pytest
from playwright.sync_api import expect

from app.api.app import create_app
from app.pages.documentation import kind
from app.pages.render import coded
from app.settings import Settings
from tests.pages.looking import Logged, Watched

OPERATIONS = "() => [...document.querySelectorAll('.operation')].map(o => [o.id, o.querySelector('code').textContent])"
MODELS = "() => [...document.querySelectorAll('h3[id^=model-]')].map(h => h.textContent)"


def test_every_operation_and_every_model_stands_on_it(desk: Watched) -> None:
    page = desk.open("/docs")
    document = create_app(Settings()).openapi()
    told = page.evaluate(OPERATIONS)
    paths = document["paths"].items()
    assert sorted(told) == sorted([said["operationId"], path] for path, verbs in paths for said in verbs.values())
    models = page.evaluate(MODELS)
    assert set(models) == set(document["components"]["schemas"])
    page.locator("#put_run summary").click()
    expect(page.locator("#put_run")).to_contain_text("num_classes")
    page.locator("#put_run a", has_text="RunIn").first.click()
    assert page.url.endswith("#model-RunIn")


def test_nothing_of_it_is_fetched_from_elsewhere(logged: Logged) -> None:
    reply: httpx.Response = logged.client.get("/docs", headers={"Accept": "text/html"})
    assert reply.status_code == 200
    assert "script-src 'self'" in reply.headers["Content-Security-Policy"]
    assert "//cdn" not in reply.text
    assert logged.client.get("/docs/oauth2-redirect").status_code == 404


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert coded("as `NaN` & <b>`<i>`</b>") == "as <code>NaN</code> &amp; &lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/RunIn"}, "RunIn"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "string, characters ≤ 9 or null"),
        ({"enum": ["min", "max"]}, '"min" or "max"'),
        ({"const": 1}, "1"),
        ({"type": "array", "items": {"type": "integer", "minimum": 1}}, "list of integer, ≥ 1"),
        ({"type": "array"}, "list"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema: dict, words: str) -> None:
    assert kind(schema) == words
