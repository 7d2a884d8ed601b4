"""Runs are judged in the background: each change once, whoever dies, and nothing is told twice."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from app.curves.points import Points
from app.errors import StorageUnavailable
from app.monitor.worker import Monitor
from app.rules.context import RunState
from app.storage import chunks, deletion, events, runs, standings
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.events import StoredEvent
from app.storage.standings import StoredStanding
from app.storage.tables import chunks as chunk_table
from app.storage.tables import events as event_table
from app.storage.tables import findings as finding_table
from app.storage.tables import runs as run_table
from app.storage.tables import standings as standing_table

PROCESS = Path(__file__).parents[1] / "monitor_process.py"
HEALTHY, EXPLODING = np.exp(-np.arange(60) / 20), np.full(5, np.nan)
BEGAN = datetime.now(UTC)


@pytest.fixture
def monitor(database: Database) -> Monitor:
    return Monitor(database, since=BEGAN - timedelta(days=1), share=1)


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def open_run(database: Database, name: str = "r") -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return runs.lock_run(connection, home.id, name)[0].id


def write(database: Database, run_id: int, values: np.ndarray, first: float = 0, attempt: int | None = None) -> None:
    part = Points("train/loss", np.arange(len(values)) + first, np.asarray(values, float))
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, attempt, [part])])


def heard(database: Database, run_id: int, when: datetime, values: np.ndarray = HEALTHY, first: float = 0) -> None:
    """Points that arrive at this time."""
    write(database, run_id, values, first)
    with database.writing() as connection:
        connection.execute(update(run_table).where(run_table.c.id == run_id).values(updated_at=when))


def set_state(database: Database, run_id: int, state: RunState) -> None:
    with database.writing() as connection:
        found = runs.find_by_id(connection, run_id)
        assert found
        runs.save_run(connection, replace(found[1], context=replace(found[1].context, state=state)))


def stood(database: Database, run_id: int) -> StoredStanding:
    with database.reading() as connection:
        return standings.find(connection, [run_id])[run_id]


def happened(database: Database, run_id: int) -> list[StoredEvent]:
    with database.reading() as connection:
        found = events.of_run(connection, run_id)
    assert [one.sequence for one in found] == list(range(1, len(found) + 1))
    return found


def kinds(database: Database, run_id: int) -> list[str]:
    return [one.kind for one in happened(database, run_id)]


def test_a_finding_that_lasts_is_told_once(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    heard(database, run_id, at(0), EXPLODING)
    monitor.sweep(at(0))
    seen = stood(database, run_id)
    assert (seen.turn, seen.through_step, seen.fired) == (1, 4.0, [])
    assert seen.held["CW008"].fired_at is None
    monitor.sweep(at(0.5))
    assert stood(database, run_id).turn == 1  # nothing was written and its time has not come
    monitor.sweep(at(1.1))
    monitor.sweep(at(9))
    (told,) = happened(database, run_id)
    assert (told.kind, told.project, told.run, told.payload["code"]) == ("finding_appeared", "p", "r", "CW008")
    assert told.payload["summary"] == stood(database, run_id).fired[0].summary


def test_a_finding_that_flickers_is_not_told_twice(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    heard(database, run_id, at(0), EXPLODING)
    monitor.sweep(at(0))
    monitor.sweep(at(2))
    assert kinds(database, run_id) == ["finding_appeared"]
    for turn in range(1, 5):  # corrected and broken again, all within a minute
        heard(database, run_id, at(3), HEALTHY if turn % 2 else EXPLODING)
        monitor.sweep(at(3 + turn / 10))
    assert stood(database, run_id).turn == 6
    assert kinds(database, run_id) == ["finding_appeared"]
    heard(database, run_id, at(4), HEALTHY)
    monitor.sweep(at(4))
    monitor.sweep(at(5.5))
    assert kinds(database, run_id) == ["finding_appeared", "finding_resolved"]
    assert stood(database, run_id).held == {}


def test_a_run_that_ends_is_told_of_at_once_with_its_findings(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    heard(database, run_id, at(0), EXPLODING)
    monitor.sweep(at(0))
    set_state(database, run_id, "failed")
    monitor.sweep(at(0.2))
    monitor.sweep(at(9))
    assert kinds(database, run_id) == ["finding_appeared", "run_failed"]
    assert happened(database, run_id)[1].payload == {"through_step": 4.0}
    set_state(database, run_id, "running")
    monitor.sweep(at(10))
    set_state(database, run_id, "finished")
    monitor.sweep(at(11))
    assert kinds(database, run_id)[2:] == ["run_resumed", "run_finished"]


def test_what_ended_long_ago_is_listed_and_no_news(database: Database, monitor: Monitor) -> None:
    old, left = open_run(database, "old"), open_run(database, "left running")
    for run_id in (old, left):
        heard(database, run_id, at(0), EXPLODING)
    set_state(database, old, "finished")
    monitor.sweep(at(3 * 24 * 60))
    assert [one.code for one in stood(database, old).fired] == ["CW008"]
    assert stood(database, left).stalled_since == at(0)
    assert kinds(database, old) == kinds(database, left) == []


def test_rules_that_change_are_no_news_of_a_run(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    heard(database, run_id, at(0), EXPLODING)
    set_state(database, run_id, "failed")
    monitor.sweep(at(0))
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        runs.save_project(connection, replace(home, roles={"train/loss": ""}))
    monitor.sweep(at(1))
    assert stood(database, run_id).held == {}
    assert kinds(database, run_id) == ["finding_appeared", "run_failed"]


def test_a_silent_run_is_stalled_until_it_is_heard_of_again(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    for minute in range(6):
        heard(database, run_id, at(minute), first=60 * minute)
        monitor.sweep(at(minute))
    monitor.sweep(at(9))
    assert stood(database, run_id).stalled_since is None
    monitor.sweep(at(30))
    monitor.sweep(at(60))
    assert stood(database, run_id).stalled_since == at(5)
    (told,) = (one for one in happened(database, run_id) if one.kind == "run_stalled")
    assert datetime.fromisoformat(told.payload["stalled_since"]) == at(5)
    set_state(database, run_id, "running")  # somebody said something about it
    monitor.sweep(at(61))
    assert stood(database, run_id).stalled_since == at(5)
    heard(database, run_id, at(62), first=400)
    monitor.sweep(at(62))
    assert stood(database, run_id).stalled_since is None
    assert [one for one in kinds(database, run_id) if one.startswith("run")] == ["run_stalled", "run_resumed"]


def test_a_run_that_evaluates_every_hour_is_not_stalled_in_between(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    for hour in range(6):
        heard(database, run_id, at(60 * hour), first=60 * hour)
        for minutes in range(0, 60, 20):
            monitor.sweep(at(60 * hour + minutes))
            assert stood(database, run_id).stalled_since is None
    monitor.sweep(at(60 * 5 + 60 * 9))
    assert stood(database, run_id).stalled_since == at(60 * 5)


def test_a_server_that_was_away_gives_jobs_time_to_come_back(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    for minute in range(6):
        heard(database, run_id, at(minute), first=60 * minute)
        monitor.sweep(at(minute))
    restarted = Monitor(database, since=at(600))
    restarted.sweep(at(601))
    assert stood(database, run_id).stalled_since is None
    restarted.sweep(at(606))
    assert stood(database, run_id).stalled_since == at(5)


def test_what_this_process_wrote_is_looked_at_without_a_sweep_and_not_all_the_time(
    database: Database, monitor: Monitor
) -> None:
    run_id = open_run(database)
    for second in range(12):
        heard(database, run_id, at(second / 60), first=60 * second)
        monitor.note([run_id])
        monitor.look_at_waiting(at(second / 60))
    assert stood(database, run_id).turn == 3
    set_state(database, run_id, "finished")
    monitor.note([run_id], at_once=True)
    monitor.look_at_waiting(at(12 / 60))
    assert kinds(database, run_id)[-1] == "run_finished"


def test_a_sparkline_is_the_validation_loss_in_sixty_numbers(database: Database, monitor: Monitor) -> None:
    run_id = open_run(database)
    write(database, run_id, np.linspace(2, 1, 1000))
    with database.writing() as connection:
        part = Points("eval_loss", np.arange(0.0, 1000, 10), np.linspace(3, 2, 100))
        part.values[50:60] = np.nan
        chunks.write(connection, [Batch(run_id, None, [part])])
    monitor.sweep(datetime.now(UTC))
    seen = stood(database, run_id)
    assert seen.sparkline_curve == "val/loss"
    assert len(seen.sparkline) == 60
    drawn = np.array(seen.sparkline)
    assert 0 < np.isnan(drawn).sum() < 10
    assert (np.diff(drawn[np.isfinite(drawn)]) < 0).all()


def test_one_run_that_cannot_be_judged_keeps_no_other_from_it(
    database: Database, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [open_run(database, name) for name in "abc"]
    for run_id in ids:
        heard(database, run_id, at(0), EXPLODING)
    with database.writing() as connection:
        connection.execute(update(chunk_table).where(chunk_table.c.run_id == ids[1]).values(block=b"damaged"))
        broken, _ = runs.lock_project(connection, "broken")
        runs.save_project(connection, replace(broken, params={"overfitting": {"of an older version": 1}}))
        strange = runs.lock_run(connection, broken.id, "r")[0].id
    monitor.sweep(at(0))
    monitor.sweep(at(1.5))
    assert [kinds(database, run_id) for run_id in ids] == [["finding_appeared"], [], ["finding_appeared"]]
    assert [stood(database, run_id).turn for run_id in (ids[1], strange)] == [1, 1]  # not again until it changes
    assert "cannot be read" in caplog.text
    assert "cannot be judged" in caplog.text


@pytest.fixture
def second(database: Database, database_url: str) -> Iterator[Database]:
    opened = Database(make_engine(database_url))
    yield opened
    opened.close()


def fill(database: Database, count: int) -> list[int]:
    ids = [open_run(database, f"r{number}") for number in range(count)]
    for run_id in ids:
        write(database, run_id, EXPLODING)
        set_state(database, run_id, "failed")
    return ids


def counts(database: Database) -> dict[tuple[int, str], int]:
    query = select(event_table.c.run_id, event_table.c.kind, func.count()).group_by(*list(event_table.c)[1:4:2])
    with database.reading() as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def test_of_two_monitors_one_judges_each_run(database: Database, second: Database) -> None:
    ids = fill(database, 40)
    now = datetime.now(UTC)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(Monitor(one, share=1).sweep, now) for one in (database, second)]:
            done.result()
    assert counts(database) == {(run_id, kind): 1 for run_id in ids for kind in ("finding_appeared", "run_failed")}
    assert {stood(database, run_id).turn for run_id in ids} == {1}
    with database.writing() as connection:  # and each event is handed on once
        assert len(events.take(connection, 1000)) == 80
    with second.writing() as connection:
        assert events.take(connection, 1000) == []


def test_a_run_that_another_monitor_is_at_is_left_to_it(database: Database, second: Database) -> None:
    run_id = fill(database, 1)[0]
    Monitor(database).sweep(datetime.now(UTC))
    set_state(database, run_id, "finished")
    if database.on_sqlite:  # it has read the run and not saved yet
        with database.reading() as connection:
            stale = Monitor(database)._look(connection, run_id, datetime.now(UTC))
        assert stale
        Monitor(second, share=1).sweep(datetime.now(UTC) + timedelta(minutes=1))
        with database.writing() as connection:
            assert standings.save(connection, [stale.after]) == set()
    else:
        with database.writing() as connection:
            assert standings.claim(connection, run_id)
            begun = time.monotonic()
            Monitor(second, share=1).sweep(datetime.now(UTC) + timedelta(minutes=1))
            assert time.monotonic() - begun < 5  # it did not wait
            assert stood(database, run_id).turn == 1
        Monitor(second, share=1).sweep(datetime.now(UTC) + timedelta(minutes=1))
    assert stood(database, run_id).turn == 2
    assert kinds(database, run_id) == ["finding_appeared", "run_failed", "run_finished"]


def test_a_monitor_that_is_killed_loses_nothing_and_repeats_nothing(database: Database, database_url: str) -> None:
    ids = fill(database, 80)
    judged = 0
    for kill in range(1, 4):
        process = subprocess.Popen([sys.executable, PROCESS, database_url], stdout=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline() == b"watching\n"
        deadline = time.monotonic() + 30
        while len(counts(database)) <= judged and time.monotonic() < deadline:
            time.sleep(0.05 * kill)
        process.kill()
        process.communicate()
        judged = len(counts(database))
    assert judged > 0
    Monitor(database, share=1).sweep(datetime.now(UTC))
    assert counts(database) == {(run_id, kind): 1 for run_id in ids for kind in ("finding_appeared", "run_failed")}


def test_no_more_than_a_share_of_a_core_is_spent(database: Database) -> None:
    fill(database, 10)
    began, spent = time.monotonic(), time.thread_time()
    Monitor(database, share=0.2).sweep(datetime.now(UTC))
    assert (time.thread_time() - spent) / (time.monotonic() - began) < 0.25


def test_a_deleted_run_takes_its_standing_along(database: Database, monitor: Monitor) -> None:
    gone, kept = fill(database, 2)
    monitor.sweep(datetime.now(UTC))
    with database.writing() as connection:
        deletion.mark_run(connection, gone)
    set_state_of_gone(database, gone)
    monitor.sweep(at(60))
    with database.writing() as connection:
        assert {one.run_id for one in events.take(connection, 99)} == {kept}
    assert deletion.erase_some(database)
    for table in (standing_table, finding_table, event_table):
        with database.reading() as connection:
            assert set(connection.execute(select(table.c.run_id)).scalars()) == {kept}


def set_state_of_gone(database: Database, run_id: int) -> None:
    """What a writer that came too late would have left."""
    with database.writing() as connection:
        connection.execute(update(run_table).where(run_table.c.id == run_id).values(revision=99))


def test_erasing_and_judging_do_not_wait_for_each_other(database: Database, second: Database) -> None:
    for turn in range(4):
        ids = fill(database, 12)
        with ThreadPoolExecutor(2) as pool:
            judging = pool.submit(Monitor(second, share=1).sweep, datetime.now(UTC) + timedelta(minutes=turn))
            for run_id in ids:
                with database.writing() as connection:
                    deletion.mark_run(connection, run_id)
                while deletion.erase_some(database):
                    pass
            judging.result()
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(standing_table)).scalar_one() == 0


def test_what_happened_long_ago_is_forgotten(database: Database, monitor: Monitor) -> None:
    run_id = fill(database, 1)[0]
    monitor.sweep(at(0))
    assert len(happened(database, run_id)) == 2
    monitor.sweep(at(60 * 24 * 91))
    assert happened(database, run_id) == []


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_thread_outlives_a_database_that_does_not_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.monitor.worker._TICK_S", 0.02)
    monkeypatch.setattr("app.monitor.worker._AFTER_TROUBLE_S", 0.02)
    monkeypatch.setattr("app.monitor.worker._SWEEP_S", 0.1)
    run_id = fill(database, 1)[0]
    engine = database._reader
    missing = make_engine("postgresql://nobody@127.0.0.1:1/none")
    database._reader = missing
    with pytest.raises(StorageUnavailable), database.reading():
        pass
    others = set(threading.enumerate())
    monitor = Monitor(database)
    monitor.note([run_id])
    monitor.start()
    wait_until(lambda: "not looked at" in caplog.text)
    database._reader = engine
    wait_until(lambda: counts(database) != {})
    monitor.stop()
    missing.dispose()
    assert "monitor" not in {thread.name for thread in set(threading.enumerate()) - others}
