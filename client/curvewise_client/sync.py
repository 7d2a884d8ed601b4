"""Sends what jobs left in the spool: the ones that died, and the ones that ended while the server was away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from curvewise_client.backlog import Backlog
from curvewise_client.delivery import Courier, Later
from curvewise_client.notices import Notices
from curvewise_client.server import Server
from curvewise_client.sessions import Session, in_spool

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


class Outcome(NamedTuple):
    """What became of one session: `sent`, `running` (another process has it) or `waiting` (with the reason)."""

    session: Session
    points: int
    state: str
    reason: str = ""


def sync(spool: Path, url: str | None, token: str | None, *, timeout_s: float, tell: Callable[[Outcome], None]) -> bool:
    """Send what waits below a directory -> whether nothing waits there any more; `tell` hears of each session.

    url: in place of the server that each job named. timeout_s: how long each server is waited for while nothing gets
    through [seconds]. Raises OSError when the directory cannot be read, ValueError when a URL cannot be one.
    """
    complete = True
    unreachable: dict[str, str] = {}  # a server that did not answer for one session is not waited for again
    for session in in_spool(spool):
        where = url or session.about.url
        outcome = _sync(session, where, token, 0.0 if where in unreachable else timeout_s)
        if outcome.state == "waiting":
            unreachable[where] = outcome.reason
        complete = complete and outcome.state == "sent"
        tell(outcome)
    return complete


def _sync(session: Session, url: str, token: str | None, timeout_s: float) -> Outcome:
    if not session.acquire():
        return Outcome(session, 0, "running")
    notices = Notices()
    server = Server(url, token)
    courier = Courier(server, session, Backlog(session, notices), notices)
    sent, failures, until = 0, 0, time.monotonic() + timeout_s
    try:
        while True:
            try:
                points = courier.deliver()
            except Later as later:
                wait_s = max(later.wait_s or 0.0, min(_FIRST_WAIT_S * 2.0**failures, _LONGEST_WAIT_S))
                failures += 1
                if time.monotonic() + wait_s > until:
                    return Outcome(session, sent, "waiting", str(later))
                time.sleep(wait_s * (1 + os.urandom(1)[0] / 1024))
                continue
            if points is None:
                session.remove()
                return Outcome(session, sent, "sent")
            sent, failures, until = sent + points, 0, time.monotonic() + timeout_s
    finally:
        server.close()
        session.release()
