"""Findings of a project's runs as rows: what tables and dashboards are made of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from app.rules.verdict import Severity
from app.storage.tables import findings, runs, standings


@dataclass(frozen=True, kw_only=True)
class Fired:
    """A finding that has fired, beside its run. state: as a table shows it: that of the run, or `stalled`."""

    run: str
    state: str
    code: str
    rule: str
    severity: Severity
    confidence: float
    onset_step: float
    summary: str
    fired_at: datetime
    commit: str | None


def fired(
    connection: Connection,
    project_id: int,
    *,
    limit: int,
    codes: Collection[str] | None = None,
    severities: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Fired]:
    """The newest, by when they fired [since, until)."""
    stalled = and_(standings.c.stalled_since.is_not(None), standings.c.revision == runs.c.revision)
    query = (
        select(findings, runs.c.name, runs.c.state, runs.c.commit, stalled.label("stalled"))
        .join_from(runs, findings, findings.c.run_id == runs.c.id)
        .join(standings, standings.c.run_id == runs.c.id)
        .where(runs.c.project_id == project_id, findings.c.fired_at.is_not(None))
        .order_by(findings.c.fired_at.desc(), runs.c.name, findings.c.code)
        .limit(limit)
    )
    if codes is not None:
        query = query.where(findings.c.code.in_(codes))
    if severities is not None:
        query = query.where(findings.c.severity.in_(severities))
    if since is not None:
        query = query.where(findings.c.fired_at >= since)
    if until is not None:
        query = query.where(findings.c.fired_at < until)
    return [_fired(row) for row in connection.execute(query)]


def _fired(row: Row[Any]) -> Fired:
    return Fired(
        run=row.name,
        state="stalled" if row.stalled and row.state == "running" else row.state,
        code=row.code,
        rule=row.rule,
        severity=row.severity,
        confidence=row.confidence,
        onset_step=row.onset_step,
        summary=row.summary,
        fired_at=row.fired_at,
        commit=row.commit,
    )
