"""A line of JSON for each request, for whoever collects logs: who asked what, what came of it, how long it took.

No header, query or body is written down, so no secret is: of a token only its public id. Every reply carries the id
that its line has, the one that a proxy gave the request where it gave one.
"""

import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import who_asked

log = logging.getLogger("curvewise.requests")

_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,100}")
_HEADER = b"x-request-id"


class RequestLog:
    """ASGI middleware, to be outermost where requests are logged at all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8).encode()
        began, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, request_id)]
            await send(message)

        try:
            return await self._app(scope, receive, noting)
        finally:
            line = {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "id": request_id.decode(),
                "method": scope["method"],
                "path": scope["path"],
                "status": status,  # 0: the client went away, or the server failed before it answered
                "ms": round((time.monotonic() - began) * 1000, 2),
                "token": who_asked(scope),
                "from": (scope.get("client") or ("",))[0],
            }
            log.info("%s", json.dumps(line))
