"""`curvewise rediagnose`: what would change is told first, and what was judged is not judged again."""

import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from app import archive
from app.curves.points import Points
from app.storage import chunks, diagnoses, runs
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.diagnoses import Kept
from tests.cli.conftest import Run
from tests.server_process import free_port


@pytest.fixture(autouse=True)
def several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BATCH", 4)


def fill(database: Database, count: int = 10) -> None:
    """Closed runs that overfit; of all but the last, what was told was said by rules that saw nothing."""
    steps = np.arange(60.0)
    for number in range(count):
        train = Points("train/loss", steps, 2 * np.exp(-steps / 10) + 0.001)
        val = Points("val/loss", steps, 2 * np.exp(-steps / 10) + 0.0005 * np.clip(steps - 15, 0, None) ** 2 + 0.2)
        with database.writing() as connection:
            home, _ = runs.lock_project(connection, "p")
            run, _ = runs.lock_run(connection, home.id, f"r{number}")
            chunks.write(connection, [Batch(run.id, None, [train, val])])
            if number < count - 1:
                judged = archive.judge_stored(connection, home, run)
                blind = type(judged)(**{**vars(judged), "verdicts": ()})
                diagnoses.keep(connection, {run.id: Kept("of old", blind)})


def told(database: Database) -> dict[str, int]:
    """Run -> how many findings are told of it."""
    with database.reading() as connection:
        ids = runs.ids_after(connection, 0, 1000)
        return {
            kept.diagnosis.run or "": len(kept.diagnosis.findings) for kept in diagnoses.find(connection, ids).values()
        }


def test_changes_are_told_and_made_only_when_asked_for(call: Run, database: Database, database_url: str) -> None:
    fill(database)
    before = told(database)
    asked = call("rediagnose", "--project", "p", "--database-url", database_url)
    assert asked.returncode == 0
    assert "10 runs: 10 judged now, 0 before" in asked.stdout
    assert "9 runs change, 0 stay as they are, 1 had no diagnosis kept" in asked.stdout
    assert "r0: " in asked.stdout
    assert "overfitting appears" in asked.stdout
    assert "nothing was changed" in asked.stdout
    assert told(database) == before == {f"r{number}": 0 for number in range(9)}
    done = call("rediagnose", "--project", "p", "--apply", "--database-url", database_url)
    assert "10 runs: 0 judged now, 10 before" in done.stdout
    assert "10 diagnoses are now what is told" in done.stdout
    assert len(told(database)) == 10
    assert all(told(database).values())
    again = call("rediagnose", "--project", "p", "--database-url", database_url)
    assert "0 runs change, 10 stay as they are" in again.stdout


def test_what_dies_goes_on_where_it_stopped(
    call: Run, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    real, judged = archive.judge_stored, []

    def judge(*arguments: object) -> object:
        if len(judged) == 6:
            raise KeyboardInterrupt
        judged.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(archive, "judge_stored", judge)
    first, second, _ = archive.batches(database, "p")
    assert archive.propose(database_url, "p", first) == 4
    with pytest.raises(KeyboardInterrupt):
        archive.propose(database_url, "p", second)
    monkeypatch.setattr(archive, "judge_stored", real)
    done = call("rediagnose", "--project", "p", "--database-url", database_url)
    assert "10 runs: 6 judged now, 4 before" in done.stdout
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, _ = runs.lock_run(connection, home.id, "r3")
        chunks.write(connection, [Batch(run.id, None, [Points("train/loss", np.array([60.0]), np.array([np.nan]))])])
    done = call("rediagnose", "--project", "p", "--runs", "--database-url", database_url)
    assert "10 runs: 1 judged now, 9 before" in done.stdout
    assert "exploding appears" in done.stdout


def test_what_cannot_be_done_is_told(call: Run, database: Database, database_url: str) -> None:
    nowhere = call("rediagnose", "--project", "nowhere", "--database-url", database_url)
    assert (nowhere.returncode, "there is no project 'nowhere'" in nowhere.stderr) == (1, True)


def test_a_cluster_judges_an_archive(run: Run, database: Database, database_url: str) -> None:
    if database.on_sqlite:
        pytest.skip("workers share a Postgres")
    fill(database, count=120)
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    command = ("rediagnose", "--project", "p", "--scheduler", address, "--database-url", database_url)
    with ExitStack() as stack:
        started = []
        for arguments in (scheduler, worker, worker):
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        for _ in range(10):
            done = run(*command)
            if done.returncode == 0:
                break
        assert "120 runs: 120 judged now, 0 before" in done.stdout, done.stderr
        assert "119 runs change" in done.stdout
        started[1].kill()  # one worker is gone, and the other is enough
        done = run(*command, "--apply")
        assert "120 diagnoses are now what is told" in done.stdout, done.stderr
    gone = run(*command)
    assert (gone.returncode, "no Dask scheduler answers" in gone.stderr) == (1, True)
