"""Runs as the monitor leaves them, without a wait for it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from app.storage import runs, standings
from app.storage.database import Database
from app.storage.standings import Held, StoredStanding


def stand(
    database: Database,
    project: str,
    run: str,
    state: str,
    *found: tuple[str, str, bool],
    stalled: bool = False,
    tags: Mapping[str, str] | None = None,
    commit: str | None = None,
) -> None:
    """A run as the monitor leaves it. found: rule, severity and whether it has fired."""
    now = datetime.now(UTC)
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, project)
        made, _ = runs.lock_run(connection, home.id, run)
        runs.save_run(
            connection, replace(made, context=replace(made.context, state=state), tags=tags or {}, commit=commit)
        )
        held = [
            Held(
                code=f"CW00{number}",
                rule=rule,
                severity=severity,  # type: ignore[arg-type]
                confidence=0.9,
                onset_step=1.0,
                summary="",
                first_seen_at=now,
                fired_at=now if has_fired else None,
            )
            for number, (rule, severity, has_fired) in enumerate(found)
        ]
        standing = StoredStanding(
            run_id=made.id,
            turn=1,
            revision=made.revision + 1,
            attempt=1,
            basis="",
            judged_at=now,
            due_at=None,
            state=state,  # type: ignore[arg-type]
            stalled_since=now if stalled else None,
            through_step=None,
            sequence=0,
            heard_at=now,
            gaps=[],
            sparkline_curve=None,
            sparkline=[],
            held={one.code: one for one in held},
        )
        assert standings.save(connection, [standing])
        standings.save_held(connection, made.id, held)
