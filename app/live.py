"""Runs followed while they change: by any number of readers, with one look at the database for all of them.

It is looked four times a second and not more often, whatever comes in: what happens in between is one update. Replicas
need not know of each other, since where a run is stands in the database.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.errors import CurvewiseError
from app.storage import changes, standings
from app.storage.changes import Seen, Stretch
from app.storage.database import Database
from app.storage.standings import StoredStanding

_log = logging.getLogger(__name__)

PERIOD_S = 0.25
HEARTBEAT_S = 15.0  # a proxy may close what is silent for a minute

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """How far a reader has read: the run's revision and attempt, and the monitor's turn."""

    revision: int
    attempt: int
    turn: int


@dataclass(frozen=True)
class Update:
    """What is new: None where nothing is. Nothing new at all is a sign of life."""

    place: Place
    state: Seen | None = None
    curves: Sequence[Stretch] | None = None
    standing: StoredStanding | None = None


@dataclass(eq=False)
class _Followed:
    readers: int = 0
    now: Seen | None = None  # None: not looked at yet, or it is gone
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # set once, then there is another one
    news: dict[Place | None, asyncio.Future[Update]] = field(default_factory=dict)  # by what a reader knows


class Live:
    """Made and used on one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followed: dict[int, _Followed] = {}
        self._poller: asyncio.Task[None] | None = None
        self._stopping = False

    def stop_soon(self) -> None:
        """End every stream: a server that was told to stop waits for them."""
        self._stopping = True
        for followed in self._followed.values():
            followed.changed.set()

    async def stop(self) -> None:
        """The same, and return when nothing is read any more."""
        self.stop_soon()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def follow(self, run_id: int, since: Place | None) -> AsyncGenerator[Update, None]:
        """How the run is now, then each change, until it is deleted or the server stops.

        since: what the reader knows already; None when it is all that there is now. Raises StorageUnavailable.
        """
        followed = self._followed.setdefault(run_id, _Followed())
        followed.readers += 1
        try:
            if followed.now is None:
                await self._look([run_id])
            if self._poller is None or self._poller.done():
                self._poller = asyncio.create_task(self._poll())
            place, told = since, None
            while (now := followed.now) is not None and not self._stopping:
                changed = followed.changed
                wait_s = HEARTBEAT_S
                if now != told:
                    if (update := await self._news_of(run_id, followed, now, place)) is None:
                        wait_s = PERIOD_S
                    else:
                        yield _told(update, now, told)
                        place, told = update.place, now
                if not await _is_set_within(changed, wait_s) and place is not None:
                    yield Update(place)
        finally:
            followed.readers -= 1
            if not followed.readers:
                self._followed.pop(run_id, None)

    async def _news_of(self, run_id: int, followed: _Followed, now: Seen, place: Place | None) -> Update | None:
        """Read once for all readers that know the same; None when the database does not answer."""
        if place not in followed.news:
            reading = asyncio.create_task(self._read(lambda connection: _news(connection, run_id, now, place)))
            followed.news[place] = reading
        reading_now = followed.news[place]
        try:
            return await asyncio.shield(reading_now)
        except (CurvewiseError, SQLAlchemyError) as error:
            _log.warning("what is new of a run is told later: %s", error)
            if followed.news.get(place) is reading_now:
                del followed.news[place]
            return None

    async def _poll(self) -> None:
        while self._followed and not self._stopping:
            await asyncio.sleep(PERIOD_S)
            try:
                await self._look(list(self._followed))
            except (CurvewiseError, SQLAlchemyError) as error:
                _log.warning("runs that are followed were not looked at: %s", error)

    async def _look(self, run_ids: Sequence[int]) -> None:
        found = await self._read(lambda connection: changes.seen(connection, run_ids))
        for run_id in run_ids:
            followed = self._followed.get(run_id)
            if followed is not None and followed.now != found.get(run_id):
                followed.now = found.get(run_id)
                followed.news = {}
                before, followed.changed = followed.changed, asyncio.Event()
                before.set()

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._database.reading() as connection:
                return ask(connection)

        return await asyncio.to_thread(read)


def _news(connection: Connection, run_id: int, now: Seen, place: Place | None) -> Update:
    curves, standing = None, None
    if place is not None and (place.revision, place.attempt) != (now.revision, now.attempt):
        # A later attempt hides points of every curve. A revision that is yet to come is of a run that was deleted.
        anew = place.attempt != now.attempt or place.revision > now.revision
        found = changes.stretches(connection, run_id, -1 if anew else place.revision)
        curves = [Stretch(one.name, None, None) for one in found] if anew else found
    if place is None or place.turn != now.turn:
        standing = standings.find(connection, [run_id]).get(run_id)
    return Update(Place(now.revision, now.attempt, now.turn), None, curves or None, standing)


def _told(update: Update, now: Seen, before: Seen | None) -> Update:
    """With the state where that is new: at first, when it changed, and when something did that is no point."""
    said = before is not None and (before.state, before.stalled_since) == (now.state, now.stalled_since)
    if said and (update.curves or update.standing):
        return update
    return Update(update.place, now, update.curves, update.standing)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
