"""The write path: one writer thread, group commit. A point that was acknowledged is on disk."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.curves.points import Points
from app.errors import Overloaded, StorageUnavailable, Unavailable
from app.storage import chunks
from app.storage.chunks import Batch, Known
from app.storage.database import Database

# Bounds the lists of ids in one statement; far more requests than wait at once in practice.
_LARGEST_GROUP = 1000
_MOST_KNOWN = 100_000  # curves whose numbers are remembered
_LONGEST_WAIT_S = 30.0  # for a database that is connected and does not answer


@dataclass(frozen=True, eq=False)
class _Waiting:
    batch: Batch
    points: int
    written: asyncio.Future[None]


class Recorder:
    """Writes what many requests wait for in one transaction, because a commit costs a flush of the disk.

    Started and stopped on the event loop that calls `record`. A process makes one.
    """

    def __init__(
        self, database: Database, queue_points: int, wrote: Callable[[Iterable[int]], None] = lambda _: None
    ) -> None:
        """wrote: told the runs of every transaction that was committed, in the recorder's thread."""
        self._database = database
        self._limit = queue_points
        self._wrote = wrote
        self._known = Known()  # used by the recorder's thread only
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._queued_points = 0  # changed on the event loop only
        self._accepting = False
        # A daemon: what has not been committed was not acknowledged either, so an abrupt exit may cut it short.
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    async def start(self) -> None:
        """Begin to take points."""
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._thread.start()

    async def stop(self) -> None:
        """Take no more points, and return when all that wait are written."""
        if not self._accepting:
            return
        self._accepting = False
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # the thread's last answers are already scheduled on this loop

    async def record(self, run_id: int, points: Sequence[Points], attempt: int | None) -> None:
        """Return once every point is on disk.

        Raises Overloaded when too many points wait already, UnknownRun, StorageUnavailable, StorageFull. A caller that
        is cancelled while it waits learns nothing; its points may still be written.
        """
        if not self._accepting:
            raise StorageUnavailable("the server is stopping")
        kept = [part for part in points if len(part.steps)]
        count = sum(len(part.steps) for part in kept)
        if not count:
            return
        # A batch larger than the whole queue is taken when it is the only one, or it never would be.
        if self._queued_points and self._queued_points + count > self._limit:
            raise Overloaded(f"{self._queued_points} points wait to be written; send these again later")
        waiting = _Waiting(Batch(run_id, attempt, kept), count, self._loop.create_future())
        self._queued_points += count
        self._queue.put(waiting)
        try:
            await asyncio.wait_for(waiting.written, _LONGEST_WAIT_S)
        except TimeoutError:
            raise StorageUnavailable(
                "the database does not answer; these points may be stored or not, and may be sent again"
            ) from None

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group, more = self._take(first)
            self._answer(group, self._write(group))
            if not more:
                return

    def _take(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Everything that waits now; False when it is the last before the stop."""
        group = [first]
        with suppress(queue.Empty):
            while len(group) < _LARGEST_GROUP:
                following = self._queue.get_nowait()
                if following is None:
                    return group, False
                group.append(following)
        return group, True

    def _write(self, group: Sequence[_Waiting]) -> list[Exception | None]:
        """What went wrong for each, None for those that are on disk."""
        try:
            with self._database.writing() as connection:
                chunks.write(connection, [waiting.batch for waiting in group], self._known)
        except Unavailable as error:
            self._known.forget()
            return [error] * len(group)
        except Exception as error:
            self._known.forget()
            # Whatever it is, every request gets its answer, or it would wait for ever.
            if len(group) == 1:
                return [error]
            # One of them is to blame, and the others must not pay for it.
            return [self._write([waiting])[0] for waiting in group]
        if len(self._known.curves) > _MOST_KNOWN:
            self._known.forget()
        self._wrote({waiting.batch.run_id for waiting in group})
        return [None] * len(group)

    def _answer(self, group: Sequence[_Waiting], errors: Sequence[Exception | None]) -> None:
        def settle() -> None:
            for waiting, error in zip(group, errors, strict=True):
                self._queued_points -= waiting.points
                if waiting.written.done():  # its client has gone
                    continue
                if error is None:
                    waiting.written.set_result(None)
                else:
                    waiting.written.set_exception(error)

        with suppress(RuntimeError):  # the loop was closed without a stop: nobody waits any more
            self._loop.call_soon_threadsafe(settle)
