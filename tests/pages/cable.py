"""A cable between browser and server that can be cut."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.server_process import free_port


class Cable:
    """Hands bytes to and fro; cut, every connection breaks and none is taken."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._cut = False

    @contextmanager
    def laid(self) -> Iterator["Cable"]:
        """The cable is there within the block."""
        ready, stop = threading.Event(), asyncio.Event()

        async def main() -> None:
            async with await asyncio.start_server(self._carry, "127.0.0.1", self.port):
                ready.set()
                await stop.wait()
                self._break()

        thread = threading.Thread(target=lambda: asyncio.Runner(loop_factory=lambda: self._loop).run(main()))
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            self._loop.close()

    def cut(self) -> None:
        """From now on nothing passes."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._break)

    def mend(self) -> None:
        """Connections are taken again."""
        self._cut = False

    def _break(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers |= {writer, to_server}
        await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))
        self._writers -= {writer, to_server}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
