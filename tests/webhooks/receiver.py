"""A receiver of webhooks: a real HTTP server that remembers what it was sent and answers as it was told to."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """answers: for the requests to come, each (status, headers); 204 when there are no more.

    holding: while it is set, requests are remembered and not answered.
    """

    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def wait_for(self, count: int, within_s: float = 15.0) -> list[Received]:
        """All that was received once it is so many."""
        wait_until(lambda: len(self.received) >= count, within_s)
        return list(self.received)


def wait_until(holds: Callable[[], object], within_s: float = 15.0) -> None:
    """Return when it holds; the test fails when it does not in time."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            while receiver.holding.is_set():
                time.sleep(0.02)
            status, answered = receiver.answers.pop(0) if receiver.answers else (204, {})
            try:
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                self.end_headers()
            except OSError:
                pass  # whoever sent this was killed, or waits no longer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield receiver
    finally:
        receiver.holding.clear()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
