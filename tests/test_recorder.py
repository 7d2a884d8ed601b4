import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, text

from app.curves.points import Points
from app.errors import Overloaded, StorageFull, StorageUnavailable, UnknownRun
from app.recorder import Recorder
from app.storage import chunks, runs
from app.storage.database import Database, make_engine
from tests.writer_process import CLIENTS

WRITER = Path(__file__).with_name("writer_process.py")
GONE = 12345


@pytest.fixture
def run_ids(database: Database) -> list[int]:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return [runs.lock_run(connection, home.id, name)[0].id for name in ("one", "two")]


def loss(*steps: float) -> list[Points]:
    return [Points("loss", np.array(steps, float), np.array(steps, float) * 0.5)]


def stored(database: Database, run_id: int) -> dict[float, float]:
    with database.reading() as connection:
        curve = chunks.read(connection, run_id, ["loss"]).get("loss")
    return {} if curve is None else dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


@asynccontextmanager
async def recording(database: Database, queue_points: int = 1000) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, queue_points)
    await recorder.start()
    yield recorder
    await recorder.stop()


@contextmanager
def commits(database: Database) -> Iterator[list[int]]:
    """One entry for each transaction that the block commits."""
    seen: list[int] = []

    def count(_connection: object) -> None:
        seen.append(1)

    event.listen(database.engine, "commit", count)
    yield seen
    event.remove(database.engine, "commit", count)


@contextmanager
def held_up(database: Database) -> Iterator[None]:
    """Another server holds the lock that every write here needs, so that requests gather."""
    other = Database(make_engine(database.engine.url.render_as_string(hide_password=False)))
    with other.writing() as connection:
        runs.lock_project(connection, "p")
        connection.execute(text("UPDATE runs SET attempt = attempt"))
        yield
    other.close()


async def gathered() -> None:
    """Long enough for the writer to take the first request and wait for the lock."""
    await asyncio.sleep(0.1)


def test_what_was_acknowledged_is_stored(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database) as recorder:
            await recorder.record(run_ids[0], loss(1, 2), None)
            assert stored(database, run_ids[0]) == {1: 0.5, 2: 1.0}

    asyncio.run(main())


def test_nothing_to_write_writes_nothing(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database) as recorder:
            with commits(database) as seen:
                await recorder.record(run_ids[0], loss(), None)
                await recorder.record(run_ids[0], [], None)
            assert seen == []

    asyncio.run(main())


def test_what_waits_is_written_in_one_transaction(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database) as recorder:
            with held_up(database):
                requests = [asyncio.create_task(recorder.record(run_ids[0], loss(0), None))]
                await gathered()
                requests += [asyncio.create_task(recorder.record(run_ids[i % 2], loss(i), None)) for i in range(1, 50)]
                await gathered()
                assert not any(request.done() for request in requests)
            with commits(database) as seen:
                await asyncio.gather(*requests)
            assert len(seen) == 2  # the one that was under way, and all the others

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) | set(stored(database, run_ids[1])) == set(range(50))


def test_one_whose_run_is_gone_does_not_cost_the_others(database: Database, run_ids: list[int]):
    async def main() -> list[object]:
        async with recording(database) as recorder:
            with held_up(database):
                sent = [(run_ids[0], 0), (run_ids[0], 1), (GONE, 2), (run_ids[1], 3), (GONE, 4)]
                tasks = []
                for run_id, step in sent:
                    tasks.append(asyncio.create_task(recorder.record(run_id, loss(step), None)))
                    await gathered()
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(main())
    assert [type(outcome) for outcome in outcomes] == [frozenset, frozenset, UnknownRun, frozenset, UnknownRun]
    assert (set(stored(database, run_ids[0])), set(stored(database, run_ids[1]))) == ({0, 1}, {3})


def test_a_client_that_went_away_does_not_cost_the_others(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database, queue_points=4) as recorder:
            with held_up(database):
                tasks = [asyncio.create_task(recorder.record(run_ids[0], loss(step), None)) for step in range(4)]
                await gathered()
                tasks[0].cancel()
                tasks[2].cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(o) for o in outcomes] == [asyncio.CancelledError, frozenset] * 2
            # Their points no longer count as waiting: the queue takes as much as ever.
            with held_up(database):
                refill = [asyncio.create_task(recorder.record(run_ids[0], loss(step), None)) for step in range(4, 8)]
                await gathered()
            await asyncio.gather(*refill)

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) >= {1, 3, 4, 5, 6, 7}


def test_more_than_the_queue_holds_is_refused_at_once(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database, queue_points=10) as recorder:
            with held_up(database):
                first = asyncio.create_task(recorder.record(run_ids[0], loss(*range(6)), None))
                second = asyncio.create_task(recorder.record(run_ids[0], loss(*range(6, 10)), None))
                await gathered()
                with pytest.raises(Overloaded, match="10 points wait"):
                    await recorder.record(run_ids[0], loss(10), None)
            await asyncio.gather(first, second)
            await recorder.record(
                run_ids[0], loss(*range(100, 120)), None
            )  # alone, a batch may be larger than the queue

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) == {*range(10), *range(100, 120)}


def test_stop_writes_what_waits_and_takes_no_more(database: Database, run_ids: list[int]):
    async def main() -> None:
        recorder = Recorder(database, 10_000)
        with pytest.raises(StorageUnavailable):
            await recorder.record(run_ids[0], loss(0), None)
        await recorder.stop()
        await recorder.start()
        tasks = [asyncio.create_task(recorder.record(run_ids[0], loss(step), None)) for step in range(2500)]
        await asyncio.sleep(0)
        await recorder.stop()
        assert all(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        with pytest.raises(StorageUnavailable, match="stopping"):
            await recorder.record(run_ids[0], loss(1), None)
        await recorder.stop()

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) == set(range(2500))


def test_under_a_flood_each_request_is_either_stored_or_refused(database: Database, run_ids: list[int]):
    async def main() -> list[object]:
        async with recording(database, queue_points=100) as recorder:
            flood = (recorder.record(run_ids[0], loss(step), None) for step in range(500))
            return await asyncio.gather(*flood, return_exceptions=True)

    outcomes = asyncio.run(main())
    kept = {step for step, outcome in enumerate(outcomes) if isinstance(outcome, frozenset)}
    assert {type(outcome) for outcome in outcomes} == {frozenset, Overloaded}
    assert set(stored(database, run_ids[0])) == kept


def test_an_unforeseen_error_is_told_and_the_next_request_is_served(database: Database, run_ids: list[int]):
    async def main() -> None:
        async with recording(database) as recorder:
            mistake = Points("loss", np.array([1.0]), np.array([object()]))
            with pytest.raises(TypeError):
                await recorder.record(run_ids[0], [mistake], None)
            await recorder.record(run_ids[0], loss(2), None)

    asyncio.run(main())
    assert stored(database, run_ids[0]) == {2: 1.0}


def test_a_lock_that_never_ends_is_unavailable_and_everyone_is_told(
    database: Database, run_ids: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.storage.database._LOCK_WAIT_S", 0.2)
    impatient = Database(make_engine(database.engine.url.render_as_string(hide_password=False)))

    async def main() -> list[object]:
        async with recording(impatient) as recorder:
            with held_up(database):
                tasks = [asyncio.create_task(recorder.record(run_ids[0], loss(step), None)) for step in range(5)]
                return await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(outcome) for outcome in asyncio.run(main())} == {StorageUnavailable}
    assert stored(database, run_ids[0]) == {}
    impatient.close()


def test_a_database_that_does_not_answer_leaves_nobody_waiting(
    database: Database, run_ids: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.recorder._LONGEST_WAIT_S", 0.2)

    async def main() -> None:
        async with recording(database) as recorder:
            with held_up(database), pytest.raises(StorageUnavailable, match="may be sent again"):
                await recorder.record(run_ids[0], loss(1), None)
            await recorder.record(run_ids[0], loss(1, 2), None)

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) == {1, 2}


def test_a_full_disk_is_told_and_what_was_acknowledged_stays(database: Database, run_ids: list[int]):
    if database.engine.dialect.name != "sqlite":
        pytest.skip("only SQLite lets a test limit the size of its file")
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 40"))
    database.engine.dispose()

    async def main() -> None:
        async with recording(database, 10**6) as recorder:
            await recorder.record(run_ids[0], loss(1), None)
            with pytest.raises(StorageFull, match="no room left"):
                await recorder.record(run_ids[0], loss(*range(100_000)), None)
            await recorder.record(run_ids[0], loss(2), None)

    asyncio.run(main())
    assert set(stored(database, run_ids[0])) == {1, 2}


def acknowledged(lines: list[str]) -> set[tuple[int, int]]:
    return {(int(run_id), int(step)) for run_id, step in (line.split() for line in lines if line.endswith("\n"))}


def all_stored(database: Database, run_ids: list[int]) -> set[tuple[int, int]]:
    found = set()
    for run_id in run_ids:
        points = stored(database, run_id)
        assert all(value == step * 0.5 for step, value in points.items())
        found |= {(run_id, int(step)) for step in points}
    return found


def writer(url: str, first_step: int, batches: int, run_ids: list[int]) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), url, str(first_step), str(batches), *map(str, run_ids)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=WRITER.parents[1])


def test_every_acknowledged_point_survives_a_killed_server(database: Database, database_url: str, run_ids: list[int]):
    """Killed 5 times, at a moment that depends on nothing but how fast it got there."""
    promised: set[tuple[int, int]] = set()
    for kill in range(5):
        with writer(database_url, kill * 10**6, 10**5, run_ids) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(37 * (kill + 1))]
            process.kill()
            lines += process.stdout.readlines()
        promised |= acknowledged(lines)
        assert promised <= all_stored(database, run_ids)
    assert len(promised) >= 37 * 15
    if database.engine.dialect.name == "sqlite":
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_two_servers_write_the_same_runs_at_once(database: Database, database_url: str, run_ids: list[int]):
    batches = 15
    processes = [writer(database_url, first, batches, run_ids) for first in (0, 10**6)]
    lines: list[list[str]] = [[], []]
    readers = [threading.Thread(target=lambda i=i, p=p: lines[i].extend(p.stdout)) for i, p in enumerate(processes)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    for process in processes:
        assert process.wait() == 0
        assert process.stdout is not None
        process.stdout.close()
    promised = acknowledged(lines[0] + lines[1])
    assert len(promised) == 2 * batches * CLIENTS * len(run_ids)
    assert promised == all_stored(database, run_ids)
