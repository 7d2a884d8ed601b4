"""A small HTTP balancer: hands requests to servers in turn, as nginx with `proxy_next_upstream error` does.

A server that refuses the connection is passed over; one that dies before it answers costs its client a 502, since only
the client knows whether the request may be sent again.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from tests.server_process import free_port

_LOST = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Balancer:
    """answered: port of a server -> how many requests it answered."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.answered: Counter[int] = Counter()
        self._ports = ports
        self._turn = count()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The balancer's address."""
        port, loop, ready = free_port(), asyncio.new_event_loop(), threading.Event()
        stop = asyncio.Event()

        async def main() -> None:
            async with await asyncio.start_server(self._serve, "127.0.0.1", port):
                ready.set()
                await stop.wait()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(main())

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(timeout=10)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(timeout=10)
        assert not thread.is_alive()

    async def _serve(self, client: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        try:
            if request := await _request(client):
                await self._hand_over(request, reply)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            reply.close()

    async def _hand_over(self, request: bytes, reply: asyncio.StreamWriter) -> None:
        first = next(self._turn)
        for port in (self._ports[(first + more) % len(self._ports)] for more in range(len(self._ports))):
            try:
                server, send = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            answer = await _answer(server, send, request)
            self.answered[port] += answer is not None
            reply.write(answer or _LOST)
            await reply.drain()
            return
        reply.write(_LOST)


async def _request(client: asyncio.StreamReader) -> bytes:
    """One request with its body; it asks for the connection to be closed after the answer."""
    head = await client.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    kept = [line for line in lines[:-2] if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close", b"", await client.readexactly(length)])


async def _answer(server: asyncio.StreamReader, send: asyncio.StreamWriter, request: bytes) -> bytes | None:
    """All that the server says; None when it dies before it says anything, or in the middle."""
    try:
        send.write(request)
        await send.drain()
        answer = await server.read()
    except OSError:
        return None
    finally:
        send.close()
    head, found, body = answer.partition(b"\r\n\r\n")
    length = next((int(one[15:]) for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")), 0)
    return answer if found and len(body) >= length else None
