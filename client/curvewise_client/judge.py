"""What the server found out about the run, asked for in the background."""

from __future__ import annotations

import time

from curvewise_client.advice import Diagnosis
from curvewise_client.server import Server, path_of

EVERY_S = 10.0


class Judge:
    """The latest diagnosis of a run. Asked by the sender's thread, read by the job's."""

    def __init__(self, project: str, run: str) -> None:
        self.latest: Diagnosis | None = None
        self.answered = False  # whether the server had an answer when it was asked last
        self.wanted = False  # nobody is asked for what nobody reads
        self._path = path_of(project, run, "/diagnosis")
        self._etag = ""
        self._next = 0.0

    def refresh(self, server: Server, *, now: bool = False) -> None:
        """Ask when it is wanted and was not asked just before. Raises Unreachable."""
        if not now and (not self.wanted or time.monotonic() < self._next):
            return
        reply = server.send("GET", self._path, headers={"If-None-Match": self._etag} if self._etag else {})
        self._next = time.monotonic() + max(EVERY_S, reply.retry_after_s or 0.0)
        said = reply.json() if reply.status == 200 else None
        if isinstance(said, dict) and "verdicts" in said:
            self.latest, self._etag = said, reply.etag
        self.answered = self.latest is not None and (self.latest is said or reply.status == 304)
