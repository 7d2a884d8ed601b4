"""The server as the client sees it: one kept connection, large bodies compressed, replies with their problem."""

from __future__ import annotations

import gzip
import json
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from curvewise_client.version import __version__

_URN = "urn:curvewise:problem:"
_COMPRESS_BYTES = 16 * 1024
_LONGEST_WAIT_S = 3600.0  # whatever a Retry-After says


class Unreachable(Exception):
    """No reply; the message says where from and why."""


class Reply(NamedTuple):
    """What the server answered. retry_after_s: how long it asks to be left alone [seconds], None when it does not."""

    status: int
    body: bytes
    retry_after_s: float | None
    etag: str

    def json(self) -> Any:
        """The body, None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def problem(self) -> str:
        """Curvewise's name for what went wrong, such as `unknown-run`; empty when it was not Curvewise that spoke."""
        said = self.json()
        kind = said.get("type") if isinstance(said, dict) else None
        return kind[len(_URN) :] if isinstance(kind, str) and kind.startswith(_URN) else ""

    @property
    def detail(self) -> str:
        """What went wrong, in the server's words."""
        said = self.json()
        if isinstance(said, dict) and isinstance(said.get("detail"), str):
            return f"{self.status}: {said['detail'][:500]}"
        return f"{self.status}: {self.body[:200].decode(errors='replace')}"


class Server:
    """A client of one server, for one thread at a time. Raises ValueError when the URL cannot be one."""

    def __init__(self, url: str, token: str | None, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8000")
        self.url = url
        self._secure = parts.scheme == "https"
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {"User-Agent": f"curvewise-client/{__version__}", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout_s = timeout_s
        self._connection: HTTPConnection | None = None

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a request; the body is JSON text, or what becomes JSON. Raises Unreachable."""
        content, added = _content(body)
        kept = self._connection is not None
        try:
            return self._send(method, path, content, {**self._headers, **added, **(headers or {})})
        except (OSError, HTTPException) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise Unreachable(f"{self.url} cannot be reached ({_reason(error)})") from error
        # The server may have closed the kept connection in the meantime; whatever is sent here may be sent twice.
        try:
            return self._send(method, path, content, {**self._headers, **added, **(headers or {})})
        except (OSError, HTTPException) as error:
            self.close()
            raise Unreachable(f"{self.url} cannot be reached ({_reason(error)})") from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Reply:
        if self._connection is None:
            make = HTTPSConnection if self._secure else HTTPConnection
            self._connection = make(self._host, self._port, timeout=self._timeout_s)
        self._connection.request(method, self._prefix + path, content, headers)
        response = self._connection.getresponse()
        body = response.read()
        return Reply(response.status, body, _wait(response.getheader("Retry-After")), response.getheader("ETag") or "")


def path_of(project: str, run: str, below: str = "") -> str:
    """The path of a run, and of what is below it."""
    return f"/api/v1/projects/{quote(project, safe='')}/runs/{quote(run, safe='')}{below}"


def _content(body: Any) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"Content-Type": "application/json"}
    if len(content) > _COMPRESS_BYTES:
        return gzip.compress(content, 1), {**headers, "Content-Encoding": "gzip"}
    return content, headers


def _wait(retry_after: str | None) -> float | None:
    """Seconds, from a header that gives seconds or a date."""
    if retry_after is None:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
