"""Webhooks over HTTP: what is shown, what is hidden, and the whole way from a job's points to a receiver."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from app.settings import Settings
from app.storage import runs, standings
from app.storage.database import Database, make_engine
from tests.api.conftest import serving
from tests.webhooks.receiver import Receiver, receiving, wait_until

HOLD_S = 2.5
EXPLODED = '{"curves": {"train/loss": {"steps": [6, 7, 8], "values": [NaN, NaN, NaN]}}}'
MENDED = {"curves": {"train/loss": {"steps": [6, 7, 8], "values": [0.9, 0.8, 0.7]}}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture(scope="module")
def open_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that may send to this machine."""
    settings = Settings(
        database_url=f"sqlite:///{tmp_path_factory.getbasetemp()}/webhooks.db",
        webhook_allow_private=True,
        webhook_retry_scale=1e-9,
        finding_hold_s=HOLD_S,
        public_url="https://curves.example",
    )
    with serving(settings) as opened:
        yield opened


def subscribed(client: httpx.Client, url: str, **said: object) -> tuple[str, dict[str, object]]:
    """The path of a new project's new webhook, and what was answered."""
    project = f"/api/v1/projects/{uuid4().hex}"
    client.put(f"{project}/runs/r").raise_for_status()
    made = client.post(f"{project}/webhooks", json={"url": url, **said})
    assert made.status_code == 201, made.text
    return f"{project}/webhooks/{made.json()['id']}", made.json()


def test_the_secret_is_shown_once_and_the_url_never_whole(open_client: httpx.Client) -> None:
    url = "https://hooks.slack.com/services/T000/B000/verysecrettoken"
    path, made = subscribed(open_client, url, template="slack", events=["run_failed"])
    assert str(made["secret"]).startswith("whsec_")
    shown = open_client.get(path).json()
    listed = open_client.get(path.rsplit("/", 1)[0]).json()["items"]
    assert listed == [shown] == [{name: value for name, value in made.items() if name != "secret"}]
    assert shown["url"] == "https://hooks.slack.com/…oken"
    assert (shown["template"], shown["events"], shown["disabled_at"]) == ("slack", ["run_failed"], None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ci.example", "https://ci.example"),
        ("https://ci.example/", "https://ci.example/"),
        ("https://ci.example/short", "https://ci.example/…"),
        ("https://ci.example?token=verysecret", "https://ci.example"),
        ("https://ci.example:8443/a/long/path?token=verysecret", "https://ci.example:8443/…cret"),
    ],
)
def test_what_may_be_a_token_is_left_out(open_client: httpx.Client, url: str, shown: str) -> None:
    assert subscribed(open_client, url)[1]["url"] == shown


def test_a_ping_tells_whether_a_webhook_works(open_client: httpx.Client, receiver: Receiver) -> None:
    path, made = subscribed(open_client, receiver.url)
    asked = open_client.post(f"{path}/ping").json()
    assert (asked["kind"], asked["state"]) == ("ping", "waiting")
    [got] = receiver.wait_for(1)
    assert Verifier(str(made["secret"])).verify(got.body, dict(got.headers))["type"] == "ping"
    there = f"{path}/deliveries/{asked['id']}"
    wait_until(lambda: open_client.get(there).json()["state"] == "delivered")
    assert open_client.get(there).json()["message_id"] == got.id
    assert open_client.get(f"{path}/deliveries").json()["items"] == [open_client.get(there).json()]


def test_what_was_given_up_is_found_and_replayed(open_client: httpx.Client, receiver: Receiver) -> None:
    path, _ = subscribed(open_client, receiver.url, events=["run_finished"])
    receiver.answers = [(500, {})] * 10
    open_client.post(f"{path.rsplit('/', 2)[0]}/runs/r/finish").raise_for_status()
    dead = f"{path}/deliveries?state=dead"
    wait_until(lambda: open_client.get(dead).json()["items"])
    [given_up] = open_client.get(dead).json()["items"]
    assert (given_up["attempts"], given_up["status"], given_up["error"]) == (10, 500, "answered 500")
    again = open_client.post(f"{path}/deliveries/{given_up['id']}/replay").json()
    assert (again["state"], again["message_id"]) == ("waiting", given_up["message_id"])
    wait_until(lambda: not open_client.get(dead).json()["items"])
    assert {one.id for one in receiver.wait_for(11)} == {given_up["message_id"]}


def test_deliveries_come_newest_first_and_in_pages(open_client: httpx.Client, receiver: Receiver) -> None:
    path, _ = subscribed(open_client, receiver.url)
    made = [open_client.post(f"{path}/ping").json()["id"] for _ in range(5)]
    seen, before = [], None
    while True:
        query = {"limit": 2} | ({} if before is None else {"before": before})
        page = open_client.get(f"{path}/deliveries", params=query).json()
        seen += [one["id"] for one in page["items"]]
        if (before := page["next"]) is None:
            break
    assert seen == made[::-1]


def test_a_deleted_webhook_is_gone(open_client: httpx.Client, receiver: Receiver) -> None:
    path, _ = subscribed(open_client, receiver.url)
    assert open_client.delete(path).status_code == 204
    for gone in (open_client.get(path), open_client.delete(path), open_client.post(f"{path}/ping")):
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:curvewise:problem:unknown-webhook")
    other, _ = subscribed(open_client, receiver.url)
    lost = open_client.post(f"{other}/deliveries/1/replay")
    assert (lost.status_code, lost.json()["type"]) == (404, "urn:curvewise:problem:unknown-delivery")
    # A number that another project's webhook has tells nothing of it.
    elsewhere = f"{path.rsplit('/', 1)[0]}/{other.rsplit('/', 1)[1]}"
    assert open_client.get(elsewhere).status_code == 404


@pytest.mark.parametrize(
    "said",
    [
        {"url": "http://127.0.0.1/hook"},
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": "https://ci.example/hook", "events": []},
        {"url": "https://ci.example/hook", "events": ["finding_vanished"]},
        {"url": "https://ci.example/hook", "template": "teams"},
        {"url": "https://ci.example/hook", "secret": "whsec_mine"},
        {},
    ],
)
def test_what_cannot_be_meant_is_a_problem_document(client: httpx.Client, run: str, said: dict[str, object]) -> None:
    reply = client.post(f"{run.rsplit('/', 2)[0]}/webhooks", json=said)
    assert (reply.status_code, reply.headers["Content-Type"]) == (422, "application/problem+json")
    assert client.get(f"{run.rsplit('/', 2)[0]}/webhooks").json() == {"items": []}


def test_a_finding_that_flickers_is_told_once_or_never(
    open_client: httpx.Client,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job whose loss goes to NaN, comes back at once, goes again and stays: on HTTP from end to end."""
    monkeypatch.setattr("app.monitor.worker.LOOKED_EVERY_S", 0.1)
    monkeypatch.setattr("app.monitor.worker._TICK_S", 0.1)
    path, made = subscribed(open_client, receiver.url)
    run = f"{path.rsplit('/', 2)[0]}/runs/r"
    start = {"curves": {"train/loss": {"steps": [0, 1, 2, 3, 4, 5], "values": [2.3, 2.0, 1.7, 1.4, 1.2, 1.0]}}}
    open_client.post(f"{run}/points", json=start).raise_for_status()

    def post(body: object) -> None:
        content = {"content": body} if isinstance(body, str) else {"json": body}
        open_client.post(f"{run}/points", **content).raise_for_status()  # type: ignore[arg-type]

    database = Database(make_engine(f"sqlite:///{tmp_path_factory.getbasetemp()}/webhooks.db"))

    def noticed() -> bool:
        """Whether the monitor has seen it."""
        with database.reading() as connection:
            home = runs.find_project(connection, run.split("/")[4])
            assert home
            found = runs.find_run(connection, home.id, "r")
            assert found
            stood = standings.find(connection, [found.id]).get(found.id)
            return stood is not None and "CW008" in stood.held

    for _ in range(2):
        post(EXPLODED)
        wait_until(noticed)
        post(MENDED)
        wait_until(lambda: not noticed())
    assert receiver.received == []
    database.close()

    post(EXPLODED)
    [first] = receiver.wait_for(1, within_s=4 * HOLD_S)
    told = Verifier(str(made["secret"])).verify(first.body, dict(first.headers))
    assert (told["type"], told["data"]["code"], told["data"]["severity"]) == ("finding_appeared", "CW008", "error")
    assert told["data"]["url"] == f"https://curves.example/projects/{run.split('/')[4]}/runs/r"
    # Judged again, and still there: no second message. The end of the run is one of its own.
    post('{"curves": {"train/loss": {"steps": [9, 10], "values": [NaN, NaN]}}}')
    open_client.post(f"{run}/finish", json={"state": "failed"}).raise_for_status()
    receiver.wait_for(2)
    time.sleep(1.5)
    kinds = [Verifier(str(made["secret"])).verify(one.body, dict(one.headers))["type"] for one in receiver.received]
    assert kinds == ["finding_appeared", "run_failed"]


def test_a_project_that_is_deleted_takes_its_webhooks_along(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/w.db", webhook_allow_private=True)
    with serving(settings) as client:
        path, _ = subscribed(client, receiver.url)
        project = path.rsplit("/", 2)[0]
        assert client.delete(project).status_code == 204
        assert client.get(path).status_code == 404
        assert client.put(f"{project}/runs/r").status_code == 201  # the same name, and nothing of the old one
        assert client.get(f"{project}/webhooks").json() == {"items": []}
        client.post(f"{project}/runs/r/finish").raise_for_status()
        time.sleep(1.5)
    assert receiver.received == []
