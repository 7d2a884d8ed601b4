"""The product's verbs. Storage meets diagnosis only here; nothing here knows HTTP."""

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from itertools import chain, islice

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from app import lookup
from app.archive import judge_stored, version
from app.curves.curve import Curve
from app.curves.points import Points
from app.curves.roles import role_of, to_roles
from app.curves.thinning import LEAST_MAX_POINTS, for_display
from app.diagnosis import Diagnosis, RawParams, resolve_params
from app.errors import InvalidInput, LimitReached, UnknownCurve, UnknownRun
from app.limits import check_attempt, check_days, check_name, check_page, check_points, check_range, check_text
from app.listing import chips, stalled_since
from app.meters import Meters
from app.monitor.worker import Monitor
from app.nouns import CurveSummary, Project, Run, RunUpdate
from app.recent import Recent
from app.recorder import Recorder
from app.rules.context import Context, RunState
from app.searches import Searches, placed
from app.settings import Settings
from app.storage import (
    attempts,
    audit,
    chunks,
    deletion,
    diagnoses,
    histories,
    migrate,
    runs,
    searches,
    standings,
    streams,
    thinned,
)
from app.storage.database import Database, make_engine
from app.storage.diagnoses import Kept
from app.storage.standings import StoredStanding
from app.tokens import Tokens
from app.upkeep import Upkeep

_RECENT_RUNS = 10_000
_RECENT_DIAGNOSES = 1_000
_TOLD_AGAIN_S = 2.0
_CONTEXT = TypeAdapter(Context)


class Service:
    """Made with a store and a recorder by whoever starts the server; used by api/ and cli/."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        upkeep: Upkeep,
        monitor: Monitor | None = None,
        most_runs: int | None = None,
    ) -> None:
        """monitor: none for a service that only answers. most_runs: that a project may have."""
        self._most_runs = most_runs
        self._database = database
        self._monitor = monitor or Monitor(database)
        self._recorder = recorder
        self._upkeep = upkeep
        self._public: Recent[str, tuple[frozenset[str], float]] = Recent(1)
        self.tokens = Tokens(database)
        self._run_ids: Recent[tuple[str, str], int] = Recent(_RECENT_RUNS)
        self._diagnoses: Recent[str, Diagnosis] = Recent(_RECENT_DIAGNOSES)
        self.searches = Searches(database, self._diagnose)

    @property
    def database(self) -> Database:
        """Where it stores: for verbs that have a file of their own."""
        return self._database

    async def start(self) -> None:
        """Bring an embedded database to this version's schema and begin to take points. Raises SchemaMismatch."""
        await asyncio.to_thread(migrate.prepare, self._database.engine)
        await self._recorder.start()
        self._upkeep.start()
        self._monitor.start()

    async def close(self) -> None:
        """Write what still waits, then let go of the database."""
        await self._recorder.stop()
        await asyncio.to_thread(self._monitor.stop)
        await asyncio.to_thread(self._upkeep.stop)
        self._database.close()

    def check(self) -> None:
        """Raise StorageUnavailable, StorageFull or SchemaMismatch when the database cannot serve this version now."""
        migrate.check(self._database.engine)
        self._database.check_room()

    def open_run(self, project: str, run: str, update: RunUpdate) -> tuple[Run, bool]:
        """Create or update; True when it was created. The project is created with its first run.

        Raises InvalidInput when a name, a fact, or JSON in config or tags cannot be meant, UnknownSearch.
        """
        check_name("project", project)
        check_name("run", run)
        check_attempt(update.attempt)
        if update.commit is not None:
            check_text("commit", update.commit)
        with self._database.writing() as connection:
            home, _ = runs.lock_project(connection, project)
            before, created = runs.lock_run(connection, home.id, run)
            if created:
                self.check_room(connection, home)
            after = placed(connection, home, updated(before, update), update)
            if after != before:
                runs.save_run(connection, after)
            opened = _get_run(connection, home, run), created
        if after.context.state != before.context.state:
            self._monitor.note([before.id], at_once=True)  # a new run has nothing to look at yet
        return opened

    def take_attempt(self, project: str, run: str, token: str) -> tuple[int, bool]:
        """The attempt of a job that began with this token, and whether it is given out now; opens the run as well.

        No two tokens are given the same one. Raises InvalidInput.
        """
        check_name("project", project)
        check_name("run", run)
        check_name("token", token)
        with self._database.writing() as connection:
            home, _ = runs.lock_project(connection, project)
            before, created = runs.lock_run(connection, home.id, run)
            if created:
                self.check_room(connection, home)
            attempt, given = attempts.give(connection, before, token)
            if given and attempt > before.attempt:
                check_attempt(attempt)
                runs.save_run(connection, updated(before, RunUpdate(attempt=attempt)))
        self._monitor.note([before.id], at_once=given)
        return attempt, given

    def check_room(self, connection: Connection, home: runs.StoredProject) -> None:
        """To be asked when a run was just made: raise LimitReached when the project now has more than it may."""
        if self._most_runs is not None and runs.count_runs(connection, home.id) > self._most_runs:
            raise LimitReached(
                f"project {home.name!r} has {self._most_runs} runs, and no more are opened: delete some, or raise "
                "CURVEWISE_PROJECT_RUNS"
            )

    def close_run(self, project: str, run: str, state: RunState) -> Run:
        """Set the final state, finished or failed. Raises UnknownProject, UnknownRun."""
        if state not in {"finished", "failed"}:
            raise InvalidInput(f"a run is closed as finished or failed, not as {state}")
        with self._database.writing() as connection:
            home = lookup.project(connection, project)
            before = lookup.run(connection, home, run, lock=True)
            if before.context.state != state:
                runs.save_run(connection, replace(before, context=replace(before.context, state=state)))
            closed = _get_run(connection, home, run)
        self._monitor.note([before.id], at_once=True)
        return closed

    def get_run(self, project: str, run: str) -> Run:
        """Raises UnknownProject, UnknownRun."""
        with self._database.reading() as connection:
            return _get_run(connection, lookup.project(connection, project), run)

    def list_runs(self, project: str, *, limit: int, after: str | None) -> Sequence[Run]:
        """Runs in name order after `after`. Raises UnknownProject."""
        check_page(limit, after)
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            return _runs(connection, home, runs.list_runs(connection, home.id, limit=limit, after=after))

    def get_runs(self, project: str, names: Sequence[str]) -> Sequence[Run]:
        """These runs in this order, but for those that are not there. Raises UnknownProject."""
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            found = {run.name: run for run in runs.find_runs(connection, home.id, names)}
            return _runs(connection, home, [found[name] for name in names if name in found])

    def list_projects(
        self, *, limit: int, after: str | None, names: Collection[str] | None = None
    ) -> Sequence[Project]:
        """Projects in name order after `after`, all or those of these names."""
        check_page(limit, after)
        with self._database.reading() as connection:
            return [_project(*found) for found in runs.list_projects(connection, limit=limit, after=after, names=names)]

    def delete_run(self, project: str, run: str, *, by: str = audit.COMMAND_LINE) -> None:
        """Out of sight at once, and erased in the background. Raises UnknownProject, UnknownRun."""
        with self._database.writing() as connection:
            home = lookup.project(connection, project)
            deletion.mark_run(connection, lookup.run(connection, home, run, lock=True).id)
            audit.note(connection, by, "delete_run", project=project, run=run)
        self._upkeep.note_deletion()

    def delete_project(self, project: str, *, by: str = audit.COMMAND_LINE) -> None:
        """The same for a project with all its runs. Raises UnknownProject."""
        with self._database.writing() as connection:
            deletion.mark_project(connection, lookup.project(connection, project).id)
            audit.note(connection, by, "delete_project", project=project)
        self._upkeep.note_deletion()

    def configure_project(
        self,
        project: str,
        *,
        roles: Mapping[str, str] | None = None,
        params: RawParams | None = None,
        roll_up_after_days: int | None = None,
        public_status: bool | None = None,
        by: str = audit.COMMAND_LINE,
    ) -> tuple[Project, bool]:
        """Create or update a project's settings; None leaves what is known as it is.

        Raises InvalidParams, InvalidInput.
        """
        check_name("project", project)
        for name in roles or {}:
            check_text("curve name", name)
        to_roles({}, roles or {})
        resolve_params(params or {})
        check_days(roll_up_after_days)
        with self._database.writing() as connection:
            before, created = runs.lock_project(connection, project)
            after = replace(
                before,
                roles=before.roles if roles is None else dict(roles),
                params=before.params if params is None else {rule: dict(fields) for rule, fields in params.items()},
                roll_up_after_days=before.roll_up_after_days if roll_up_after_days is None else roll_up_after_days,
                public_status=before.public_status if public_status is None else public_status,
            )
            if after != before:
                runs.save_project(connection, after)
                audit.note(connection, by, "configure_project", project=project, detail=_changes(before, after))
            return _project(after, runs.count_runs(connection, after.id)), created

    def get_project(self, project: str) -> Project:
        """Raises UnknownProject."""
        with self._database.reading() as connection:
            found = lookup.project(connection, project)
            return _project(found, runs.count_runs(connection, found.id))

    def public_projects(self) -> frozenset[str]:
        """Those whose badge and metrics are shown to everybody, as of a moment ago."""
        if (known := self._public.get("")) is None or known[1] < time.monotonic():
            with self._database.reading() as connection:
                known = frozenset(runs.public_names(connection)), time.monotonic() + _TOLD_AGAIN_S
            self._public.put("", known)
        return known[0]

    async def record(self, project: str, run: str, points: Sequence[Points], attempt: int | None) -> frozenset[str]:
        """Return once every point is on disk, but for those of the curves that are returned: too many for the run.

        Raises UnknownRun, Overloaded, StorageUnavailable, StorageFull.

        attempt None means the latest; a later one than the latest opens it, and the run is running again.
        """
        check_attempt(attempt)
        for part in points:
            check_points(part)
        key = (project, run)
        if (known := self._run_ids.get(key)) is not None:
            try:
                return await self._recorder.record(known, points, attempt)
            except UnknownRun:
                pass  # deleted, and perhaps opened again under a new id: ask the database
        found = await asyncio.to_thread(self._find_run_id, project, run)
        self._run_ids.put(key, found)
        return await self._recorder.record(found, points, attempt)

    def read_curves(
        self,
        project: str,
        run: str,
        *,
        names: Sequence[str] | None = None,
        max_points: int | None = None,
        first_step: float | None = None,
        last_step: float | None = None,
    ) -> Mapping[str, Curve]:
        """Stored curves under their raw names, attempts and repeated steps resolved; thinned for display on request.

        first_step, last_step: only the points from one through the other, and thinned only where these are too many.
        Raises UnknownProject, UnknownRun, UnknownCurve, InvalidInput.
        """
        within = check_range(first_step, last_step)
        with self._database.reading() as connection:
            run_id, wanted = _find_curves(connection, project, run, names)
            if max_points is None:
                found = chunks.read(connection, run_id, wanted, within)
            else:
                found = thinned.read_for_display(connection, run_id, wanted, max_points, within)
            shown = _over_time(connection, run_id, found, within)
            return shown if max_points is None else {name: for_display(shown[name], max_points) for name in shown}

    def stream_curves(
        self,
        project: str,
        run: str,
        *,
        names: Sequence[str] | None = None,
        first_step: float | None = None,
        last_step: float | None = None,
    ) -> Iterator[Curve]:
        """The same in full, in stretches: by name, then by step. Memory does not grow with the run.

        Raises UnknownProject, UnknownRun, UnknownCurve at once, and UnknownRun later when the run is deleted meanwhile.
        """
        within = check_range(first_step, last_step)
        with self._database.reading() as connection:
            run_id, wanted = _find_curves(connection, project, run, names)
        return self._in_pieces(run_id, wanted, within)

    def _in_pieces(self, run_id: int, names: Sequence[str], within: tuple[float, float]) -> Iterator[Curve]:
        for name in names:
            pieces = streams.pieces(self._database, run_id, [name], within)
            begin = list(islice(pieces, 2))
            if len(begin) < 2 and all(len(piece) == 1 for piece in begin):  # a point, none, or a curve without steps
                with self._database.reading() as connection:
                    found = chunks.read(connection, run_id, [name], within)
                    shown = _over_time(connection, run_id, found, within)
                begin = [curve for curve in shown.values() if len(curve)]
            yield from chain(begin, pieces)

    def diagnosis_version(self, project: str, run: str) -> str:
        """Changes whenever the diagnosis of the run can change: what an ETag is made of. Reads no points."""
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            return version(home, lookup.run(connection, home, run))

    def diagnose(self, project: str, run: str, *, at_step: float | None = None) -> Diagnosis:
        """Judge a stored run with its project's role overrides and params, as it stood at `at_step`."""
        if at_step is not None and math.isnan(at_step):
            raise InvalidInput("at_step is not a number")
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            found = lookup.run(connection, home, run)
            if at_step is not None:
                return judge_stored(connection, home, found, at_step)
            return self._diagnose(connection, home, [found])[0]

    def diagnose_project(
        self, project: str, *, limit: int, after: str | None, state: RunState | None = None
    ) -> Sequence[Diagnosis]:
        """The diagnoses of a project's runs, in name order after `after`."""
        check_page(limit, after)
        with self._database.reading() as connection:
            home = lookup.project(connection, project)
            page = runs.list_runs(connection, home.id, limit=limit, after=after, state=state)
            return self._diagnose(connection, home, page)

    def _diagnose(
        self, connection: Connection, home: runs.StoredProject, found: Sequence[runs.StoredRun]
    ) -> list[Diagnosis]:
        """As each was judged a moment ago, else as it was kept when it had been closed, else judged now."""
        recent = {run.id: self._diagnoses.get(version(home, run)) for run in found}
        closed = [run.id for run in found if recent[run.id] is None and run.context.state != "running"]
        kept = diagnoses.find(connection, closed) if closed else {}
        answers, fresh = [], {}
        for run in found:
            now = version(home, run)
            diagnosis = recent[run.id]
            if diagnosis is None and run.id in kept and kept[run.id].version == now:
                diagnosis = kept[run.id].diagnosis
            if diagnosis is None:
                diagnosis = judge_stored(connection, home, run)
                if run.context.state != "running":
                    fresh[run.id] = Kept(now, diagnosis)
            self._diagnoses.put(now, diagnosis)
            answers.append(diagnosis)
        self._upkeep.note_diagnoses(fresh)
        return answers

    def _find_run_id(self, project: str, run: str) -> int:
        with self._database.reading() as connection:
            return lookup.run(connection, lookup.project(connection, project), run).id


def make_service(settings: Settings, meters: Meters | None = None) -> Service:
    """A service that has not connected yet: await its `start`, and its `close` at the end. Raises InvalidInput."""
    meters = meters or Meters()
    database = Database(make_engine(settings.database_url))
    upkeep = Upkeep(database)
    monitor = Monitor(
        database, hold_s=settings.finding_hold_s, floor_s=settings.stalled_after_s, keep=upkeep.note_diagnoses
    )

    def wrote(run_ids: Iterable[int]) -> None:
        upkeep.note_chunks(run_ids)
        monitor.note(run_ids)

    return Service(
        database,
        Recorder(database, settings.queue_points, wrote, meters.settled, settings.run_curves),
        upkeep,
        monitor,
        settings.project_runs,
    )


def _changes(before: runs.StoredProject, after: runs.StoredProject) -> dict[str, object]:
    """Settings that are no longer what they were, as they are now."""
    now = asdict(after)
    return {name: now[name] for name, value in asdict(before).items() if value != now[name]}


def _over_time(
    connection: Connection, run_id: int, found: Mapping[str, Curve], within: tuple[float, float]
) -> dict[str, Curve]:
    """Those without steps over time, cut there: what is stored of them is one point at step 0."""
    absent = [name for name, curve in found.items() if not len(curve)] if within != (0.0, math.inf) else []
    looked_for = thinned.read_for_display(connection, run_id, absent, LEAST_MAX_POINTS) if absent else {}
    without = {name: curve for name, curve in looked_for.items() if len(curve) == 1 and curve.steps[0] == 0}
    shown = histories.over_time_without_steps(connection, run_id, {**found, **without})
    return {name: curve.between(*within) for name, curve in shown.items()}


def _find_curves(
    connection: Connection, project: str, run: str, names: Sequence[str] | None
) -> tuple[int, Sequence[str]]:
    """The run's id and the names of the curves that are asked for, all when None."""
    stored = lookup.run(connection, lookup.project(connection, project), run)
    known = chunks.curve_names(connection, stored.id)
    if missing := sorted(set(names or ()) - set(known)):
        raise UnknownCurve(f"run {run!r} has no curve {missing[0]!r}")
    return stored.id, [name for name in known if not histories.is_hidden(name)] if names is None else names


def _get_run(connection: Connection, home: runs.StoredProject, name: str) -> Run:
    return _runs(connection, home, [lookup.run(connection, home, name)])[0]


def _runs(connection: Connection, home: runs.StoredProject, found: Sequence[runs.StoredRun]) -> list[Run]:
    ids = [run.id for run in found]
    stored, stood = chunks.stored_curves(connection, ids), standings.find(connection, ids)
    named = searches.names(connection, {run.search_id for run in found if run.search_id is not None})
    return [_run(home, run, stored[run.id], stood.get(run.id), named) for run in found]


def _run(
    home: runs.StoredProject,
    run: runs.StoredRun,
    stored: Sequence[chunks.Stored],
    stood: StoredStanding | None,
    searches_named: Mapping[int, str],
) -> Run:
    return Run(
        project=home.name,
        run=run.name,
        context=run.context,
        attempt=run.attempt,
        config=run.config,
        tags=run.tags,
        commit=run.commit,
        created_at=run.created_at,
        updated_at=run.updated_at,
        rolled_up_at=run.rolled_up_at,
        revision=run.revision,
        curves=tuple(
            CurveSummary(
                name=curve.name,
                role=home.roles.get(curve.name, role_of(curve.name).name) or None,
                points=curve.points,
                first_step=curve.first_step,
                last_step=curve.last_step,
            )
            for curve in stored
            if not histories.is_hidden(curve.name)
        ),
        stalled_since=stalled_since(stood, run.revision),
        findings=chips(stood),
        search=None if run.search_id is None else searches_named.get(run.search_id),
        search_step=run.search_step,
    )


def _project(found: runs.StoredProject, run_count: int) -> Project:
    return Project(
        project=found.name,
        roles=found.roles,
        params=found.params,
        roll_up_after_days=found.roll_up_after_days,
        public_status=found.public_status,
        created_at=found.created_at,
        runs=run_count,
    )


def updated(run: runs.StoredRun, update: RunUpdate) -> runs.StoredRun:
    """The run with what was said. Raises InvalidInput when a fact cannot be meant."""
    facts = [field.name for field in fields(Context)]
    given = {name: getattr(update, name) for name in facts if getattr(update, name) is not None}
    attempt = max(run.attempt, update.attempt or run.attempt)
    if attempt > run.attempt:
        given.setdefault("state", "running")
    try:
        context = _CONTEXT.validate_python({**asdict(run.context), **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"context.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return replace(
        run,
        context=context,
        attempt=attempt,
        config=run.config if update.config is None else update.config,
        tags=run.tags if update.tags is None else update.tags,
        commit=run.commit if update.commit is None else update.commit,
    )
