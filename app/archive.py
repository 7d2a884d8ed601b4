"""What is stored, judged: one run, or every run of a project again after the rules have changed.

Judging again has three parts: `propose` judges and keeps the results aside, in any number of processes and in any
order; `compare` tells what would change; `accept` makes it so. Each is done in batches that are whole or not at all, so
whatever dies is begun again where it stopped.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from app import lookup
from app.curves.curve import Curve
from app.curves.roles import role_of
from app.diagnosis import Diagnosis, judge
from app.rules.catalogue import CATALOGUE_VERSION
from app.storage import chunks, diagnoses, histories, runs, thinned
from app.storage.database import Database, make_engine
from app.storage.diagnoses import Kept

BATCH = 50  # [runs]


def version(home: runs.StoredProject, run: runs.StoredRun) -> str:
    """Changes whenever the diagnosis of the run can change. Reads no points."""
    # With the run's id, because a run that was deleted and opened again counts its revisions from 1.
    return f"{run.id}.{run.revision}.{home.revision}.{CATALOGUE_VERSION}"


def judge_stored(
    connection: Connection, home: runs.StoredProject, run: runs.StoredRun, at_step: float | None = None
) -> Diagnosis:
    """Judge a stored run with its project's role overrides and params, as it stood at `at_step`."""
    return judge_logged(logged_curves(connection, home, run, at_step), home, run, at_step)


def logged_curves(
    connection: Connection, home: runs.StoredProject, run: runs.StoredRun, at_step: float | None = None
) -> Mapping[str, Curve]:
    """What the rules are to see of a stored run, by raw name; through any step when one is given."""
    names = [n for n in chunks.curve_names(connection, run.id) if home.roles.get(n, role_of(n).name)]
    # A replay cuts within what bins hold together, so it reads the points themselves.
    read = thinned.read_for_rules if at_step is None else chunks.read
    return histories.over_time_without_steps(connection, run.id, read(connection, run.id, names))


def judge_logged(
    logged: Mapping[str, Curve], home: runs.StoredProject, run: runs.StoredRun, at_step: float | None = None
) -> Diagnosis:
    """The same of curves that were read before."""
    found = judge(logged, run.context, roles=home.roles, params=home.params, at_step=at_step)
    return replace(found, run=run.name, project=home.name)


def batches(database: Database, project: str) -> Iterator[list[str]]:
    """The names of all runs of a project, some at a time. Raises UnknownProject."""
    after = None
    while True:
        with database.reading() as connection:
            home = lookup.project(connection, project)
            page = runs.list_runs(connection, home.id, limit=BATCH, after=after)
        if not page:
            return
        yield [run.name for run in page]
        after = page[-1].name


def propose(database_url: str, project: str, names: Sequence[str]) -> int:
    """Judge these runs by this version's rules and keep the results aside; how many were not kept aside already.

    Runs in any process that reaches the database. Raises UnknownProject, StorageUnavailable.
    """
    database = Database(make_engine(database_url))
    try:
        with database.reading() as connection:
            home = lookup.project(connection, project)
            found = _find_runs(connection, home, names)
            done = diagnoses.versions(connection, [run.id for run in found], proposed=True)
            left = [run for run in found if done.get(run.id) != version(home, run)]
            judged = {run.id: Kept(version(home, run), judge_stored(connection, home, run)) for run in left}
        if judged:
            with database.writing() as connection:
                diagnoses.keep(connection, judged, proposed=True)
        return len(judged)
    finally:
        database.close()


@dataclass
class Changes:
    """What would change. appears, goes, severity: rule -> in how many runs. runs: name -> what changes in it."""

    judged: int = 0
    untold: int = 0  # no diagnosis was kept of them before
    appears: Counter[str] = field(default_factory=Counter)
    goes: Counter[str] = field(default_factory=Counter)
    severity: Counter[str] = field(default_factory=Counter)
    runs: dict[str, list[str]] = field(default_factory=dict)

    def add(self, run: str, told: Diagnosis | None, proposed: Diagnosis) -> None:
        """One more run."""
        self.judged += 1
        if told is None:
            self.untold += 1
            return
        before = {finding.rule: finding.severity for finding in told.findings}
        after = {finding.rule: finding.severity for finding in proposed.findings}
        said = []
        for rule in sorted(before | after):
            if rule not in before:
                self.appears[rule] += 1
                said.append(f"{rule} appears ({after[rule]})")
            elif rule not in after:
                self.goes[rule] += 1
                said.append(f"{rule} goes ({before[rule]})")
            elif before[rule] != after[rule]:
                self.severity[rule] += 1
                said.append(f"{rule} from {before[rule]} to {after[rule]}")
        if said:
            self.runs[run] = said


def compare(database: Database, project: str, names: Sequence[str], changes: Changes) -> None:
    """Add these runs to what would change."""
    with database.reading() as connection:
        found = _find_runs(connection, lookup.project(connection, project), names)
        ids = [run.id for run in found]
        told, proposed = diagnoses.find(connection, ids), diagnoses.find(connection, ids, proposed=True)
    for run in found:
        if run.id in proposed:
            before = told.get(run.id)
            changes.add(run.name, before.diagnosis if before else None, proposed[run.id].diagnosis)


def accept(database: Database, project: str, names: Sequence[str]) -> None:
    """What is proposed of these runs is from now on what was told."""
    with database.writing() as connection:
        found = _find_runs(connection, lookup.project(connection, project), names)
        diagnoses.accept(connection, [run.id for run in found])


def _find_runs(connection: Connection, home: runs.StoredProject, names: Iterable[str]) -> list[runs.StoredRun]:
    """Those that are still there."""
    found = (runs.find_run(connection, home.id, name) for name in names)
    return [run for run in found if run is not None]
