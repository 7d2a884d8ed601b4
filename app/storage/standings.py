"""Where each run stands: what the monitor knows of it, and which findings it holds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from app.rules.context import RunState
from app.rules.verdict import Severity
from app.storage.runs import LIVE, WHOLE
from app.storage.tables import findings, projects, runs, standings

SEVERITY_RANK: Mapping[Severity | None, int] = {None: 0, "info": 1, "warning": 2, "error": 3}


@dataclass(frozen=True, kw_only=True)
class Held:
    """A finding of a run over time. It has fired once fired_at is set; gone_since: judgements no longer have it."""

    code: str
    rule: str
    severity: Severity
    confidence: float
    onset_step: float
    summary: str
    first_seen_at: datetime
    fired_at: datetime | None = None
    gone_since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StoredStanding:
    """See tables.py. turn: 1 for the first; one that is saved must be one more than what it was made from."""

    run_id: int
    turn: int
    revision: int
    attempt: int
    basis: str
    judged_at: datetime
    due_at: datetime | None
    state: RunState
    stalled_since: datetime | None
    through_step: float | None
    sequence: int
    heard_at: datetime
    gaps: Sequence[int]
    sparkline_curve: str | None
    sparkline: Sequence[float]
    held: Mapping[str, Held] = field(default_factory=dict)  # code -> finding

    @property
    def fired(self) -> list[Held]:
        """What people were told of, the most severe and surest first."""
        told = [one for one in self.held.values() if one.fired_at is not None]
        return sorted(told, key=lambda one: (-SEVERITY_RANK[one.severity], -one.confidence, one.code))


def find(connection: Connection, run_ids: Sequence[int]) -> dict[int, StoredStanding]:
    """Run -> its standing, for those that have one."""
    held: dict[int, dict[str, Held]] = {}
    query = select(findings).where(findings.c.run_id.in_(run_ids)).order_by(findings.c.code)
    for row in connection.execute(query):
        held.setdefault(row.run_id, {})[row.code] = _held(row)
    there = connection.execute(select(standings).where(standings.c.run_id.in_(run_ids)))
    return {row.run_id: _standing(row, held.get(row.run_id, {})) for row in there}


def due(
    connection: Connection, run_ids: Sequence[int], catalogue: str, now: datetime, judged_before: datetime
) -> list[int]:
    """Those of the runs that are to be looked at, in the order of their ids.

    A run whose points, facts, settings or rules changed, unless it was judged since `judged_before`, when another
    process is at it; and one whose time has come.
    """
    query = (
        select(
            runs.c.id,
            runs.c.revision,
            projects.c.revision.label("settings"),
            standings.c.revision.label("judged"),
            standings.c.basis,
            standings.c.judged_at,
            standings.c.due_at,
        )
        .join_from(runs, projects)
        .join(standings, standings.c.run_id == runs.c.id, isouter=True)
        .where(runs.c.id.in_(run_ids), WHOLE)
        .order_by(runs.c.id)
    )
    found = []
    for row in connection.execute(query):
        changed = row.judged != row.revision or row.basis != basis(row.settings, catalogue)
        if row.judged is None or (changed and row.judged_at <= judged_before) or (row.due_at and row.due_at <= now):
            found.append(row.id)
    return found


def basis(settings: int, catalogue: str) -> str:
    """By which settings of the project (its revision), and by which rules."""
    return f"{settings}.{catalogue}"


def claim(connection: Connection, run_id: int) -> bool:
    """Keep other processes from looking at the run until the transaction ends; False: one is at it, or it is gone.

    On Postgres only: on SQLite whoever saves first is right, and judging would keep everybody from writing.
    """
    # The run first, as whoever erases it does: the other way round each would wait for the other.
    there = select(runs.c.id).where(runs.c.id == run_id, LIVE).with_for_update(read=True, key_share=True)
    if connection.execute(there).first() is None:
        return False
    mine = select(standings.c.turn).where(standings.c.run_id == run_id)
    if connection.execute(mine.with_for_update(skip_locked=True)).first() is not None:
        return True
    return connection.execute(mine).first() is None  # of two that make the first one, `save` takes one


def save(connection: Connection, made: Sequence[StoredStanding]) -> set[int]:
    """Store these standings with what they hold; the runs of which it is done.

    Not done where another process was quicker, or the run is gone. What belongs to a standing is to be written in the
    same transaction, and only where this was done.
    """
    ids = [one.run_id for one in made]
    there = select(runs.c.id).where(runs.c.id.in_(ids), LIVE).order_by(runs.c.id)
    live = set(connection.execute(there.with_for_update(read=True, key_share=True)).scalars())
    rows = [_row(one) for one in made if one.run_id in live]
    if not rows:
        return set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    query = dialect.insert(standings).values(rows)
    written = {name: query.excluded[name] for name in rows[0] if name != "run_id"}
    follows = standings.c.turn == query.excluded.turn - 1
    query = query.on_conflict_do_update(index_elements=["run_id"], set_=written, where=follows)
    return set(connection.execute(query.returning(standings.c.run_id)).scalars())


def save_held(connection: Connection, run_id: int, held: Iterable[Held]) -> None:
    """In place of the findings that were held of this run before."""
    connection.execute(delete(findings).where(findings.c.run_id == run_id))
    if rows := [{"run_id": run_id, **asdict(one)} for one in held]:
        connection.execute(insert(findings), rows)


def _row(made: StoredStanding) -> dict[str, object]:
    worst = made.fired[0].severity if made.fired else None
    return {
        "run_id": made.run_id,
        "turn": made.turn,
        "revision": made.revision,
        "attempt": made.attempt,
        "basis": made.basis,
        "judged_at": made.judged_at,
        "due_at": made.due_at,
        "state": made.state,
        "stalled_since": made.stalled_since,
        "severity": SEVERITY_RANK[worst],
        "through_step": made.through_step,
        "sequence": made.sequence,
        "heard_at": made.heard_at,
        "gaps": json.dumps(list(made.gaps)),
        "sparkline_curve": made.sparkline_curve,
        "sparkline": json.dumps(list(made.sparkline)),  # NaN and infinities are part of what Python reads back
    }


def _standing(row: Row[Any], held: Mapping[str, Held]) -> StoredStanding:
    return StoredStanding(
        run_id=row.run_id,
        turn=row.turn,
        revision=row.revision,
        attempt=row.attempt,
        basis=row.basis,
        judged_at=row.judged_at,
        due_at=row.due_at,
        state=cast("RunState", row.state),
        stalled_since=row.stalled_since,
        through_step=row.through_step,
        sequence=row.sequence,
        heard_at=row.heard_at,
        gaps=json.loads(row.gaps),
        sparkline_curve=row.sparkline_curve,
        sparkline=json.loads(row.sparkline),
        held=held,
    )


def _held(row: Row[Any]) -> Held:
    return Held(
        code=row.code,
        rule=row.rule,
        severity=cast("Severity", row.severity),
        confidence=row.confidence,
        onset_step=row.onset_step,
        summary=row.summary,
        first_seen_at=row.first_seen_at,
        fired_at=row.fired_at,
        gone_since=row.gone_since,
    )
