"""A running server, reached over its REST API: asked again until it answers, as long as it is worth waiting."""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from app.cli.destination import Facts
from app.curves.curve import Curve, make_curve
from app.curves.points import escaped
from app.errors import CurvewiseError, UnknownRun
from app.rules.context import RunState
from app.settings import is_loopback

_POINTS_AT_ONCE = 10_000  # about 300 KB of JSON
_TIMEOUT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 30.0
_LATER = frozenset({429, 502, 503, 504, 507})  # statuses that say: not now, send the same again


class ServerUnreachable(CurvewiseError):
    """The server did not answer, or only that it cannot now, for as long as was worth waiting."""


class Refused(CurvewiseError):
    """The server answered that the request cannot be meant, or is not allowed."""


class Server:
    """patience_s: how long a request is tried again. stop: when it is set, patience is `grace_s` from then on."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience_s: float = 30.0,
        stop: threading.Event | None = None,
        grace_s: float = 5.0,
    ) -> None:
        """Raises Refused when it is no http URL."""
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise Refused(f"{url!r} is no address of a server, such as http://127.0.0.1:8000")
        self._url = url.rstrip("/")
        self._patience_s = patience_s
        self._stop = stop or threading.Event()
        self._grace_s = grace_s
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # A proxy from the environment has no business between two processes of one machine.
        self._client = httpx.Client(timeout=_TIMEOUT_S, headers=headers, trust_env=not is_loopback(parsed.host))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def open(self, project: str, run: str, facts: Facts, attempt: int | None = None) -> int:
        """Raises ServerUnreachable, Refused."""
        context = {
            "num_classes": facts.context.num_classes,
            "planned_steps": facts.context.planned_steps,
            "schedule": facts.context.schedule,
            "class_priors": facts.context.class_priors,
            "target_variance": facts.context.target_variance,
            "dataset_size": facts.context.dataset_size,
            "pretrained": facts.context.pretrained,
            "caveats": list(facts.context.caveats) or None,
        }
        said = {
            "context": context,
            "config": facts.config or None,
            "tags": dict(facts.tags) or None,
            "attempt": attempt,
        }
        reply = self._request("PUT", project, run, "", said)
        return int(reply["attempt"])

    def stored(self, project: str, run: str) -> Mapping[str, Curve]:
        """Nothing when there is no such run. Raises ServerUnreachable, Refused."""
        try:
            reply = self._request("GET", project, run, "/curves")
        except UnknownRun:
            return {}
        return {
            name: make_curve(name, column["steps"], [float(value) for value in column["values"]])
            for name, column in reply["curves"].items()
        }

    def send(self, project: str, run: str, curves: Mapping[str, Curve], attempt: int) -> list[str]:
        """Raises UnknownRun, ServerUnreachable, Refused."""
        refused = []
        for piece in _pieces(curves):
            reply = self._request("POST", project, run, "/points", {"curves": piece, "attempt": attempt})
            refused += [f"{one['curve']}: {one['reason']}" for one in reply["rejected"]]
        return list(dict.fromkeys(refused))

    def finish(self, project: str, run: str, state: RunState) -> None:
        """Raises UnknownRun, ServerUnreachable, Refused."""
        self._request("POST", project, run, "/finish", {"state": state})

    def read(self, *path: str, **query: str | int | Sequence[str]) -> dict[str, Any]:
        """GET below /api/v1, whose parts are quoted here. Raises UnknownRun for a 404, ServerUnreachable, Refused."""
        return self.ask("GET", path, **query)

    def ask(
        self, method: str, path: Sequence[str], body: object = None, **query: str | int | Sequence[str]
    ) -> dict[str, Any]:
        """As `read`, with any method, and a body that becomes JSON."""
        asked = f"?{urlencode(query, doseq=True)}" if query else ""
        return self._ask(method, "/api/v1/" + "/".join(quote(part, safe="") for part in path) + asked, body)

    def _request(self, method: str, project: str, run: str, noun: str, body: object = None) -> dict[str, Any]:
        return self._ask(method, f"/api/v1/projects/{quote(project, safe='')}/runs/{quote(run, safe='')}{noun}", body)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        # The standard encoder writes NaN and infinities as bare tokens, which the API reads.
        content = None if body is None else json.dumps(body)
        begun, wait_s, told = time.monotonic(), _FIRST_WAIT_S, ""
        while True:
            wanted_s = 0.0
            try:
                reply = self._client.request(method, self._url + path, content=content)
            except httpx.TransportError as error:
                told = f"{type(error).__name__}: {error}"
            else:
                if reply.status_code not in _LATER:
                    return _read(reply)
                told = _detail(reply)
                wanted_s = _seconds(reply.headers.get("Retry-After"))
            if not self._wait(begun, max(wanted_s, wait_s * random.uniform(0.5, 1.0))):  # noqa: S311 - jitter
                raise ServerUnreachable(f"{self._url} does not take this now ({told})")
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _wait(self, begun: float, wait_s: float) -> bool:
        """Whether to try again, after the wait."""
        if self._stop.is_set():
            time.sleep(min(wait_s, 0.2))
            return time.monotonic() - begun < self._grace_s
        if time.monotonic() + wait_s - begun > self._patience_s:
            return False
        self._stop.wait(wait_s)
        return True


def _pieces(curves: Mapping[str, Curve]) -> Iterator[dict[str, dict[str, list[float]]]]:
    """All points, in the columns of bodies that no server finds too large."""
    piece: dict[str, dict[str, list[float]]] = {}
    room = _POINTS_AT_ONCE
    for name, curve in curves.items():
        begin = 0
        while begin < len(curve):
            part = slice(begin, begin + room)
            piece[name] = {"steps": curve.steps[part].tolist(), "values": curve.values[part].tolist()}
            taken = len(piece[name]["steps"])
            begin, room = begin + taken, room - taken
            if room == 0:
                yield piece
                piece, room = {}, _POINTS_AT_ONCE
    if piece:
        yield piece


def _read(reply: httpx.Response) -> dict[str, Any]:
    try:
        content = reply.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refused(f"{reply.request.url}: {reply.status_code}, and not what Curvewise answers")
    if reply.is_success or "rejected" in content:  # a body of which nothing was taken lists why, like any other
        return content
    if reply.status_code == 404:
        raise UnknownRun(_detail(reply))
    raise Refused(_detail(reply))


def _detail(reply: httpx.Response) -> str:
    try:
        content = reply.json()
        return f"{reply.status_code}: {content['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{reply.status_code} {escaped(reply.text)}".strip()


def _seconds(header: str | None) -> float:
    """What a Retry-After asks for; dates are not read."""
    return min(float(header), _LONGEST_WAIT_S) if header and header.isdigit() else 0.0
