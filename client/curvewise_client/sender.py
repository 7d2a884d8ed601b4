"""The thread that sends what log() left in the spool, while the job trains.

Python runs one thread at a time. While this one works, each call that lets go of the interpreter waits up to 5 ms to
get it back, log()'s own write among them. So it works in few, long stretches, and rests for longer than it worked.
"""

from __future__ import annotations

import os
import threading
import time

from curvewise_client.backlog import Backlog
from curvewise_client.delivery import Courier, Later
from curvewise_client.judge import Judge
from curvewise_client.notices import Notices
from curvewise_client.server import Server, Unreachable
from curvewise_client.sessions import Session, of_run

_REST = 4.0  # times the work
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


class Waiter:
    """Somebody who waits until all that was logged before is sent; `sent` tells whether it was, once `over` is set.

    until: how long, on the monotonic clock [seconds]. judged: whether it has to be judged as well.
    """

    def __init__(self, until: float, *, judged: bool) -> None:
        self.until = until
        self.judged = judged
        self.over = threading.Event()
        self.sent = False


class Sender:
    """Sends one session's points, and what dead sessions of the same run left."""

    def __init__(
        self, server: Server, session: Session, backlog: Backlog, judge: Judge, notices: Notices, *, interval_s: float
    ) -> None:
        self._server = server
        self._session = session
        self._notices = notices
        self._courier = Courier(server, session, backlog, notices)
        self._judge = judge
        self._interval_s = interval_s
        self._left: list[Session] | None = None  # dead sessions of this run, None when not looked for yet
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._waiters: list[Waiter] = []
        self._ending = False
        self._failures = 0
        self._not_before = 0.0  # on the monotonic clock: a server that asked to be left alone is
        self._thread = threading.Thread(target=self._work, name="curvewise-sender", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError when no thread can be started any more."""
        self._thread.start()

    def wait(self, timeout_s: float, *, judged: bool = False, ending: bool = False) -> bool:
        """Wait until what was logged before is sent -> whether it was. Gives up early when the next try is later.

        judged: and until it is diagnosed. ending: the session was finished; the thread goes on until all is sent, and
        then removes it.
        """
        waiter = Waiter(time.monotonic() + timeout_s, judged=judged)
        with self._lock:
            self._waiters.append(waiter)
            self._ending = self._ending or ending
        self._wake.set()
        waiter.over.wait(timeout_s)
        return waiter.sent

    def nudge(self) -> None:
        """Look for work now."""
        self._wake.set()

    def _work(self) -> None:
        while True:
            try:
                wait_s = self._turn()
            except Exception as error:
                self._notices.once("bug", f"an error in the client itself ({type(error).__name__}: {error})")
                wait_s = self._back_off(None)
            if wait_s is None:
                return
            self._wake.wait(wait_s)
            self._wake.clear()

    def _turn(self) -> float | None:
        """Send what there is -> how long to wait before the next turn [seconds], None when all is done."""
        with self._lock:
            waiters, ending = list(self._waiters), self._ending
        if (wait_s := self._not_before - time.monotonic()) > 0:
            self._give_up(wait_s)
            return wait_s
        try:
            if not self._courier.opened:
                self._courier.open()
            self._deliver(self._courier, bool(waiters), to_the_end=ending)
            self._deliver_left(ending, bool(waiters))
            self._judge.refresh(self._server, now=any(waiter.judged for waiter in waiters))
        except (Later, Unreachable) as error:
            wait_s = self._back_off(error.wait_s if isinstance(error, Later) else None)
            self._give_up(wait_s)
            return wait_s
        self._failures = 0
        if ending:
            self._session.remove()
            self._session.release()
            self._server.close()
        self._settle(waiters, sent=True)  # the last thing: the process may end with it
        return None if ending else self._interval_s

    def _deliver(self, courier: Courier, urgent: bool, *, to_the_end: bool) -> None:
        """Everything that waited in one session when it began; to the end, where nothing is added. Raises Later.

        A job that logs all the time would otherwise never be caught up with, and be sent in crumbs.
        """
        began = time.thread_time()
        while courier.deliver() is not None:
            self._failures = 0
            if courier.caught_up and not to_the_end:
                return
            worked_s, began = time.thread_time() - began, time.thread_time()
            if not urgent:
                urgent = self._wake.wait(_REST * worked_s)  # whoever wakes it waits for it

    def _deliver_left(self, ending: bool, urgent: bool) -> None:
        """What dead processes left of this run: the job before, or this one's forked children. Raises Later."""
        if self._left is None or ending:
            about = self._session.about
            self._left = [
                other
                for other in of_run(self._session.home)
                if other.name != self._session.name and other.about[:3] == about[:3]
            ]
        while self._left:
            session = self._left[-1]
            if session.acquire():
                try:
                    courier = Courier(self._server, session, Backlog(session, self._notices), self._notices)
                    self._deliver(courier, urgent, to_the_end=True)
                    session.remove()
                finally:
                    session.release()
            self._left.pop()

    def _back_off(self, asked_s: float | None) -> float:
        """Twice as long after each failure, never all clients at once, and never sooner than the server asked."""
        self._failures += 1
        wait_s = min(_FIRST_WAIT_S * 2.0 ** (self._failures - 1), _LONGEST_WAIT_S)
        jitter = int.from_bytes(os.urandom(2), "big") / 2**16
        if asked_s is not None:
            self._not_before = time.monotonic() + asked_s
            return asked_s + jitter * min(1.0, asked_s)
        return wait_s * (0.5 + jitter / 2)

    def _give_up(self, wait_s: float) -> None:
        """Who would wait in vain until the next try need not wait."""
        next_try = time.monotonic() + wait_s
        with self._lock:
            late = [waiter for waiter in self._waiters if waiter.until < next_try]
        self._settle(late, sent=False)

    def _settle(self, waiters: list[Waiter], *, sent: bool) -> None:
        with self._lock:
            self._waiters = [waiter for waiter in self._waiters if waiter not in waiters]
        for waiter in waiters:
            waiter.sent = sent
            waiter.over.set()
