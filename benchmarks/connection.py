"""One client's connection to a server: as little as HTTP needs, so that the client is not what is measured."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """Sends one request after the other and connects again when it has to."""

    url: str
    broken: int = 0  # requests that got no whole answer and were sent again
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, repr=False)

    async def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Reply:
        """headers: lines that end in CRLF. What breaks off is sent again, so whatever is asked must be idempotent."""
        host = urlsplit(self.url).netloc
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        while True:
            try:
                return await self._once(head.encode() + body)
            except (OSError, asyncio.IncompleteReadError):
                self.close()
                self.broken += 1
                await asyncio.sleep(0.2)

    async def _once(self, message: bytes) -> Reply:
        if self._streams is None:
            address = urlsplit(self.url)
            self._streams = await asyncio.open_connection(address.hostname, address.port)
        reader, writer = self._streams
        writer.write(message)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ", 2)[1])
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, await _chunked(reader))
        return Reply(status, headers, await reader.readexactly(int(headers.get("content-length", 0))))

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        part = await reader.readexactly(size + 2)
        if not size:
            return b"".join(parts)
        parts.append(part[:-2])
