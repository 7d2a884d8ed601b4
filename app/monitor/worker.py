"""The thread that looks at runs: at those that this process wrote to, and in sweeps at all, for what others left."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.archive import judge_logged, logged_curves, version
from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.errors import CurvewiseError
from app.monitor.look import LOOKED_EVERY_S, Look, Watch, look
from app.rules.catalogue import CATALOGUE_VERSION
from app.storage import chunks, events, runs, standings
from app.storage.blocks import CorruptBlock
from app.storage.database import Database
from app.storage.diagnoses import Kept
from app.storage.standings import StoredStanding

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_SWEEP_S = 30.0  # how often all runs are looked through, for those of servers that have died and those whose time came
SHARE = 0.05  # of the time, and so of one core at most
_SLICE_S = 0.1  # of processor time, after which what was judged is saved
_AT_ONCE = 20  # [runs] in one transaction on SQLite
_PAGE = 1000  # [runs] of a sweep
_AFTER_TROUBLE_S = 5.0
_KEPT = timedelta(days=90)  # events


class Monitor:
    """One thread a process, started and stopped by the service. Any number of processes may share a database.

    Each look is one transaction: what is known, what is held, what happened. It remembers nothing that a dead process
    would miss. It never writes to a run's own row, which the jobs' points go through.
    """

    def __init__(
        self,
        database: Database,
        *,
        hold_s: float = 60.0,
        floor_s: float = 300.0,
        keep: Callable[[Mapping[int, Kept]], None] = lambda _: None,
        since: datetime | None = None,
        share: float = SHARE,
    ) -> None:
        """share: of the time, which it may be at work. since: when the watch began, if not now.

        keep: told what was found of closed runs, in the monitor's thread.
        """
        self._database = database
        self._share = share
        self._watch = Watch(hold_s=hold_s, floor_s=floor_s, since=since or datetime.now(UTC))
        self._keep = keep
        self._changed: set[int] = set()
        self._urgent: set[int] = set()
        self._lock = threading.Lock()  # of the two above
        self._due: dict[int, datetime] = {}  # run -> when to look at it though nothing changes
        self._looked: dict[int, datetime] = {}  # run -> when it was looked at, if that was a moment ago
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin to look at runs."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the transaction under way is done."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def note(self, run_ids: Iterable[int], *, at_once: bool = False) -> None:
        """These runs have changed. at_once: in a way that people wait for. Called for every commit of points."""
        with self._lock:
            (self._urgent if at_once else self._changed).update(run_ids)

    def _work(self) -> None:
        swept_at = time.monotonic()
        wait_s = _TICK_S
        while not self._stopping.wait(wait_s):
            wait_s = _TICK_S
            try:
                self.look_at_waiting(datetime.now(UTC))
                if time.monotonic() - swept_at >= _SWEEP_S:
                    swept_at = time.monotonic()
                    self.sweep(datetime.now(UTC))
            except (CurvewiseError, SQLAlchemyError) as error:
                # Nothing has changed, and what is left is found by a later sweep.
                _log.warning("runs were not looked at: %s", error)
                wait_s = _AFTER_TROUBLE_S
            except Exception:
                _log.exception("runs were not looked at, for a reason that nobody thought of")
                wait_s = _AFTER_TROUBLE_S

    def look_at_waiting(self, now: datetime) -> None:
        """At the runs that changed here, and those whose time has come. Raises StorageUnavailable, StorageFull."""
        recent = now - timedelta(seconds=LOOKED_EVERY_S)
        self._looked = {run_id: at for run_id, at in self._looked.items() if at > recent}
        with self._lock:
            ready = self._urgent | {run_id for run_id in self._changed if run_id not in self._looked}
            self._changed -= ready
            self._urgent.clear()
        due = {run_id for run_id, at in self._due.items() if at <= now}
        for run_id in due:
            del self._due[run_id]
        self._look_at_all(sorted(ready | due), now)

    def sweep(self, now: datetime) -> None:
        """Through all runs, for those that are to be looked at. Raises StorageUnavailable, StorageFull."""
        after, recent = 0, now - timedelta(seconds=LOOKED_EVERY_S)
        while not self._stopping.is_set():
            begun = time.monotonic()
            with self._database.reading() as connection:
                page = runs.ids_after(connection, after, _PAGE)
                due = standings.due(connection, page, CATALOGUE_VERSION, now, recent)
            self._rest(begun)
            self._look_at_all(due, now)
            if len(page) < _PAGE:
                break
            after = page[-1]
        with self._database.writing() as connection:
            events.forget(connection, now - _KEPT)

    def _look_at_all(self, run_ids: Sequence[int], now: datetime) -> None:
        left = list(run_ids)
        while left and not self._stopping.is_set():
            begun = time.monotonic()
            done = self._look_on_sqlite(left, now) if self._database.on_sqlite else self._look_at_one(left[0], now)
            left = left[done:]
            self._rest(begun)

    def _rest(self, begun: float) -> None:
        """Until what was spent since `begun` is the share that may be spent.

        Of time and not of processor time: where requests keep the process busy, a look takes longer for waiting on
        them, and so there are fewer.
        """
        self._stopping.wait((time.monotonic() - begun) * (1 / self._share - 1))

    def _look_on_sqlite(self, run_ids: Sequence[int], now: datetime) -> int:
        """At the first of these runs; at how many. Judged before the lock is taken, of which there is one for all."""
        begun, looks, done = time.thread_time(), [], 0
        with self._database.reading() as connection:
            for run_id in run_ids[:_AT_ONCE]:
                done += 1
                if (found := self._look(connection, run_id, now)) is not None:
                    looks.append(found)
                if time.thread_time() - begun > _SLICE_S:
                    break
        if looks:
            with self._database.writing() as connection:
                _save(connection, looks)
        return done

    def _look_at_one(self, run_id: int, now: datetime) -> int:
        """The same on Postgres, where the run is claimed before it is judged."""
        with self._database.writing() as connection:
            if standings.claim(connection, run_id):
                with self._database.reading() as reader:
                    found = self._look(reader, run_id, now)
                if found is not None:
                    _save(connection, [found])
        return 1

    def _look(self, connection: Connection, run_id: int, now: datetime) -> Look | None:
        """None when nothing is to be saved: it is gone, or another process has just done it."""
        if (there := runs.find_by_id(connection, run_id)) is None:
            return None
        home, run = there
        before = standings.find(connection, [run_id]).get(run_id)
        written = before is None or chunks.newer_than(connection, run_id, before.revision)
        if before is not None and not _is_due(before, home, run, now):
            self._remember(run_id, before, now)
            return None
        found = self._judge(connection, home, run)
        seen = look(before, home, run, found, written=written, now=now, watch=self._watch)
        self._remember(run_id, seen.after, now)
        return seen

    def _judge(
        self, connection: Connection, home: runs.StoredProject, run: runs.StoredRun
    ) -> tuple[Diagnosis, Mapping[str, Curve]] | None:
        try:
            logged = logged_curves(connection, home, run)
        except CorruptBlock as error:
            _log.warning("run %d keeps its findings, because it cannot be read: %s", run.id, error)
            return None
        try:
            diagnosis = judge_logged(logged, home, run)
        except Exception:  # one run, with params of an older version perhaps, must not keep others from being judged
            _log.exception("run %d keeps its findings, because it cannot be judged", run.id)
            return None
        if run.context.state != "running":
            self._keep({run.id: Kept(version(home, run), diagnosis)})
        return diagnosis, logged

    def _remember(self, run_id: int, standing: StoredStanding, now: datetime) -> None:
        self._looked[run_id] = now
        if standing.due_at is None:
            self._due.pop(run_id, None)
        else:
            self._due[run_id] = standing.due_at


def _is_due(before: StoredStanding, home: runs.StoredProject, run: runs.StoredRun, now: datetime) -> bool:
    changed = before.revision != run.revision or before.basis != standings.basis(home.revision, CATALOGUE_VERSION)
    return changed or (before.due_at is not None and before.due_at <= now)


def _save(connection: Connection, looks: Sequence[Look]) -> None:
    """Those that no other process was quicker with."""
    done = standings.save(connection, [one.after for one in looks])
    for one in looks:
        if one.after.run_id not in done:
            continue
        if one.after.held != (one.before.held if one.before else {}):
            standings.save_held(connection, one.after.run_id, one.after.held.values())
        if one.happened:
            events.append(connection, one.after.run_id, one.after.sequence - len(one.happened), one.happened)
