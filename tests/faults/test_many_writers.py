"""Several writers to one run through two servers: late, twice, resumed, and settled by a process that is killed."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from app.storage.database import Database, make_engine
from app.storage.tables import curves
from tests.server_process import process, wait_until_ready

SETTLER = Path(__file__).parents[1] / "settler_process.py"
RUN = "/api/v1/projects/p/runs/r"
STEPS, RESUMED_AT = 300, 200
WRITERS = 4


def value(attempt: int, step: int) -> float:
    return attempt * 1000 + step / 7


def batches(attempt: int, first: int, seed: int) -> list[dict[str, object]]:
    """All steps of an attempt in small batches in any order, every third one sent twice."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(np.arange(first, STEPS)).tolist()
    parts = [shuffled[at : at + 7] for at in range(0, len(shuffled), 7)]
    parts += parts[::3]
    return [
        {"attempt": attempt, "curves": {"loss": {"steps": part, "values": [value(attempt, s) for s in part]}}}
        for part in parts
    ]


def send(address: str, bodies: Sequence[dict[str, object]], failed: list[str]) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        for body in bodies:
            reply = client.post(f"{RUN}/points", json=body)
            if reply.status_code != 200:
                failed.append(reply.text)


@contextmanager
def settling(url: str, stop: threading.Event) -> Iterator[list[int]]:
    """Settle, and be killed, again and again, at moments that only chance knows; the list counts the lives."""
    lives: list[int] = []

    def work() -> None:
        moment = random.Random(1)
        while not stop.is_set():
            with subprocess.Popen([sys.executable, str(SETTLER), url], stdout=subprocess.PIPE) as settler:
                if settler.stdout and settler.stdout.readline():
                    lives.append(settler.pid)
                stop.wait(moment.uniform(0.01, 0.3))
                settler.kill()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lives
    finally:
        stop.set()
        thread.join(timeout=60)
    assert not thread.is_alive()


def test_many_writers_of_one_run_make_the_run_that_one_would(database_url: str) -> None:
    stop, failed = threading.Event(), list[str]()
    with process(database_url) as (_, first), process(database_url) as (_, second):
        wait_until_ready(first)
        wait_until_ready(second)
        first.put(RUN).raise_for_status()
        addresses = [str(first.base_url), str(second.base_url)]
        with settling(database_url, stop) as lives:
            bodies = [*batches(1, 0, seed=1), *batches(2, RESUMED_AT, seed=2)]
            random.Random(3).shuffle(bodies)
            threads = [
                threading.Thread(target=send, args=(addresses[number % 2], bodies[number::WRITERS], failed))
                for number in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=120)
            until_killed(lives, least=3)
        assert failed == []
        assert settled(database_url) > 0
        expected = [value(1 if step < RESUMED_AT else 2, step) for step in range(STEPS)]
        for client in (first, second):
            loss = client.get(f"{RUN}/curves").raise_for_status().json()["curves"]["loss"]
            assert loss["steps"] == list(range(STEPS))
            assert loss["values"] == expected
            # Points follow the latest attempt, whichever server opened it.
            assert client.get(RUN).json()["attempt"] == 2
            assert client.get(f"{RUN}/diagnosis").json()["through_step"] == STEPS - 1


def settled(url: str) -> int:
    """Through which sequence the curve is settled."""
    database = Database(make_engine(url))
    with database.reading() as connection:
        through: int = connection.execute(select(curves.c.settled)).scalar_one()
    database.close()
    return through


def until_killed(lives: Sequence[int], least: int) -> None:
    waiting = threading.Event()
    for _ in range(600):
        if len(lives) >= least:
            return
        waiting.wait(0.05)
    pytest.fail("the settler was not killed often enough")
