"""A load process: clients that each send the next request when the last one was answered."""

import asyncio
import math
import multiprocessing
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit

import httpx
import numpy as np
import uvloop

POOL = {1: 4000, 10: 2000, 100: 500, 1000: 100}  # points a request -> requests that are made beforehand for each run
_OPEN_AGAIN_S = 0.1
_RUNS_A_SECOND = 4  # each run gets every request of the pool once; 16,000 one-point requests a second from one client


@dataclass(frozen=True)
class Load:
    """points: a request [points]. kind: whose requests, "curvewise" or "mlflow". name: what its runs begin with.

    token: sent as a bearer token where there is one. pause_s: between an answer and the client's next request [s].
    """

    url: str
    kind: str
    points: int
    clients: int
    seconds: float
    name: str = "r"
    token: str = ""
    pause_s: float = 0.0


@dataclass(frozen=True)
class Answered:
    """What came of it. latencies: of each answered request [s]. seconds: how long it took. refused: not 2xx."""

    latencies: list[float]
    seconds: float
    refused: int


def drive(load: Load) -> Answered:
    """Send this load from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_drive, (load,))


def _drive(load: Load) -> Answered:
    paths = [_open_runs(load, client) for client in range(load.clients)]
    bodies = _bodies(load)
    return uvloop.run(_all(load, [_requests(load, path, bodies) for path in paths]))


async def _all(load: Load, requests: list[Iterator[bytes]]) -> Answered:
    begin = time.perf_counter()
    found = await asyncio.gather(*(_client(load, one, begin + load.seconds) for one in requests))
    seconds = time.perf_counter() - begin
    return Answered([t for times, _ in found for t in times], seconds, sum(refused for _, refused in found))


async def _client(load: Load, requests: Iterator[bytes], until: float) -> tuple[list[float], int]:
    address = urlsplit(load.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    times, refused = [], 0
    while (begin := time.perf_counter()) < until:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.lower()
        at = fields.index(b"content-length:") + len(b"content-length:")
        await reader.readexactly(int(fields[at : fields.index(b"\r\n", at)]))
        if head.split(b" ", 2)[1][:1] == b"2":
            times.append(time.perf_counter() - begin)
        else:
            refused += 1
        if load.pause_s:
            await asyncio.sleep(load.pause_s)
    writer.close()
    return times, refused


def _requests(load: Load, runs: list[str], bodies: list[bytes]) -> Iterator[bytes]:
    for number in count():
        run = runs[number % len(runs)]
        for body in bodies:
            yield _request(load, run, body)


def _request(load: Load, run: str, body: bytes) -> bytes:
    if load.kind == "mlflow":
        path, body = "/api/2.0/mlflow/runs/log-batch", body.replace(b"RUN", run.encode(), 1)
    else:
        path = f"/api/v1/projects/bench/runs/{run}/points"
    host = urlsplit(load.url).netloc
    kind = "Content-Type: application/json"
    if load.token:
        kind += f"\r\nAuthorization: Bearer {load.token}"
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _bodies(load: Load) -> list[bytes]:
    """Requests of consecutive steps of one curve, with all the digits that a loss has."""
    made = random.Random(load.points)
    bodies = []
    for number in range(POOL.get(load.points, 100)):
        steps = range(number * load.points, (number + 1) * load.points)
        values = [2 * made.random() for _ in steps]
        if load.kind == "mlflow":
            metrics = ",".join(
                f'{{"key":"train/loss","value":{value},"timestamp":{step},"step":{step}}}'
                for step, value in zip(steps, values, strict=True)
            )
            bodies.append(f'{{"run_id":"RUN","metrics":[{metrics}]}}'.encode())
        else:
            columns = f'{{"steps":{list(steps)},"values":{values}}}'
            bodies.append(f'{{"curves":{{"train/loss":{columns}}}}}'.replace(" ", "").encode())
    return bodies


def _open_runs(load: Load, client: int) -> list[str]:
    headers = {"Authorization": f"Bearer {load.token}"} if load.token else {}
    with httpx.Client(base_url=load.url, timeout=30, headers=headers) as http:
        if load.kind == "mlflow":
            body = {"experiment_id": "0", "start_time": 0}
            reply = http.post("/api/2.0/mlflow/runs/create", json=body).raise_for_status()
            return [reply.json()["run"]["info"]["run_id"]]
        names = [f"{load.name}{client}-{number}" for number in range(math.ceil(load.seconds * _RUNS_A_SECOND))]
        for name in names if load.kind == "curvewise" else ():
            # A token that may not be used so often waits: an error would be lost on its way out of this process.
            while (reply := http.put(f"/api/v1/projects/bench/runs/{name}")).status_code == 429:
                time.sleep(_OPEN_AGAIN_S)
            reply.raise_for_status()
        return names


def figures(answered: Answered, points: int) -> dict[str, float]:
    """Requests and points a second, latencies [ms], refused requests."""
    times = np.array(answered.latencies or [np.nan])
    rate = len(answered.latencies) / answered.seconds
    return {
        "requests_per_s": rate,
        "points_per_s": rate * points,
        "p50_ms": 1e3 * float(np.quantile(times, 0.5)),
        "p99_ms": 1e3 * float(np.quantile(times, 0.99)),
        "refused": answered.refused,
    }
