"""How many runs stand where, and what was found in them, by project: what dashboards count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from app.storage import deliveries
from app.storage.runs import WHOLE
from app.storage.tables import findings, projects, runs, standings

_PROJECTS_AT_ONCE = 500
# A silence ends with the next word, whether or not that has been looked at.
_STALLED = and_(standings.c.stalled_since.is_not(None), standings.c.revision == runs.c.revision)

State = str  # as a table shows it: that of the run, or `stalled`


@dataclass(frozen=True)
class Tally:
    """projects: how many there are. runs: by (project, state). findings: those that have fired, by (project, rule,
    severity, state of their run). deliveries: messages to webhooks, by state.

    The project None is all of those together that have no line of their own.
    """

    projects: int
    runs: Counter[tuple[str | None, State]]
    findings: Counter[tuple[str | None, str, str, State]]
    deliveries: Counter[str]


def tally(connection: Connection, own_lines: int) -> Tally:
    """Count everything. own_lines: how many projects are told apart, the oldest: none loses its line to a newer one."""
    query = select(projects.c.id, projects.c.name).where(WHOLE).order_by(projects.c.id)
    found = [(row.id, row.name) for row in connection.execute(query)]
    named = dict(found[:own_lines])
    stand: Counter[tuple[str | None, State]] = Counter()
    shown: Counter[tuple[str | None, str, str, State]] = Counter()
    for start in range(0, len(found), _PROJECTS_AT_ONCE):
        ids = [project_id for project_id, _ in found[start : start + _PROJECTS_AT_ONCE]]
        for project_id, state, count in _runs(connection, ids):
            stand[named.get(project_id), state] += count
        for project_id, rule, severity, state, count in _findings(connection, ids):
            shown[named.get(project_id), rule, severity, state] += count
    return Tally(len(found), stand, shown, Counter(deliveries.counts(connection)))


def _runs(connection: Connection, ids: Sequence[int]) -> list[tuple[int, State, int]]:
    query = (
        select(runs.c.project_id, runs.c.state, _STALLED.label("stalled"), func.count())
        .join_from(runs, standings, standings.c.run_id == runs.c.id, isouter=True)
        .where(runs.c.project_id.in_(ids))
        .group_by(runs.c.project_id, runs.c.state, _STALLED)
    )
    return [(row[0], _shown(row[1], row[2]), row[3]) for row in connection.execute(query)]


def _findings(connection: Connection, ids: Sequence[int]) -> list[tuple[int, str, str, State, int]]:
    query = (
        select(runs.c.project_id, findings.c.rule, findings.c.severity, runs.c.state, _STALLED, func.count())
        .join_from(runs, findings, findings.c.run_id == runs.c.id)
        .join(standings, standings.c.run_id == runs.c.id)
        .where(runs.c.project_id.in_(ids), findings.c.fired_at.is_not(None))
        .group_by(runs.c.project_id, findings.c.rule, findings.c.severity, runs.c.state, _STALLED)
    )
    return [(row[0], row[1], row[2], _shown(row[3], row[4]), row[5]) for row in connection.execute(query)]


def _shown(state: str, stalled: bool) -> State:
    return "stalled" if stalled and state == "running" else state
