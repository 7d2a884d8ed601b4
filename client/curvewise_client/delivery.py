"""From the spool of one session to the server: what each answer of the server means for the points."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from curvewise_client.attempts import Deciding, Known, decide
from curvewise_client.backlog import Backlog, Batch
from curvewise_client.facts import OF_SEARCH
from curvewise_client.notices import Notices
from curvewise_client.records import Action, Finish, Update
from curvewise_client.server import Reply, Server, Unreachable, path_of
from curvewise_client.sessions import Session

MOST_POINTS = 20_000  # a batch; two thousand calls of ten metrics
_TOKEN_WAIT_S = 30.0
_DECIDING_WAIT_S = 0.2
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 507}


class Later(Exception):
    """Nothing was stored now; the same may succeed later, and not before `wait_s`, where that is known [seconds]."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Courier:
    """Carries one session's points. A batch sent twice is stored once: the server keeps the last of each step."""

    def __init__(self, server: Server, session: Session, backlog: Backlog, notices: Notices) -> None:
        self.session = session
        self.backlog = backlog
        self._server = server
        self._notices = notices
        self.opened = False
        self.caught_up = False  # with what was logged before the batch that was delivered last was read
        self._most_points = MOST_POINTS

    def deliver(self) -> int | None:
        """Send the next batch -> how many points were sent, None when nothing waits. Raises Later."""
        batch = self.backlog.next(self._most_points)
        self.caught_up = batch is None
        if batch is None:
            return None
        if not self.opened:
            self.open()
        if batch.calls and not self._send_points(batch):
            return 0
        if isinstance(batch.then, Update):
            self._put(self.session.about.facts)
        elif isinstance(batch.then, Finish):
            self._finish(batch.then.state)
        elif isinstance(batch.then, Action):
            self._tell(batch.then)
        self.backlog.done(batch)
        self.caught_up = batch.last
        return batch.points

    def open(self) -> None:
        """Open the run on the server, and decide which attempt this is. Raises Later."""
        try:
            attempt = decide(self.session, self._known, self._take)
        except Deciding as busy:
            raise Later(str(busy), _DECIDING_WAIT_S) from busy
        known = self._known()
        # A session that was overtaken by a later attempt still delivers its points, and leaves the run's facts alone.
        if known is None or known["attempt"] <= attempt:
            self._put({**self.session.about.facts, "attempt": attempt})
        self.opened = True

    def _known(self) -> Known | None:
        """The run as the server knows it, None when it does not. Raises Later."""
        reply = self._ask("GET", "")
        said = reply.json()
        if reply.status == 200 and isinstance(said, dict) and {"attempt", "curves"} <= said.keys():
            return said
        if reply.status == 404 and reply.problem.startswith("unknown-"):
            return None
        raise self._misunderstood(reply)

    def _take(self, token: str) -> int | None:
        """The attempt that the server gives to this token, None when it is too old to give out any. Raises Later."""
        reply = self._ask("PUT", f"/attempts/{quote(token, safe='')}")
        said = reply.json()
        if reply.status in (200, 201) and isinstance(said, dict) and isinstance(said.get("attempt"), int):
            return int(said["attempt"])
        if reply.status not in (404, 405):
            raise self._misunderstood(reply)
        self._notices.once(
            "attempts",
            f"{self._server.url} is older than this client and gives out no attempts: where two machines start this "
            "run at one moment, set `attempt` by hand",
        )
        return None

    def _put(self, facts: dict[str, Any]) -> None:
        reply = self._ask("PUT", "", facts)
        of_search = [name for name in OF_SEARCH if name in facts]
        if of_search and reply.status in (404, 422) and reply.problem and "search" in reply.detail:
            # No such search, a full one, or a server too old to know of any: what else was said stands.
            self._notices.once("search", f"the run is of no search: {reply.detail}")
            facts = {name: said for name, said in facts.items() if name not in of_search}
            reply = self._ask("PUT", "", facts)
        if reply.status in (400, 413, 422) and reply.problem:
            self._notices.once("facts", f"the server does not take what was said about the run ({reply.detail})")
            reply = self._ask("PUT", "", {"attempt": facts["attempt"]} if "attempt" in facts else {})
        if reply.status not in (200, 201):
            raise self._misunderstood(reply)

    def _send_points(self, batch: Batch) -> bool:
        """False when the batch has to be sent again: smaller, or after the run was opened anew."""
        reply = self._ask("POST", "/points", _columns(batch, self.session.attempt()))
        if reply.status == 200:
            self._warn_of_refused(reply)
            return True
        if reply.status == 404 and reply.problem.startswith("unknown-"):
            self.opened = False  # deleted, or another server has taken this one's place
            return False
        if reply.status == 413 and batch.calls > 1:
            self._most_points = max(1, batch.points // 2)
            return False
        if reply.problem and 400 <= reply.status < 500:
            if reply.problem != "points-refused":
                self._notices.once("refused", f"the server refused {batch.points} points ({reply.detail})")
            self._warn_of_refused(reply)
            return True
        raise self._misunderstood(reply)

    def _tell(self, action: Action) -> None:
        reply = self._ask("PUT", f"/actions/{quote(action.name, safe='')}", action.said)
        if reply.status in (200, 201):
            return
        if reply.status == 404 and reply.problem.startswith("unknown-"):
            self.opened = False
            raise Later(reply.detail, 0.0)
        if not reply.problem or reply.status >= 500:
            raise self._misunderstood(reply)
        self._notices.once("actions", f"the server does not keep what the job did ({reply.detail})")

    def _finish(self, state: str) -> None:
        known = self._known()
        if known is not None and known["attempt"] > (self.session.attempt() or 1):
            return  # the run goes on in a later attempt
        reply = self._ask("POST", "/finish", {"state": state})
        if reply.status == 404 and reply.problem.startswith("unknown-"):
            self.opened = False
            raise Later(reply.detail, 0.0)
        if reply.status != 200:
            raise self._misunderstood(reply)

    def _ask(self, method: str, below: str, body: Any = None) -> Reply:
        """The reply when there is a meaning to it. Raises Later when there is none, or the server says not now."""
        about = self.session.about
        try:
            reply = self._server.send(method, path_of(about.project, about.run, below), body)
        except Unreachable as error:
            self._notices.once("unreachable", f"{error}; training goes on, and points wait in {self._place()}")
            raise Later(str(error)) from error
        if reply.status in (401, 403):
            self._notices.once(
                "token",
                f"{self._server.url} does not accept the token ({reply.detail}); set CURVEWISE_TOKEN. "
                f"Training goes on, and points wait in {self._place()}",
            )
            raise Later(reply.detail, max(reply.retry_after_s or 0.0, _TOKEN_WAIT_S))
        if reply.status in _TRANSIENT:
            self._notices.once(
                "not now", f"{self._server.url} asks to wait ({reply.detail}); points wait in {self._place()}"
            )
            raise Later(reply.detail, reply.retry_after_s)
        return reply

    def _misunderstood(self, reply: Reply) -> Later:
        """Whatever answered, it is not known to have the points: they are kept."""
        self._notices.once(
            "misunderstood",
            f"{self._server.url} does not answer as a Curvewise server does ({reply.detail}); is CURVEWISE_URL right? "
            f"Training goes on, and points wait in {self._place()}",
        )
        return Later(reply.detail, reply.retry_after_s)

    def _warn_of_refused(self, reply: Reply) -> None:
        said = reply.json()
        for refused in said.get("rejected") or [] if isinstance(said, dict) else []:
            kind = f"refused {refused.get('curve')!a} {refused.get('code')}"
            self._notices.once(kind, f"the server refused points of {refused.get('curve')!a}: {refused.get('reason')}")

    def _place(self) -> str:
        return str(self.session.folder or "memory")


def _columns(batch: Batch, attempt: int | None) -> str:
    """The body, a column at a time: one call for all of it would hold up Python's other threads for long."""
    columns = []
    written: list[float] = []
    text = ""
    for name, (steps, values) in batch.curves.items():
        if steps != written:  # curves that are logged together have the same steps
            written, text = steps, json.dumps([int(step) if step.is_integer() else step for step in steps])
        columns.append(f'{json.dumps(name)}: {{"steps": {text}, "values": {json.dumps(values)}}}')
    return f'{{"attempt": {json.dumps(attempt)}, "curves": {{{", ".join(columns)}}}}}'
