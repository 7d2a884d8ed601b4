"""A load process of mixed work: training jobs of several sizes, people who look, and old runs that are deleted.

Paced, not as fast as can be: what is looked for is what changes in an hour of the same load.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.queues import Queue
from typing import Any
from urllib.parse import quote

import numpy as np
import uvloop

from connection import Connection, Reply
from ledger import CURVE, Written, lost, values

Row = dict[str, Any]
_ROOT = "/api/v1/projects/soak"
_READ_PAUSE_S = 0.1
_READERS = 4
_RESENT = 50  # one batch in so many is sent twice


@dataclass(frozen=True)
class Job:
    """points: a request. pause_s: mean time from an answer to the next request. requests: of a run, then a new one."""

    points: int
    pause_s: float
    requests: int


JOBS = (
    *[Job(1, 0.02, 3000)] * 8,
    *[Job(10, 0.05, 1200)] * 4,
    *[Job(100, 0.1, 600)] * 2,
    Job(1000, 0.2, 10**9),  # one run that goes on to the end
)


@dataclass(frozen=True)
class Load:
    """kept: how many closed runs are there before the oldest is deleted. hurry: runs are so many times shorter."""

    url: str
    seconds: float
    slices: int
    kept: int = 40
    hurry: int = 1


def work(load: Load, told: "Queue[Row]") -> None:
    """Do it, and tell of every slice when it is over and at last of what was lost; run in a process of its own."""
    uvloop.run(_Site(load, told).run())


@dataclass
class _Site:
    load: Load
    told: "Queue[Row]"
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    open_runs: dict[int, Written] = field(default_factory=dict)
    closed: deque[Written] = field(default_factory=deque)
    names: "count[int]" = field(default_factory=count)
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    over: bool = False

    async def run(self) -> None:
        work = [self.write(number, job) for number, job in enumerate(JOBS)]
        work += [self.read(Connection(self.load.url)) for _ in range(_READERS)]
        work += [self.delete_old(Connection(self.load.url))]
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
            for number in range(self.load.slices):
                await asyncio.sleep(self.load.seconds / self.load.slices)
                self.tell(number)
            self.over = True
        connection = Connection(self.load.url)
        for run in (*self.closed, *self.open_runs.values()):
            await self.verify(connection, run)
        self.told.put({"totals": dict(self.totals)})

    def tell(self, number: int) -> None:
        """One slice is over."""
        row: Row = {"slice": number + 1, "seconds": self.load.seconds / self.load.slices, **self.counts}
        for kind, times in self.times.items():
            row[f"{kind}_count"] = len(times)
            row |= {f"{kind}_p{part}_ms": 1e3 * float(np.quantile(times, part / 100)) for part in (50, 99)}
        self.told.put(row)
        self.totals.update(self.counts)
        self.counts.clear()
        self.times.clear()

    async def write(self, number: int, job: Job) -> None:
        """One training job after the other."""
        connection = Connection(self.load.url)
        while not self.over:
            run = Written(f"r{(seed := next(self.names)):06}", seed)
            await self.timed("open", connection, "PUT", f"/runs/{run.name}")
            self.open_runs[number] = run
            for _ in range(max(1, job.requests // self.load.hurry)):
                if self.over:
                    return
                await self.append(connection, run, job.points)
                await asyncio.sleep(self.chance.expovariate(1 / job.pause_s))
            await self.timed("close", connection, "POST", f"/runs/{run.name}/finish")
            del self.open_runs[number]
            self.closed.append(run)

    async def append(self, connection: Connection, run: Written, points: int) -> None:
        """The next points of the run, sent until they are acknowledged; now and then once more after that."""
        steps = np.arange(run.sent, run.sent + points, dtype=np.float64)
        columns = f'{{"steps":{steps.tolist()},"values":{values(run.seed, steps).tolist()}}}'
        body = f'{{"curves":{{"{CURVE}":{columns}}}}}'.encode()
        run.sent += points
        for _ in range(2 if self.chance.randrange(_RESENT) == 0 else 1):
            while (await self.timed("write", connection, "POST", f"/runs/{run.name}/points", body)).status != 200:
                if self.over:
                    return
                await asyncio.sleep(0.1)
            run.acknowledged = run.sent
        self.counts["points"] += points

    async def read(self, connection: Connection) -> None:
        """Somebody who looks at runs, and asks again whether they have changed."""
        etags: dict[str, str] = {}
        while not self.over:
            await asyncio.sleep(self.chance.expovariate(1 / _READ_PAUSE_S))
            if not (there := [*self.open_runs.values(), *list(self.closed)[-5:]]):
                continue
            run = self.chance.choice(there).name
            path = f"/runs/{run}/diagnosis"
            known = f"If-None-Match: {etags[run]}\r\n" if etags.get(run) else ""
            reply = await self.timed("diagnosis", connection, "GET", path, headers=known)
            etags[run] = reply.headers.get("etag", "")
            await self.timed("curve", connection, "GET", f"/runs/{run}/curves?max_points=500")
            if self.chance.randrange(20) == 0:
                await self.timed("page", connection, "GET", "/diagnoses?limit=20")
                await self.timed("full", connection, "GET", f"/runs/{run}/curves?format=ndjson")

    async def delete_old(self, connection: Connection) -> None:
        """Verify and delete the oldest closed runs while there are too many."""
        while not self.over:
            await asyncio.sleep(0.05)
            while len(self.closed) > self.load.kept:
                run = self.closed.popleft()
                await self.verify(connection, run)
                await self.timed("delete", connection, "DELETE", f"/runs/{run.name}")
                gone = await connection.request("GET", f"{_ROOT}/runs/{run.name}")
                self.counts["deleted"] += gone.status == 404

    async def verify(self, connection: Connection, run: Written) -> None:
        path = f"{_ROOT}/runs/{run.name}/curves?format=arrow&name={quote(CURVE)}"
        reply = await connection.request("GET", path)
        while reply.status == 503:
            await asyncio.sleep(0.1)
            reply = await connection.request("GET", path)
        self.totals["verified"] += run.acknowledged
        self.totals["lost"] += lost(run, reply.body) if reply.status == 200 else run.acknowledged

    async def timed(
        self, kind: str, connection: Connection, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> Reply:
        """Ask; note how long a good answer took, and count others: refused for now (503), or wrong."""
        headers += "Content-Type: application/json\r\n" if body else ""
        begin, broken = time.perf_counter(), connection.broken
        reply = await connection.request(method, _ROOT + path, body, headers)
        self.counts["broken"] += connection.broken - broken
        if reply.status < 400:
            self.times[kind].append(time.perf_counter() - begin)
        else:
            self.counts["refused" if reply.status == 503 else "wrong"] += 1
        return reply
