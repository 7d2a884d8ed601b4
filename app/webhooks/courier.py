"""Brings messages to webhooks, in the background: any number of processes share the work, and any may die.

What happened to a run becomes messages in the transaction that takes the event out of its queue, so each event makes
its messages once. Each message is claimed, sent outside of any transaction, and settled.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from app.errors import CurvewiseError
from app.storage import deliveries, events, webhooks
from app.storage.database import Database
from app.storage.deliveries import Delivery, Message
from app.storage.events import StoredEvent
from app.webhooks.messages import Said, page_of, render
from app.webhooks.sending import Answer, send, signed

_log = logging.getLogger(__name__)

# The example of Standard Webhooks: ten attempts within a little over three days.
SCHEDULE_S = (5.0, 300.0, 1800.0, 2 * 3600.0, 5 * 3600.0, 10 * 3600.0, 14 * 3600.0, 20 * 3600.0, 24 * 3600.0)
_JITTER = (0.8, 1.2)  # receivers that fail together are not all tried again at one moment

_TICK_S = 1.0
_GRACE_S = 5.0  # for what is being sent when the server stops; what is not answered then is sent again by another
_EVENTS_AT_ONCE = 100
_SENT_AT_ONCE = 8
_LEASE_TIMEOUTS = 4  # a claim outlives the attempt, the resolver's patience included
_KEPT = timedelta(days=30)  # what became of messages
_TIDY_S = 3600.0
_GONE = 410


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How receivers are treated: what they may be, how long they may take [s], and how much the waits are stretched."""

    allow_private: bool = False
    timeout_s: float = 15.0
    retry_scale: float = 1.0
    public_url: str = ""


def new_message_id() -> str:
    """Unique, and without the full stop that would make a signature ambiguous."""
    return f"msg_{uuid4().hex}"


def pause_s(attempts: int, scale: float) -> float | None:
    """How long to wait after so many failed attempts [s]; None when there is to be no other."""
    if attempts > len(SCHEDULE_S):
        return None
    return SCHEDULE_S[attempts - 1] * scale * random.uniform(*_JITTER)  # noqa: S311 - jitter


@dataclass
class Courier:
    """One thread a process, and one more for each message under way; started and stopped by whoever serves."""

    database: Database
    manners: Manners
    _stopping: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _busy: dict[int, threading.Thread] = field(default_factory=dict)  # webhook -> what sends to it in this process
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def start(self) -> None:
        """Begin to look for messages."""
        self._thread.start()

    def stop(self) -> None:
        """Return when what is being sent has been answered, or a few seconds have gone by."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        until = time.monotonic() + _GRACE_S
        with self._lock:
            sending = list(self._busy.values())
        for thread in sending:
            thread.join(max(0.0, until - time.monotonic()))

    def wake(self) -> None:
        """There is something to do: do not wait for the next look."""
        self._wake.set()

    def _work(self) -> None:
        tidied_at = -math.inf
        while not self._stopping.is_set():
            try:
                while self.address_events() and not self._stopping.is_set():
                    pass
                self._send_what_is_due()
                if time.monotonic() - tidied_at >= _TIDY_S:
                    tidied_at = time.monotonic()
                    self.tidy()
            except (CurvewiseError, SQLAlchemyError) as error:
                # Nothing has changed, and what is left is found by the next look, here or elsewhere.
                _log.warning("webhooks were put off: %s", error)
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def address_events(self) -> int:
        """Make the messages of what happened; of how many events. Raises StorageUnavailable, StorageFull."""
        with self.database.reading() as connection:
            if not events.any_waiting(connection):  # of which a reader can tell without keeping writers waiting
                return 0
        with self.database.writing() as connection:
            happened = events.take(connection, _EVENTS_AT_ONCE)
            wanting = webhooks.of_projects(connection, {event.project_id for event in happened}) if happened else []
            deliveries.add(connection, [message for event in happened for message in self._messages(event, wanting)])
        return len(happened)

    def _messages(self, event: StoredEvent, wanting: Sequence[webhooks.Webhook]) -> list[Message]:
        page = page_of(self.manners.public_url, event.project, event.run)
        said = Said(
            kind=event.kind, at=event.created_at, project=event.project, run=event.run, payload=event.payload, page=page
        )
        return [
            Message(
                webhook_id=webhook.id,
                run_id=event.run_id,
                message_id=new_message_id(),
                kind=event.kind,
                body=render(said, webhook.template),
                created_at=datetime.now(UTC),
            )
            for webhook in wanting
            if webhook.project_id == event.project_id and webhook.disabled_at is None and event.kind in webhook.events
        ]

    def _send_what_is_due(self) -> None:
        with self._lock:
            busy = set(self._busy)
        now = datetime.now(UTC)
        with self.database.reading() as connection:
            if len(busy) >= _SENT_AT_ONCE or not deliveries.any_due(connection, now):
                return
        lease = timedelta(seconds=_LEASE_TIMEOUTS * self.manners.timeout_s)
        with self.database.writing() as connection:
            claimed = deliveries.claim(connection, now, lease, most=_SENT_AT_ONCE - len(busy), without=busy)
        for delivery in claimed:
            # A daemon: a process that ends must not wait for a receiver that does not answer.
            thread = threading.Thread(target=self._bring, args=(delivery,), name="courier-sends", daemon=True)
            with self._lock:
                self._busy[delivery.webhook_id] = thread
            thread.start()

    def _bring(self, delivery: Delivery) -> None:
        try:
            self.attempt(delivery)
        except (CurvewiseError, SQLAlchemyError) as error:
            # It is due again when the claim is over.
            _log.warning("what became of message %s is not written down: %s", delivery.message_id, error)
        finally:
            with self._lock:
                del self._busy[delivery.webhook_id]
            self.wake()

    def attempt(self, delivery: Delivery) -> None:
        """Send a claimed message and write down what became of it. Raises StorageUnavailable, StorageFull."""
        with self.database.reading() as connection:
            webhook = webhooks.find_addressed(connection, [delivery.webhook_id]).get(delivery.webhook_id)
        if webhook is None:  # deleted meanwhile, and the message with it
            return
        self._settle(webhook, delivery, self._send(webhook, delivery))

    def _send(self, webhook: webhooks.Webhook, delivery: Delivery) -> Answer:
        try:
            headers = signed(webhook.secret, delivery.message_id, delivery.body, datetime.now(UTC))
            return send(
                webhook.url,
                headers,
                delivery.body.encode(),
                timeout_s=self.manners.timeout_s,
                allow_private=self.manners.allow_private,
            )
        except Exception as error:
            # Whatever it is: a message that is not settled would be claimed again and again for ever.
            _log.exception("message %s was not sent, for a reason that nobody thought of", delivery.message_id)
            return Answer(None, f"it could not be sent: {type(error).__name__}")

    def _settle(self, webhook: webhooks.Webhook, delivery: Delivery, answer: Answer) -> None:
        now = datetime.now(UTC)
        due_at: datetime | None = None
        state: deliveries.State = "delivered" if answer.error is None else "dead"
        # A ping is somebody's question whether it works now; nobody wants to hear of it in three days.
        if answer.error is not None and answer.status != _GONE and delivery.kind != "ping":
            wait_s = pause_s(delivery.attempts, self.manners.retry_scale)
            if wait_s is not None:
                state, due_at = "waiting", now + timedelta(seconds=max(wait_s, answer.retry_after_s))
        with self.database.writing() as connection:
            ours = deliveries.settle(
                connection, delivery, state=state, due_at=due_at, status=answer.status, error=answer.error
            )
            if ours and answer.status == _GONE:
                webhooks.disable(connection, webhook.id, now)
            elif ours and state == "delivered" and webhook.disabled_at is not None:
                webhooks.enable(connection, webhook.id)

    def tidy(self) -> None:
        """Forget messages of long ago. Raises StorageUnavailable, StorageFull."""
        more = True
        while more and not self._stopping.is_set():
            with self.database.writing() as connection:
                more = deliveries.forget(connection, datetime.now(UTC) - _KEPT) > 0
