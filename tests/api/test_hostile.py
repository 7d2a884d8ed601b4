"""Whatever strangers call things, each route puts it out as text: in every media type that it has, by a real parser.

The routes are those of the application and the media types those of its OpenAPI document, so that a new one is walked
as well, or fails for having no parser.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest

from app.api.mlflow.app import PREFIX as MLFLOW
from app.limits import LONGEST_NAME
from app.reports.words import plain
from app.settings import Settings
from app.storage.webhooks import Template
from app.webhooks.messages import Said, page_of, render
from tests.api.conftest import serving
from tests.api.test_auth import ALL, APP
from tests.hostile import NAMES, TEXTS
from tests.parsers import PARSERS, as_html, as_json, as_line, as_prometheus, refuse

_READS = sorted({path for method, path in ALL if method == "GET" and "{project}" in path})
# What may name neither a project, nor a run, nor anything else that a stranger wrote.
_SILENT = re.compile(
    r"/(webhooks.*|schedule|findings|chart|audit|standing|events|importance|slice|ensembles|predictions"
    r"|badge/.*json) |/diagnosis image/svg"
)
# Where one answer takes most of a second: one name in so many. The first is of the run that has all of them.
_SLOW = {
    "/api/v1/projects/{project}/runs/{run}/diagnosis image/svg+xml": 4,
    "/api/v1/projects/{project}/runs/{run}/diagnosis text/html": 9,
    "/api/v1/projects/{project}/runs/{run}/events text/event-stream": 9,
}


def media_types(path: str) -> list[str]:
    """What a GET of this path can answer with; a page where the document does not say."""
    said = APP.openapi()["paths"].get(path, {}).get("get")
    return sorted(said["responses"]["200"]["content"]) if said else ["text/html"]


WALK = [(path, media) for path in _READS for media in media_types(path)]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server with a project of each name, whose run, tags, config, curve, commit and search have it too."""
    url = f"sqlite:///{tmp_path_factory.mktemp('hostile')}/hostile.db"
    with serving(Settings(database_url=url)) as client:
        for name in NAMES:
            run = f"/api/v1/projects/{quote(name, safe='')}/runs/{quote(name, safe='')}"
            names = NAMES if name == NAMES[0] else [name]
            facts = {
                "config": {one: [one] for one in names},
                "tags": {"job": name, **{one: one for one in names}},
                "commit": name[:50],
            }
            assert client.put(run, json={**facts, "context": {"schedule": name[:50]}}).status_code == 201
            loss = {"steps": [0, 1, 2, 3, 4], "values": [2.3, 9.5, 80.1, "Infinity", "NaN"]}
            curves = {"train/loss": loss} | {one: {"steps": [0], "values": [1.0]} for one in names}
            assert client.post(f"{run}/points", json={"curves": curves}).json()["accepted"] == 5 + len(names)
            space = {"space": {"lr": {"kind": "choice", "options": [name, "b"]}}}
            search = f"/api/v1/projects/{quote(name, safe='')}/searches/{quote(name, safe='')}"
            assert client.put(search, json=space).status_code == 201
            done = {"at_step": 1, "action": "stop", "text": name[:500], "by": name, "args": {name: name}}
            assert client.put(f"{run}/actions/{quote(name, safe='')}", json=done).status_code == 201
        yield client


def ask(client: httpx.Client, url: str, media: str) -> tuple[httpx.Response, bytes]:
    """The reply and its body; of a stream without an end what comes first."""
    with client.stream("GET", url, headers={"Accept": media}) as reply:
        if media != "text/event-stream":
            return reply, reply.read()
        body = b""
        for piece in reply.iter_bytes():
            body += piece
            if b"event: diagnosis" in body or len(body) > 10_000:
                break
        return reply, body


def path_to(path: str, name: str) -> str:
    part = quote(name, safe="")
    return re.sub(r"\{[^}]*\}", lambda found: part, path.replace("{webhook}", "none").replace("{delivery}", "none"))


def test_every_media_type_that_is_documented_has_a_parser() -> None:
    documented = {
        media
        for operations in APP.openapi()["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for media in response.get("content", {})
    }
    assert documented <= set(PARSERS)
    assert len(WALK) > 20


@pytest.mark.parametrize(("path", "media"), WALK)
def test_what_a_route_answers_is_text_wherever_a_stranger_wrote_it(named: httpx.Client, path: str, media: str) -> None:
    where = f"{path} {media}"
    for name in NAMES[:: _SLOW.get(where, 1)]:
        reply, body = ask(named, path_to(path, name), media)
        assert reply.status_code < 500, body
        texts = PARSERS[reply.headers["content-type"].partition(";")[0]](body)
        assert reply.headers["x-content-type-options"] == "nosniff"
        if not _SILENT.search(where):
            shown = {" ".join(each.split()) for each in (name, plain(name), quote(name, safe=""))}
            assert any(one in " ".join(text.split()) for text in texts for one in shown), (name, texts[:40])


@pytest.mark.parametrize("path", ["/api/v1/projects/{}", "/api/v1/projects/p/runs/{}", "/projects/{}", "/badge/{}.svg"])
def test_what_is_not_there_is_told_in_words_that_hold_the_name_as_text(named: httpx.Client, path: str) -> None:
    for text in TEXTS:
        url = path.format(quote(text + "?", safe="", errors="surrogatepass"))
        reply = named.get(url, headers={"Accept": "text/html" if path.startswith("/projects") else "*/*"})
        assert 400 <= reply.status_code < 500 or path.startswith("/badge")  # which draws that nothing is known
        PARSERS[reply.headers["content-type"].partition(";")[0]](reply.content)


def test_labels_of_metrics_are_names(named: httpx.Client) -> None:
    labels = as_prometheus(named.get("/metrics").content)
    assert set(NAMES) <= set(labels)


def test_lists_name_what_there_is(named: httpx.Client) -> None:
    assert set(NAMES) <= set(as_json(named.get("/api/v1/projects", params={"limit": 1000}).content))
    shown = as_html(named.get("/", headers={"Accept": "text/html"}).content)
    assert {" ".join(name.split()) for name in NAMES} <= {" ".join(text.split()) for text in shown}


def test_mlflows_clients_are_told_names_as_they_are(named: httpx.Client) -> None:
    api = f"{MLFLOW}/api/2.0/mlflow"
    found = named.post(f"{api}/experiments/search", json={"max_results": 1000}).json()["experiments"]
    assert set(NAMES) <= {one["name"] for one in found}
    for text in NAMES:
        if len(text) == LONGEST_NAME:
            continue  # MLflow's names are cut where a run's id would not fit behind them: it finds what it made itself
        got = named.get(f"{api}/experiments/get-by-name", params={"experiment_name": text})
        one = got.json()["experiment"]
        assert one["name"] == text
        opened = {"experiment_id": one["experiment_id"], "run_name": text, "tags": [{"key": text, "value": text}]}
        run = named.post(f"{api}/runs/create", json=opened).json()["run"]["info"]["run_id"]
        param = {"run_id": run, "key": "p", "value": text}
        assert named.post(f"{api}/runs/log-parameter", json=param).status_code == 200
        runs = as_json(named.post(f"{api}/runs/search", json={"experiment_ids": [one["experiment_id"]]}).content)
        assert runs.count(text) >= 4  # its name twice, its tag, its param
    for text in TEXTS:
        wrong = named.post(f"{api}/runs/log-metric", json={"run_id": text.encode(errors="replace").decode(), "key": 1})
        assert wrong.status_code < 500
        as_json(wrong.content)


def test_each_request_is_one_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = [text.encode(errors="replace").decode() for text in TEXTS]
    settings = Settings(database_url=f"sqlite:///{tmp_path}/logged.db", log_requests=True)
    with caplog.at_level(logging.INFO, "curvewise.requests"), serving(settings) as client:
        for text in asked:
            client.get(f"/api/v1/projects/{quote(text, safe='')}", headers={"X-Request-Id": quote(text)})
    said = [record.getMessage() for record in caplog.records if record.name == "curvewise.requests"]
    said = [one for one in said if "/healthz" not in one]
    assert [as_line(one.encode()) for one in said] == [[one] for one in said]
    assert [json.loads(one)["path"] for one in said] == [f"/api/v1/projects/{text}" for text in asked]


@pytest.mark.parametrize("template", get_args(Template))
def test_receivers_of_webhooks_are_told_texts(template: Template) -> None:
    for text in TEXTS:
        finding = {"code": "CW005", "rule": "overfitting", "severity": "warning", "confidence": 0.9, "summary": text}
        page = page_of("https://curves.example", *[text.encode(errors="replace").decode()] * 2)
        said = Said(kind="finding_appeared", at=datetime.now(UTC), project=text, run=text, payload=finding, page=page)
        RECEIVERS[template](json.loads(render(said, template), parse_constant=refuse), text, page)


def by_program(told: Any, text: str, page: str) -> None:
    assert (told["data"]["project"], told["data"]["run"], told["data"]["url"]) == (text, text, page)


def by_slack(told: Any, text: str, page: str) -> None:
    """Of the characters that Slack reads, none is left but those of the one link that we made."""
    shown = told["blocks"][0]["text"]["text"]
    assert told["text"] == shown
    assert not re.search("[<>]|&(?!amp;|lt;|gt;)", shown)
    assert not re.search("(?<!\u2060)[*_~`]|[*_~`](?!\u2060)", shown)
    assert {block["elements"][0]["text"] for block in told["blocks"][1:]} <= {f"<{page}|Open the run>"}
    plain_again = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("\u2060", "")
    assert text[:90] in plain_again


def by_discord(told: Any, text: str, page: str) -> None:
    """No mark is left without its backslash, and nobody is called."""
    assert told["allowed_mentions"] == {"parse": []}
    shown = told["content"].removesuffix(f"\n<{page}>")
    unescaped, rest = "", shown
    while rest:
        at = 1 if rest[0] == "\\" else 0
        assert at or rest[0] not in "*_~`|<>[]()@#:-"
        unescaped, rest = unescaped + rest[at : at + 1], rest[at + 1 :]
    assert text[:90] in unescaped


RECEIVERS: Mapping[Template, Callable[[Any, str, str], None]] = {
    "standard": by_program,
    "slack": by_slack,
    "discord": by_discord,
}
