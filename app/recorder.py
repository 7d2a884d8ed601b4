"""The write path: one writer thread, group commit. A point that was acknowledged is on disk."""

import asyncio
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.curves.points import Points
from app.errors import Overloaded, StorageUnavailable, Unavailable
from app.storage import chunks
from app.storage.chunks import Batch, Known
from app.storage.database import Database

# Bounds the lists of ids in one statement; far more requests than wait at once in practice.
_LARGEST_GROUP = 1000
# How long a group waits for more. A timer is no finer than a millisecond, and a client that was just answered takes one
# to send its next request and have it read.
_LINGER_S = 0.002
_MOST_KNOWN = 100_000  # curves whose numbers are remembered
_NOTHING: frozenset[str] = frozenset()
_LONGEST_WAIT_S = 30.0  # for a database that is connected and does not answer


@dataclass(frozen=True, eq=False)
class _Waiting:
    batch: Batch
    points: int
    written: asyncio.Future[frozenset[str]]  # the names of curves that were too many for the run


class Recorder:
    """Writes what many requests wait for in one transaction, because a commit costs a flush of the disk.

    A group is handed to the writer's thread when the writer is free and as many requests wait as there were clients a
    moment ago, or the first of them has lingered. Without that the thread would begin with the first request while the
    others are read: each of its dozens of calls would then wait for the interpreter, and groups would stay small.

    Started and stopped on the event loop that calls `record`. A process makes one.
    """

    def __init__(
        self,
        database: Database,
        queue_points: int,
        wrote: Callable[[Iterable[int]], None] = lambda _: None,
        settled: Callable[[int, int], None] = lambda _taken, _queued: None,
        most_curves: int | None = None,
    ) -> None:
        """wrote: told the runs of every transaction that was committed, in the recorder's thread.

        settled: told after every group how many points of it were taken, and how many wait, on the event loop.
        most_curves: that a run may have.
        """
        self._database = database
        self._limit = queue_points
        self._wrote = wrote
        self._settled = settled
        self._most_curves = most_curves
        self._known = Known()  # used by the recorder's thread only
        self._groups: queue.SimpleQueue[Sequence[_Waiting] | None] = queue.SimpleQueue()
        # What follows is touched on the event loop only.
        self._accepting = False
        self._queued_points = 0
        self._waiting: list[_Waiting] = []
        self._writing: Sequence[_Waiting] = ()
        self._expected = 1  # requests: those of the last group, and those that waited when it was written
        self._linger: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
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
        self._hand_over_when_ripe()
        await self._idle.wait()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)

    async def record(self, run_id: int, points: Sequence[Points], attempt: int | None) -> frozenset[str]:
        """Return once every point is on disk, but for those of the curves that are returned: too many for the run.

        Raises Overloaded when too many points wait already, UnknownRun, StorageUnavailable, StorageFull. A caller that
        is cancelled while it waits learns nothing; its points may still be written.
        """
        if not self._accepting:
            raise StorageUnavailable("the server is stopping")
        kept = [part for part in points if len(part.steps)]
        count = sum(len(part.steps) for part in kept)
        if not count:
            return frozenset()
        # A batch larger than the whole queue is taken when it is the only one, or it never would be.
        if self._queued_points and self._queued_points + count > self._limit:
            raise Overloaded(f"{self._queued_points} points wait to be written; send these again later")
        waiting = _Waiting(Batch(run_id, attempt, kept), count, self._loop.create_future())
        self._queued_points += count
        self._waiting.append(waiting)
        self._idle.clear()
        self._hand_over_when_ripe()
        return await waiting.written

    def _hand_over_when_ripe(self) -> None:
        if self._writing or not self._waiting:
            return
        if len(self._waiting) >= self._expected or not self._accepting:
            self._hand_over()
        elif self._linger is None:
            self._linger = self._loop.call_later(_LINGER_S, self._hand_over)

    def _hand_over(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._writing, self._waiting = self._waiting[:_LARGEST_GROUP], self._waiting[_LARGEST_GROUP:]
        self._deadline = self._loop.call_later(_LONGEST_WAIT_S, self._give_up)
        self._groups.put(self._writing)

    def _give_up(self) -> None:
        """Nobody waits longer; what is being written may still be, and the rest is not."""
        for waiting in (*self._writing, *self._waiting):
            if not waiting.written.done():
                told = "the database does not answer; these points may be stored or not, and may be sent again"
                waiting.written.set_exception(StorageUnavailable(told))
        self._queued_points -= sum(waiting.points for waiting in self._waiting)
        self._waiting = []
        self._deadline = self._loop.call_later(_LONGEST_WAIT_S, self._give_up)

    def _settle(self, outcomes: Sequence[Exception | frozenset[str]]) -> None:
        """Tell the group what became of it, and go on with the next."""
        group, self._writing = self._writing, ()
        if self._deadline is not None:
            self._deadline.cancel()
        taken = 0
        for waiting, outcome in zip(group, outcomes, strict=True):
            self._queued_points -= waiting.points
            taken += 0 if isinstance(outcome, Exception) else waiting.points - count_of(waiting.batch.points, outcome)
            if waiting.written.done():  # its client has gone, or was told not to wait
                continue
            if isinstance(outcome, Exception):
                waiting.written.set_exception(outcome)
            else:
                waiting.written.set_result(outcome)
        self._settled(taken, self._queued_points)
        self._expected = min(len(group) + len(self._waiting), _LARGEST_GROUP)
        if not self._waiting:
            self._idle.set()
        self._hand_over_when_ripe()

    def _work(self) -> None:
        while (group := self._groups.get()) is not None:
            outcomes = self._write(group)
            with suppress(RuntimeError):  # the loop was closed without a stop: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, outcomes)

    def _write(self, group: Sequence[_Waiting]) -> list[Exception | frozenset[str]]:
        """What went wrong for each, or the names of curves that were too many where the rest is on disk."""
        try:
            with self._database.writing() as connection:
                batches = [waiting.batch for waiting in group]
                refused = chunks.write(connection, batches, self._known, self._most_curves)
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
        if not refused:
            return [_NOTHING] * len(group)
        return [
            frozenset(part.name for part in batch.points if (batch.run_id, part.name) in refused) for batch in batches
        ]


def count_of(points: Sequence[Points], names: Collection[str]) -> int:
    """How many of the points are of these curves [points]."""
    return sum(len(part.steps) for part in points if part.name in names) if names else 0
