"""One message, sent once: what goes out, and what the answer means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ssl import SSLContext

import httpcore
import httpx
from standardwebhooks import Webhook as Signer

from app.webhooks.addresses import AddressRefused, Backend

_AGENT = "Curvewise-Webhook/1"
_LONGEST_REASON = 200  # [characters]
_LONGEST_PAUSE_S = 24 * 3600.0


@dataclass(frozen=True)
class Answer:
    """status: None when there was none. error: None when the message was taken. retry_after_s: what was asked for."""

    status: int | None
    error: str | None
    retry_after_s: float = 0.0


def send(url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, allow_private: bool) -> Answer:
    """Post the body. Never raises for what a receiver does; redirects are not followed, and no body is read back.

    timeout_s: for all of it together, but for the look-up of the name, which has the resolver's own limit.
    """
    backend = Backend(allow_private=allow_private, deadline=time.monotonic() + timeout_s)
    try:
        # Of its own: a connection that is kept was made by an earlier look-up. Proxies of the environment play no part.
        with (
            httpcore.ConnectionPool(ssl_context=_trust(), network_backend=backend) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
        ):
            return _answer(response)
    except AddressRefused as error:
        return Answer(None, str(error))
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        kind = "took too long" if isinstance(error, httpcore.TimeoutException) else "cannot be reached"
        return Answer(None, f"the receiver {kind}: {error}"[:_LONGEST_REASON])


def signed(secret: str, message_id: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of an attempt at this moment, as Standard Webhooks has them."""
    signature = Signer(secret).sign(message_id, now.astimezone(UTC), body)
    return {
        "content-type": "application/json",
        "user-agent": _AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def _answer(response: httpcore.Response) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(status, None)
    headers = {name.lower(): value for name, value in response.headers}
    pause_s = retry_after_s(headers.get(b"retry-after", b"").decode("latin-1"), datetime.now(UTC))
    if 300 <= status < 400:
        return Answer(
            status, f"answered {status}; redirects are not followed: subscribe the URL that is meant", pause_s
        )
    return Answer(status, f"answered {status}", pause_s)


def retry_after_s(header: str, now: datetime) -> float:
    """How long a receiver asks to be left alone [s]: a number of seconds, or a date; at most a day."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_PAUSE_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if until.tzinfo is None:  # "-0000": of no zone in particular, so it is UTC
        until = until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), _LONGEST_PAUSE_S)


@cache
def _trust() -> SSLContext:
    """The certificates that are trusted; reading them takes longer than most messages."""
    return httpx.create_ssl_context()
