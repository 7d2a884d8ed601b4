"""Recorded runs, sent to a server over HTTP as their jobs would have, in accelerated time."""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from app.curves.curve import Curves, make_curve
from app.demo.server import ServerDied
from app.diagnosis import Diagnosis
from app.errors import CurvewiseError
from app.rules.context import Context

PROJECT = "demo"
_POSTS_A_RUN = 40
_SECONDS_A_RUN = 8.0  # at speed 1, all runs at once
_DIAGNOSES = TypeAdapter(tuple[Diagnosis, ...])


class Refused(CurvewiseError):
    """The server answered a demo request with an error."""


@dataclass(frozen=True)
class RecordedRun:
    """One run of the recorded file. `how`: how it was trained, in words; it holds no expected finding."""

    name: str
    how: str
    context: Context
    curves: Curves

    def pieces(self, count: int) -> Iterator[dict[str, dict[str, list[float]]]]:
        """The run cut into `count` stretches of steps, each as the columns of one POST."""
        last = self.curves.last_step() or 0.0
        borders = [-1.0, *(last * k / count for k in range(1, count)), last]
        for after, through in pairwise(borders):
            columns = {}
            for name, curve in self.curves.items():
                inside = (curve.steps > after) & (curve.steps <= through)
                if inside.any():
                    columns[name] = {"steps": curve.steps[inside].tolist(), "values": curve.values[inside].tolist()}
            yield columns


def recorded_runs() -> tuple[RecordedRun, ...]:
    """The runs that travel with the package."""
    packed = (files("app.demo") / "runs.jsonl.gz").read_bytes()
    return tuple(_run(json.loads(line)) for line in gzip.decompress(packed).splitlines())


def _run(record: dict[str, object]) -> RecordedRun:
    columns = TypeAdapter(dict[str, dict[str, list[float]]]).validate_python(record["curves"])
    curves = {name: make_curve(name, column["steps"], column["values"]) for name, column in columns.items()}
    context = TypeAdapter(Context).validate_python(record["context"])
    return RecordedRun(str(record["run"]), str(record["how"]), context, Curves(curves))


def stream(address: str, runs: Sequence[RecordedRun], speed: float, progress: Callable[[str, int, int], None]) -> None:
    """Open every run, send all of them side by side, finish them.

    speed: 1 takes about eight seconds, 2 half as long. progress: called with a run, its posts sent, and of how many.
    Raises ServerDied when the server goes away, Refused when it answers with an error.
    """
    with _client(address) as client:
        for run in runs:
            facts = {"num_classes": run.context.num_classes, "planned_steps": run.context.planned_steps}
            _send(client, "PUT", run.name, "", {"context": facts})
        started = time.monotonic()
        for sent, columns in enumerate(zip(*(run.pieces(_POSTS_A_RUN) for run in runs), strict=True), 1):
            for run, piece in zip(runs, columns, strict=True):
                _send(client, "POST", run.name, "/points", {"curves": piece})
                progress(run.name, sent, _POSTS_A_RUN)
            due = started + _SECONDS_A_RUN / speed * sent / _POSTS_A_RUN
            time.sleep(max(0.0, due - time.monotonic()))
        for run in runs:
            _send(client, "POST", run.name, "/finish", {"state": "finished"})


def diagnoses(address: str) -> tuple[Diagnosis, ...]:
    """What the server has found in every run of the demo. Raises ServerDied, Refused."""
    found: list[Diagnosis] = []
    with _client(address) as client:
        query: dict[str, str] = {}
        while True:
            reply = _checked(client, "GET", f"/api/v1/projects/{PROJECT}/diagnoses", params=query)
            page = reply.json()
            found += _DIAGNOSES.validate_python(page["items"])
            if page["next"] is None:
                return tuple(found)
            query = {"after": page["next"]}


def _client(address: str) -> httpx.Client:
    # A proxy from the environment has no business between two processes of one machine.
    return httpx.Client(base_url=address, timeout=30, trust_env=False)


def _send(client: httpx.Client, method: str, run: str, noun: str, body: object) -> None:
    # The standard encoder writes NaN and infinities as bare tokens, which is how most training jobs send them.
    path = f"/api/v1/projects/{PROJECT}/runs/{quote(run, safe='')}{noun}"
    _checked(client, method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def _checked(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    try:
        reply = client.request(method, path, **options)
    except httpx.TransportError as error:
        raise ServerDied(f"the demo's server went away: {error}") from error
    if reply.is_error:
        raise Refused(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
    return reply
