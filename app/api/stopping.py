"""Streams end when the server is told to stop: it waits for its requests first, and they would wait for ever."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


def before_waiting(stop: Callable[[], None]) -> None:
    """Call `stop` on this event loop when SIGINT or SIGTERM comes, before the server's own handler.

    The lifespan is told to end only when all requests are done. A server that runs in a thread gets no signals: whoever
    runs it there ends its streams.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(handler := signal.getsignal(number)):
            signal.signal(number, _first(loop, stop, handler))


def _first(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], handler: Callable[[int, FrameType | None], Any]
) -> Callable[[int, FrameType | None], None]:
    def told(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stop)
        handler(number, frame)

    return told
