"""What one process needs to log one run: a session in the spool, its writing end, and the thread that sends it."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from curvewise_client.backlog import Backlog
from curvewise_client.judge import Judge
from curvewise_client.notices import Notices
from curvewise_client.sender import Sender
from curvewise_client.server import Server
from curvewise_client.sessions import About, Session, create
from curvewise_client.settings import Settings
from curvewise_client.spool import Spool, warn_of_disk


class Parts(NamedTuple):
    """They live and end together."""

    session: Session
    spool: Spool
    backlog: Backlog
    judge: Judge
    sender: Sender

    def tell(self, about: About) -> None:
        """The facts changed."""
        with suppress(OSError):  # a full disk: the sender has them from memory
            self.session.save_about(about)
        self.spool.update()

    def say_what_waits(self, notices: Notices, waited_s: float) -> None:
        """After `finish`: what is not stored yet, and how to send it."""
        lost = f" {self.spool.lost} calls of log() are lost." if self.spool.lost else ""
        if self.session.folder is None:
            notices.say(
                f"the server did not answer within {waited_s:.1f} s, and there is no spool: points are lost.{lost}"
            )
            return
        notices.say(
            f"{self.backlog.waiting_bytes()} bytes are not sent after {waited_s:.1f} s, and wait.{lost} "
            f"Send them with: curvewise-client sync {self.session.folder}"
        )


def open_parts(about: About, settings: Settings, notices: Notices, interval_s: float) -> Parts:
    """Begin a session, on disk where that can be, and its sender. Raises ValueError when the URL cannot be one."""
    server = Server(settings.url, settings.token)
    try:
        session = create(settings.spool, about)
    except OSError as error:
        warn_of_disk(notices, settings.spool, error)
        session = Session(about, None)
    spool = Spool(session, notices)
    backlog = Backlog(session, notices, spool)
    judge = Judge(about.project, about.run)
    sender = Sender(server, session, backlog, judge, notices, interval_s=interval_s)
    with suppress(RuntimeError):  # at the end of the interpreter no thread is started any more: the spool has it all
        sender.start()
    return Parts(session, spool, backlog, judge, sender)
