"""What can be done with webhooks: subscribe, look, try, stop, and send again what was given up."""

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from sqlalchemy import Connection

from app import lookup
from app.errors import InvalidInput, UnknownDelivery, UnknownWebhook
from app.storage import audit, deliveries, runs, webhooks
from app.storage.database import Database
from app.storage.deliveries import Delivery, Message, State
from app.storage.events import Kind
from app.storage.webhooks import Template, Webhook
from app.webhooks.addresses import is_public, literal
from app.webhooks.courier import Manners, new_message_id
from app.webhooks.messages import Said, render

MOST_WEBHOOKS = 20  # of a project: each event costs a message each
LONGEST_URL = 2000  # [characters]
_SECRET_BYTES = 32
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


@dataclass(frozen=True)
class Webhooks:
    """The verbs. They write; the courier, here or in another process, sends."""

    database: Database
    manners: Manners

    def subscribe(
        self, project: str, url: str, events: Sequence[Kind], template: Template, *, by: str = audit.COMMAND_LINE
    ) -> Webhook:
        """With a secret of its own. Raises UnknownProject, and InvalidInput for a URL that cannot be meant."""
        self._check(url)
        if not events:
            raise InvalidInput("events is empty: name at least one kind, or leave it out for all")
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        with self.database.writing() as connection:
            home = lookup.project(connection, project)
            # Locked, so that two at once do not both find room.
            runs.lock_project(connection, project)
            if webhooks.count(connection, home.id) >= MOST_WEBHOOKS:
                raise InvalidInput(f"project {project!r} has {MOST_WEBHOOKS} webhooks, the most; delete one first")
            kinds = tuple(dict.fromkeys(events))
            made = webhooks.add(connection, home.id, url=url, secret=secret, template=template, events=kinds)
            # Not the address, whose path may be all that its receiver asks for.
            audit.note(connection, by, "create_webhook", project=project, detail={"webhook": made.id})
            return made

    def listed(self, project: str) -> list[Webhook]:
        """All of a project, oldest first. Raises UnknownProject."""
        with self.database.reading() as connection:
            return webhooks.of_projects(connection, [lookup.project(connection, project).id])

    def get(self, project: str, webhook_id: int) -> Webhook:
        """Raises UnknownProject, UnknownWebhook."""
        with self.database.reading() as connection:
            return _webhook(connection, project, webhook_id)

    def remove(self, project: str, webhook_id: int, *, by: str = audit.COMMAND_LINE) -> None:
        """With what waits for it and the record of what was sent. Raises UnknownProject, UnknownWebhook."""
        with self.database.writing() as connection:
            webhooks.remove(connection, _webhook(connection, project, webhook_id).id)
            audit.note(connection, by, "delete_webhook", project=project, detail={"webhook": webhook_id})

    def ping(self, project: str, webhook_id: int) -> Delivery:
        """Send one message that says nothing; a disabled webhook that takes it is told of events again.

        Raises UnknownProject, UnknownWebhook.
        """
        now = datetime.now(UTC)
        with self.database.writing() as connection:
            webhook = _webhook(connection, project, webhook_id)
            said = Said(kind="ping", at=now, project=project, run=None, payload={})
            message = Message(
                webhook_id=webhook.id,
                run_id=None,
                message_id=new_message_id(),
                kind="ping",
                body=render(said, webhook.template),
                created_at=now,
            )
            [made] = deliveries.add(connection, [message])
            return _delivery(connection, webhook, made)

    def sent(
        self, project: str, webhook_id: int, *, limit: int, before: int | None = None, state: State | None = None
    ) -> list[Delivery]:
        """Deliveries, newest first, those made before the one of this id. Raises UnknownProject, UnknownWebhook."""
        with self.database.reading() as connection:
            webhook = _webhook(connection, project, webhook_id)
            return deliveries.newest(connection, webhook.id, limit=limit, before=before, state=state)

    def delivery(self, project: str, webhook_id: int, delivery_id: int) -> Delivery:
        """Raises UnknownProject, UnknownWebhook, UnknownDelivery."""
        with self.database.reading() as connection:
            return _delivery(connection, _webhook(connection, project, webhook_id), delivery_id)

    def replay(self, project: str, webhook_id: int, delivery_id: int) -> Delivery:
        """Send it again under its id, whatever became of it.

        Raises UnknownProject, UnknownWebhook, UnknownDelivery.
        """
        with self.database.writing() as connection:
            webhook = _webhook(connection, project, webhook_id)
            found = _delivery(connection, webhook, delivery_id)
            deliveries.replay(connection, found.id, datetime.now(UTC))
            return _delivery(connection, webhook, found.id)

    def _check(self, url: str) -> None:
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidInput(f"url cannot be read: {error}") from error
        address = literal(parsed.host)
        named = address is not None or _HOST.fullmatch(parsed.host)
        if parsed.scheme not in ("http", "https") or not named or len(url) > LONGEST_URL or not url.isascii():
            raise InvalidInput(f"url is no address such as https://ci.example/hook of at most {LONGEST_URL} characters")
        if parsed.port is not None and not 1 <= parsed.port <= 65535:
            raise InvalidInput(f"url names the port {parsed.port}, and ports are 1 to 65535")
        if parsed.userinfo or parsed.fragment:
            raise InvalidInput("url holds a user or a fragment, which is not sent; put a token in its path or query")
        # A name is looked up when something is sent; what can be told now is told to whoever can mend it.
        private = parsed.host.rstrip(".").lower().endswith("localhost") or (
            address is not None and not is_public(address)
        )
        if private and not self.manners.allow_private:
            told = "url is at a private address; the operator may allow those with CURVEWISE_WEBHOOK_ALLOW_PRIVATE=1"
            raise InvalidInput(told)


def _webhook(connection: Connection, project: str, webhook_id: int) -> Webhook:
    if (found := webhooks.find(connection, lookup.project(connection, project).id, webhook_id)) is None:
        raise UnknownWebhook(f"project {project!r} has no webhook {webhook_id}")
    return found


def _delivery(connection: Connection, webhook: Webhook, delivery_id: int) -> Delivery:
    if (found := deliveries.find(connection, webhook.id, delivery_id)) is None:
        raise UnknownDelivery(f"webhook {webhook.id} has no delivery {delivery_id}; they are kept for 30 days")
    return found
