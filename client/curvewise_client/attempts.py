"""Which attempt of its run a session is: a job that is started again is the next one.

The server gives out the numbers, so that jobs which start at one moment on two machines are two attempts. What began
earlier may still be in this spool; so a number is asked for when the server is first reached, for all sessions of the
run in the order in which they began, by one process at a time. A server that is too old to give out numbers tells how
far it is, and the next number is taken here.
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


def decide(session: Session, ask: Callable[[], Known | None], take: Callable[[str], int | None]) -> int:
    """The session's attempt, decided now if it is not yet.

    ask: what the server says of the run, None when it has none. take: the attempt that the server gives to a token,
    None when it gives out none. Raises Deciding while another process decides.
    """
    if (number := session.attempt()) is not None:
        return number
    lock = None if session.home is None else Lock(session.home / "attempt.lock")
    with suppress(OSError):  # a full disk: then nobody else can decide either
        if lock is not None and not lock.acquire():
            raise Deciding("another process decides which attempt it is")
    try:
        return _decide(session, ask, take)
    finally:
        if lock is not None:
            lock.release()


def _decide(session: Session, ask: Callable[[], Known | None], take: Callable[[str], int | None]) -> int:
    if (number := session.attempt()) is not None:  # by the one we waited for
        return number
    others = [other for other in of_run(session.home) if other.name != session.name]
    taken = {other.token: number for other in others if (number := other.attempt()) is not None}
    earlier = [other for other in others if other.name < session.name and other.token not in taken and other.segments()]
    for one in (*earlier, session):
        number = taken[one.token] = _number(one, taken, ask, take)
        one.save_attempt(number)
    return taken[session.token]


def _number(
    session: Session, taken: dict[str, int], ask: Callable[[], Known | None], take: Callable[[str], int | None]
) -> int:
    about = session.about
    if about.joins in taken:
        return taken[about.joins]
    if about.attempt == "latest":
        return max(_latest(taken, ask()), 1)
    if (given := take(about.joins or session.token)) is not None:
        return given
    latest = _latest(taken, ask())
    return latest + 1 if about.joins is None else max(latest, 1)


def _latest(taken: dict[str, int], known: Known | None) -> int:
    """The last attempt that somebody has: one without points on the server is free, unless a session here has it."""
    stored = 0 if known is None else int(known["attempt"]) - (0 if known["curves"] else 1)
    return max([stored, *taken.values()])
