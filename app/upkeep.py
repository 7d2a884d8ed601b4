"""Background work while jobs go on writing: settles what was written, erases what was deleted, rolls up what is old."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from app.errors import CurvewiseError
from app.storage import compaction, deletion, diagnoses, rolling_up, runs
from app.storage.blocks import CorruptBlock
from app.storage.database import Database
from app.storage.diagnoses import Kept

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_MANY_CHUNKS = 256  # of one curve: then it is settled at once
_IDLE_S = 30.0  # what few chunks there are is settled after so long
_SWEEP_S = 300.0  # how often all runs are looked at, for what servers that have died left behind
_RUNS_AT_ONCE = 1000
_BREATH_S = 0.01  # between two transactions of many: a writer in this process may begin


class Upkeep:
    """One thread a process, started and stopped by the service. Any number of processes may share a database.

    It remembers nothing that a dead process would miss: sweeps find everything that is left to do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[int, int] = {}  # run -> chunks of its busiest curve since it was last settled
        self._since: dict[int, float] = {}  # run -> when the first of them was written [monotonic s]
        self._deleted = threading.Event()
        self._judged: dict[int, Kept] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin to look for work."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the transaction under way is done."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def note_deletion(self) -> None:
        """Something was deleted: erase it soon."""
        self._deleted.set()

    def note_diagnoses(self, judged: Mapping[int, Kept]) -> None:
        """These closed runs were judged: keep what was found."""
        with self._lock:
            self._judged.update(judged)

    def note_chunks(self, run_ids: Iterable[int]) -> None:
        """Each of these runs has one more chunk in some of its curves."""
        now = time.monotonic()
        with self._lock:
            for run_id in run_ids:
                self._written[run_id] = self._written.get(run_id, 0) + 1
                self._since.setdefault(run_id, now)

    def _work(self) -> None:
        swept_at = -_SWEEP_S
        while not self._stopping.wait(_TICK_S):
            try:
                if time.monotonic() - swept_at >= _SWEEP_S:
                    swept_at = time.monotonic()
                    self.sweep()
                self.keep_diagnoses()
                due = self._due()
                for run_id in due:
                    self.settle(run_id)
                if self.erase() or due:
                    self._database.shrink()
            except (CurvewiseError, SQLAlchemyError) as error:
                # Nothing has changed, and what is left is found by a later sweep.
                _log.warning("background work was put off: %s", error)

    def _due(self) -> list[int]:
        now = time.monotonic()
        with self._lock:
            due = [
                run_id
                for run_id, count in self._written.items()
                if count >= _MANY_CHUNKS or now - self._since[run_id] >= _IDLE_S
            ]
            for run_id in due:
                del self._written[run_id], self._since[run_id]
        return due

    def settle(self, run_id: int) -> None:
        """Every curve of the run that has a tail. Raises StorageUnavailable, StorageFull."""
        with self._database.reading() as connection:
            tails: Mapping[int, int] = compaction.tails(connection, run_id)
        for curve in tails:
            if self._stopping.is_set():
                return
            try:
                compaction.compact(self._database, run_id, curve)
            except CorruptBlock as error:
                _log.warning("curve %d of run %d is left as it is: %s", curve, run_id, error)

    def keep_diagnoses(self) -> None:
        """Those that were judged. Raises StorageUnavailable, StorageFull; then they are judged again when wanted."""
        with self._lock:
            judged, self._judged = self._judged, {}
        ids = list(judged)
        for start in range(0, len(ids), _RUNS_AT_ONCE):
            with self._database.writing() as connection:
                diagnoses.keep(connection, {run_id: judged[run_id] for run_id in ids[start : start + _RUNS_AT_ONCE]})

    def erase(self) -> bool:
        """Everything that was deleted; whether that was anything. Raises StorageUnavailable, StorageFull."""
        if not self._deleted.is_set():
            return False
        self._deleted.clear()
        erased = False
        while not self._stopping.is_set() and deletion.erase_some(self._database):
            erased = True
            self._stopping.wait(_BREATH_S)
        return erased

    def roll_up(self) -> None:
        """Every run that is old enough. Raises StorageUnavailable, StorageFull."""
        tried: set[int] = set()
        while due := self._old_runs() - tried:
            tried |= due
            for run_id in due:
                if self._stopping.is_set():
                    return
                self.settle(run_id)
                try:
                    rolling_up.roll_up(self._database, run_id)
                except CorruptBlock as error:
                    _log.warning("run %d keeps its points: %s", run_id, error)

    def _old_runs(self) -> set[int]:
        with self._database.reading() as connection:
            return set(rolling_up.due(connection))

    def sweep(self) -> None:
        """Look at everything, for what servers that have died left behind. Raises StorageUnavailable, StorageFull."""
        self._deleted.set()
        self._settle_all()
        self.roll_up()

    def _settle_all(self) -> None:
        after = 0
        while not self._stopping.is_set():
            with self._database.reading() as connection:
                page = runs.ids_after(connection, after, _RUNS_AT_ONCE)
                unsettled = compaction.with_tails(connection, page)
            for run_id in unsettled:
                self.settle(run_id)
            if len(page) < _RUNS_AT_ONCE:
                return
            after = page[-1]
