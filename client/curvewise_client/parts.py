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
        said = f"not everything is sent after {waited_s:.1f} s."
        if (waiting := self.backlog.waiting_bytes()) and self.session.folder is not None:
            said += f" {waiting} bytes wait; send them with: curvewise-client sync {self.session.folder}."
        if in_memory := self.spool.memory_bytes() + self.backlog.memory_bytes():
            said += f" {in_memory} bytes are in memory alone, and are lost when the process ends."
        if self.spool.lost:
            said += f" {self.spool.lost} calls of log() are lost."
        notices.say(said)


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
