"""Which attempt of its run a session is: a job that is started again is the next one.

Its predecessor's points may be on the server, or still in this spool; so the number is decided when the server is first
reached, for all sessions of the run in the order in which they began, by one process at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from curvewise_client.locks import Lock
from curvewise_client.sessions import Session, of_run


class Deciding(Exception):
    """Another process decides at this moment; try again."""


Known = dict[str, Any]  # a run as the server describes it


def decide(session: Session, ask: Callable[[], Known | None]) -> int:
    """The session's attempt, decided now if it is not yet.

    ask: what the server says of the run, None when it has none. Raises Deciding while another process decides.
    """
    if (number := session.attempt()) is not None:
        return number
    lock = None if session.home is None else Lock(session.home / "attempt.lock")
    with suppress(OSError):  # a full disk: then nobody else can decide either
        if lock is not None and not lock.acquire():
            raise Deciding("another process decides which attempt it is")
    try:
        return _decide(session, ask())
    finally:
        if lock is not None:
            lock.release()


def _decide(session: Session, known: Known | None) -> int:
    if (number := session.attempt()) is not None:  # by the one we waited for
        return number
    others = [other for other in of_run(session.home) if other.name != session.name]
    taken = {other.name: number for other in others if (number := other.attempt()) is not None}
    # An attempt of which the server has no points yet is still free, unless a session here has taken it.
    stored = 0 if known is None else int(known["attempt"]) - (0 if known["curves"] else 1)
    latest = max([stored, *taken.values()])
    for other in others:
        if other.name < session.name and other.name not in taken and other.segments():
            number = taken[other.name] = _number(other, latest, taken)
            other.save_attempt(number)
            latest = max(latest, number)
    number = _number(session, latest, taken)
    session.save_attempt(number)
    return number


def _number(session: Session, latest: int, taken: dict[str, int]) -> int:
    about = session.about
    if about.joins is not None:
        return taken.get(about.joins, max(latest, 1))
    return max(latest, 1) if about.attempt == "latest" else latest + 1
