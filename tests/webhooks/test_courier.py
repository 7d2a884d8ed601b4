"""From what happened to a run to what its receivers got, on both databases: once each in the end, whoever fails."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as Verifier

from app.errors import InvalidInput, UnknownDelivery, UnknownProject, UnknownWebhook
from app.storage import deletion, deliveries, events, moving, runs, webhooks
from app.storage.database import Database, make_engine
from app.storage.deliveries import Delivery
from app.storage.events import Event
from app.storage.migrate import upgrade
from app.storage.tables import deliveries as delivery_table
from app.storage.tables import webhooks as webhook_table
from app.webhooks.courier import SCHEDULE_S, Courier, Manners, pause_s
from app.webhooks.subscriptions import MOST_WEBHOOKS, Webhooks
from tests.webhooks.receiver import Receiver, receiving, wait_until

# What depends on no database is tried on the one that is made quickly.
ON_SQLITE = pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
QUICK = Manners(allow_private=True, timeout_s=5.0, retry_scale=1e-9)
ALL = ("finding_appeared", "finding_resolved", "run_finished", "run_failed", "run_stalled", "run_resumed")


def make_run(database: Database, project: str = "p", name: str = "r") -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, project)
        return runs.lock_run(connection, home.id, name)[0].id


def happen(database: Database, run_id: int, *kinds: str, after: int = 0) -> None:
    now = datetime.now(UTC)
    with database.writing() as connection:
        events.append(
            connection,
            run_id,
            after,
            [Event(kind=kind, created_at=now, payload={"through_step": 5.0}) for kind in kinds],  # type: ignore[arg-type]
        )


def subscribe(database: Database, url: str, *kinds: str, project: str = "p") -> webhooks.Webhook:
    verbs = Webhooks(database, QUICK)
    return verbs.subscribe(project, url, kinds or ALL, "standard")  # type: ignore[arg-type]


@contextmanager
def at_work(database: Database, manners: Manners = QUICK) -> Iterator[Courier]:
    courier = Courier(database, manners)
    courier.start()
    try:
        yield courier
    finally:
        courier.stop()


def sent(database: Database, webhook: webhooks.Webhook) -> list[Delivery]:
    with database.reading() as connection:
        return deliveries.newest(connection, webhook.id, limit=100)[::-1]


def settled(database: Database, webhook: webhooks.Webhook, count: int = 1) -> list[Delivery]:
    """The webhook's deliveries, once there are so many and none waits."""
    wait_until(lambda: len(found := sent(database, webhook)) == count and all(d.state != "waiting" for d in found))
    return sent(database, webhook)


def claim(database: Database, lease_s: float = 60.0) -> list[Delivery]:
    with database.writing() as connection:
        return deliveries.claim(connection, datetime.now(UTC), timedelta(seconds=lease_s), most=8)


def test_each_webhook_is_told_what_it_subscribed_to_of_its_project_alone(
    database: Database, receiver: Receiver
) -> None:
    run_id, other = make_run(database), make_run(database, "other")
    webhook = subscribe(database, receiver.url, "run_finished", "run_stalled")
    happen(database, run_id, "run_stalled", "run_resumed", "run_finished")
    happen(database, other, "run_finished")
    with at_work(database):
        settled(database, webhook, 2)
    got = [Verifier(webhook.secret).verify(one.body, dict(one.headers)) for one in receiver.received]
    assert sorted(one["type"] for one in got) == ["run_finished", "run_stalled"]
    assert {(one["data"]["project"], one["data"]["run"]) for one in got} == {("p", "r")}
    assert got[0]["data"]["through_step"] == 5.0
    assert [one.id for one in receiver.received] == [one.message_id for one in sent(database, webhook)]


def test_what_happened_before_a_webhook_was_subscribed_is_not_told(database: Database, receiver: Receiver) -> None:
    run_id = make_run(database)
    happen(database, run_id, "run_stalled")
    Courier(database, QUICK).address_events()
    webhook = subscribe(database, receiver.url)
    happen(database, run_id, "run_finished", after=1)
    Courier(database, QUICK).address_events()
    assert [one.kind for one in sent(database, webhook)] == ["run_finished"]


def test_a_failed_message_is_sent_again_under_its_id_and_signed_anew(database: Database, receiver: Receiver) -> None:
    webhook = subscribe_and_finish(database, receiver)
    receiver.answers = [(500, {}), (503, {}), (200, {})]
    with at_work(database):
        [delivery] = settled(database, webhook)
    assert (delivery.state, delivery.attempts, delivery.status, delivery.error) == ("delivered", 3, 200, None)
    assert len({one.id for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    for one in receiver.received:
        Verifier(webhook.secret).verify(one.body, dict(one.headers))


def subscribe_and_finish(database: Database, receiver: Receiver) -> webhooks.Webhook:
    run_id = make_run(database)
    webhook = subscribe(database, receiver.url)
    happen(database, run_id, "run_finished")
    return webhook


@ON_SQLITE
def test_what_is_never_taken_is_given_up_after_the_schedule_and_may_be_replayed(
    database: Database, receiver: Receiver
) -> None:
    webhook = subscribe_and_finish(database, receiver)
    receiver.answers = [(500, {})] * (len(SCHEDULE_S) + 1)
    with at_work(database) as courier:
        [dead] = settled(database, webhook)
        assert (dead.state, dead.attempts, dead.status, dead.due_at) == ("dead", 10, 500, None)
        assert len(receiver.received) == 10
        Webhooks(database, QUICK).replay("p", webhook.id, dead.id)
        courier.wake()
        wait_until(lambda: sent(database, webhook)[0].state == "delivered")
    assert {one.id for one in receiver.received} == {dead.message_id}
    assert sent(database, webhook)[0].attempts == 1


def test_the_schedule_spans_days_with_jitter() -> None:
    waits = [[pause_s(attempt, 1.0) or 0.0 for _ in range(200)] for attempt in range(1, 10)]
    for planned, drawn in zip(SCHEDULE_S, waits, strict=True):
        assert 0.8 * planned <= min(drawn) < 0.9 * planned
        assert 1.1 * planned < max(drawn) <= 1.2 * planned
    assert pause_s(10, 1.0) is None
    assert sum(SCHEDULE_S) > 3 * 24 * 3600


@ON_SQLITE
def test_a_receiver_that_asks_for_time_is_given_it(database: Database, receiver: Receiver) -> None:
    webhook = subscribe_and_finish(database, receiver)
    receiver.answers = [(429, {"Retry-After": "3600"})]
    with at_work(database):
        wait_until(lambda: sent(database, webhook) and sent(database, webhook)[0].status == 429)
    [delivery] = sent(database, webhook)
    assert delivery.state == "waiting"
    assert delivery.due_at is not None
    assert delivery.tried_at is not None
    assert timedelta(seconds=3590) < delivery.due_at - delivery.tried_at < timedelta(seconds=3700)
    assert len(receiver.received) == 1


def test_gone_disables_a_webhook_until_it_takes_a_ping(database: Database, receiver: Receiver) -> None:
    run_id = make_run(database)
    webhook, verbs = subscribe(database, receiver.url), Webhooks(database, QUICK)
    receiver.answers = [(410, {})]
    happen(database, run_id, "run_stalled", "run_resumed")
    with at_work(database) as courier:
        assert {one.state for one in settled(database, webhook, 2)} == {"dead"}
        assert verbs.get("p", webhook.id).disabled_at is not None
        happen(database, run_id, "run_finished", after=2)
        wait_until(lambda: not waiting_events(database))
        assert len(sent(database, webhook)) == 2
        assert len(receiver.received) == 1
        verbs.ping("p", webhook.id)
        courier.wake()
        wait_until(lambda: verbs.get("p", webhook.id).disabled_at is None)
        happen(database, run_id, "run_stalled", after=3)
        assert settled(database, webhook, 4)[-1].state == "delivered"


def waiting_events(database: Database) -> bool:
    with database.reading() as connection:
        return events.any_waiting(connection)


@ON_SQLITE
def test_a_ping_is_tried_once(database: Database, receiver: Receiver) -> None:
    make_run(database)
    webhook = subscribe(database, receiver.url)
    receiver.answers = [(500, {})]
    Webhooks(database, QUICK).ping("p", webhook.id)
    with at_work(database):
        [delivery] = settled(database, webhook)
    assert (delivery.kind, delivery.state, delivery.attempts) == ("ping", "dead", 1)
    assert json.loads(receiver.received[0].body)["type"] == "ping"


def test_several_processes_make_each_message_once_and_send_it_once(database: Database, receiver: Receiver) -> None:
    run_ids = [make_run(database, name=f"r{number}") for number in range(12)]
    hooks = [subscribe(database, f"{receiver.url}/{number}") for number in range(3)]
    couriers = [Courier(database, QUICK) for _ in range(4)]
    for courier in couriers:
        courier.start()
    for run_id in run_ids:
        happen(database, run_id, "run_finished")
    for hook in hooks:
        settled(database, hook, len(run_ids))
    for courier in couriers:
        courier.stop()
    assert len(receiver.received) == len({one.id for one in receiver.received}) == len(run_ids) * len(hooks)


def test_what_is_claimed_is_nobody_elses_until_the_claim_is_over(database: Database, receiver: Receiver) -> None:
    webhook = subscribe_and_finish(database, receiver)
    Courier(database, QUICK).address_events()
    with ThreadPoolExecutor(4) as pool:
        claimed = [one for found in pool.map(lambda _: claim(database), range(8)) for one in found]
    assert len(claimed) == 1
    with database.writing() as connection:  # as if its time had come, which is when whoever claimed it is dead
        overdue = {"due_at": datetime.now(UTC) - timedelta(seconds=1)}
        connection.execute(update(delivery_table).values(overdue))
    [again] = claim(database)
    assert (again.id, again.message_id, again.attempts) == (claimed[0].id, claimed[0].message_id, 2)
    with database.writing() as connection:  # the dead one was only slow
        values = {"state": "dead", "due_at": None, "status": 500, "error": "answered 500"}
        assert not deliveries.settle(connection, claimed[0], **values)  # type: ignore[arg-type]
        assert deliveries.settle(connection, again, state="delivered", due_at=None, status=200, error=None)
    assert sent(database, webhook)[0].state == "delivered"


@ON_SQLITE
def test_a_slow_receiver_keeps_nobody_else_waiting(database: Database, receiver: Receiver) -> None:
    run_ids = [make_run(database, name=f"r{number}") for number in range(5)]
    with receiving() as slow:
        slow.holding.set()
        held, quick = subscribe(database, slow.url), subscribe(database, receiver.url)
        for run_id in run_ids:
            happen(database, run_id, "run_finished")
        with at_work(database):
            assert {one.state for one in settled(database, quick, 5)} == {"delivered"}
            assert len(slow.received) == 1  # and not all threads are with it
            slow.holding.clear()
            settled(database, held, 5)


@ON_SQLITE
def test_a_stop_waits_for_an_answer_but_not_for_long(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = subscribe_and_finish(database, receiver)
    receiver.holding.set()
    courier = Courier(database, QUICK)
    courier.start()
    receiver.wait_for(1)
    threading.Timer(0.3, receiver.holding.clear).start()
    courier.stop()
    assert sent(database, webhook)[0].state == "delivered"

    monkeypatch.setattr("app.webhooks.courier._GRACE_S", 0.2)
    receiver.holding.set()
    Webhooks(database, QUICK).replay("p", webhook.id, sent(database, webhook)[0].id)
    courier = Courier(database, QUICK)
    courier.start()
    receiver.wait_for(2)
    begun = time.monotonic()
    courier.stop()
    assert time.monotonic() - begun < 2
    assert sent(database, webhook)[0].state == "waiting"  # it is due again once the claim is over
    receiver.holding.clear()
    wait_until(lambda: sent(database, webhook)[0].state == "delivered")


@pytest.mark.parametrize("what", ["run", "project", "webhook"])
def test_what_was_deleted_is_told_no_more_and_leaves_nothing(database: Database, receiver: Receiver, what: str) -> None:
    run_id = make_run(database)
    webhook = subscribe(database, receiver.url)
    happen(database, run_id, "run_stalled")
    courier = Courier(database, QUICK)
    courier.address_events()
    happen(database, run_id, "run_finished", after=1)
    with database.writing() as connection:
        home = runs.find_project(connection, "p")
        assert home
        if what == "run":
            deletion.mark_run(connection, run_id)
        elif what == "project":
            deletion.mark_project(connection, home.id)
        else:
            webhooks.remove(connection, webhook.id)
    if what != "run":  # what is said of it may be on its way, until it is erased
        assert claim(database) == []
    while deletion.erase_some(database):
        pass
    deletion.erase_some(database)
    courier.address_events()
    assert claim(database) == []
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(delivery_table)).scalar_one() == 0
        left = connection.execute(select(func.count()).select_from(webhook_table)).scalar_one()
    assert left == (1 if what == "run" else 0)


def test_a_webhook_that_is_deleted_while_its_message_is_claimed_gets_it_no_more(
    database: Database, receiver: Receiver
) -> None:
    webhook = subscribe_and_finish(database, receiver)
    courier = Courier(database, QUICK)
    courier.address_events()
    [delivery] = claim(database)
    Webhooks(database, QUICK).remove("p", webhook.id)
    courier.attempt(delivery)
    assert receiver.received == []


def test_webhooks_stay_behind_when_a_project_is_copied(database: Database, tmp_path: Path, receiver: Receiver) -> None:
    subscribe_and_finish(database, receiver)
    Courier(database, QUICK).address_events()
    copy = Database(make_engine(f"sqlite:///{tmp_path}/copy.db"))
    upgrade(copy.engine)
    with database.reading() as connection:
        moving.copy_project(connection, copy, "p", "p")
    with copy.reading() as connection:
        for table in (webhook_table, delivery_table):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    copy.close()


def test_old_messages_are_forgotten_but_not_those_that_wait(database: Database, receiver: Receiver) -> None:
    webhook = subscribe_and_finish(database, receiver)
    with at_work(database):
        settled(database, webhook)
    make = Webhooks(database, QUICK)
    waiting = make.ping("p", webhook.id)
    with database.writing() as connection:
        connection.execute(update(delivery_table).values(created_at=datetime.now(UTC) - timedelta(days=31)))
    Courier(database, QUICK).tidy()
    assert [one.id for one in sent(database, webhook)] == [waiting.id]


@ON_SQLITE
def test_a_private_address_is_refused_at_the_door_and_again_when_it_is_sent_to(
    database: Database, receiver: Receiver
) -> None:
    webhook = subscribe_and_finish(database, receiver)
    strict = Manners(allow_private=False, retry_scale=1e-9)
    for url in (receiver.url, "http://localhost/", "http://127.1/", "http://[::1]/", "http://169.254.169.254/latest"):
        with pytest.raises(InvalidInput, match="private address"):
            Webhooks(database, strict).subscribe("p", url, ALL, "standard")
    with at_work(database, strict):  # it was subscribed when that was allowed
        [dead] = settled(database, webhook)
    assert dead.state == "dead"
    assert "private address" in (dead.error or "")
    assert receiver.received == []


NOT_MEANT = (
    "", "ci.example", "ftp://ci.example/", "http://", "https://user:pass@ci.example/", "https://ci.example/#part",
    "https://ci.example/" + "x" * 2000, "https://ci.example/\u00e9", "javascript:alert(1)", "http://ci.example:99999/",
    "http://ci.example:0/", "http://[::1", "http://ci .example/",
)  # fmt: skip


@ON_SQLITE
def test_a_url_that_cannot_be_meant_is_refused(database: Database) -> None:
    make_run(database)
    for url in NOT_MEANT:
        with pytest.raises(InvalidInput):
            subscribe(database, url)


@ON_SQLITE
def test_a_project_has_room_for_so_many_webhooks_and_says_what_it_does_not_have(database: Database) -> None:
    with pytest.raises(UnknownProject):
        subscribe(database, "https://ci.example/")
    make_run(database)
    verbs = Webhooks(database, QUICK)
    made = [subscribe(database, "https://ci.example/") for _ in range(MOST_WEBHOOKS)]
    with pytest.raises(InvalidInput, match="the most"):
        subscribe(database, "https://ci.example/")
    assert len({one.secret for one in made}) == MOST_WEBHOOKS
    make_run(database, "other")
    with pytest.raises(UnknownWebhook):
        verbs.get("other", made[0].id)
    with pytest.raises(UnknownDelivery):
        verbs.replay("p", made[0].id, 99)
    verbs.remove("p", made[0].id)
    assert len(verbs.listed("p")) == MOST_WEBHOOKS - 1
