"""Clients that write while something is killed, and remember what they were promised."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import httpx

CLIENTS = 8
RUNS = ("one", "two")
PROJECT = "/api/v1/projects/p/runs"


class Clients:
    """What eight clients were told.

    promised: (run, step). refused: status -> how often. broken: how often a connection ended without an answer.
    """

    def __init__(self) -> None:
        self.promised: list[tuple[str, int]] = []
        self.refused: Counter[int] = Counter()
        self.broken = 0
        self._steps = count()  # each step is written once, whatever became of it
        self._stopping = threading.Event()

    @contextmanager
    def writing(self, servers: Sequence[str], *, insist: bool = False) -> Iterator[None]:
        """Write point after point to these servers in turn; insist: send a refused point again until it is stored."""
        self._stopping.clear()
        threads = [
            threading.Thread(target=self._work, args=(servers[number % len(servers)], insist))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in threads)

    def _work(self, server: str, insist: bool) -> None:
        with httpx.Client(base_url=server, timeout=60) as client:
            while not self._stopping.is_set():
                step = next(self._steps)
                while not self._sent(client, step) and insist and not self._stopping.is_set():
                    time.sleep(0.05)

    def _sent(self, client: httpx.Client, step: int) -> bool:
        run = RUNS[step % len(RUNS)]
        body = {"curves": {"loss": {"steps": [step], "values": [step * 0.5]}}}
        try:
            status = client.post(f"{PROJECT}/{run}/points", json=body).status_code
        except httpx.TransportError:
            self.broken += 1
            time.sleep(0.02)
            return False
        if status == 200:
            self.promised.append((run, step))
            return True
        self.refused[status] += 1
        return False


def open_runs(client: httpx.Client) -> None:
    """Make the runs that clients write to."""
    for run in RUNS:
        client.put(f"{PROJECT}/{run}").raise_for_status()


def stored(client: httpx.Client) -> set[tuple[str, int]]:
    """(run, step) of every point that the server reads back; each has the value it was written with."""
    found = set()
    for run in RUNS:
        curve = client.get(f"{PROJECT}/{run}/curves").raise_for_status().json()["curves"].get("loss")
        for step, value in zip(curve["steps"], curve["values"], strict=True) if curve else ():
            assert value == step * 0.5
            found.add((run, int(step)))
    return found
