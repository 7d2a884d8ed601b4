"""What a job did about its findings, told by the job: shown on its curves beside what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from app import lookup
from app.errors import InvalidInput, LimitReached
from app.limits import check_text
from app.rules.verdict import Action
from app.storage import actions, runs
from app.storage.database import Database

MOST = 1000  # of a run [actions]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An action as a job took it.

    name: one of the run. at_step: when [steps]. action, args: as the recommendation had them. code: of the finding;
    None for an action of the job's own. text: one sentence. by: who took it. undone_at_step: when it was taken back;
    None while it stands. told_at: when the server was told first [UTC].
    """

    name: str
    at_step: float
    action: Action
    args: Mapping[str, float | str]
    code: str | None
    text: str
    by: str
    confidence: float | None
    undone_at_step: float | None
    told_at: datetime


def tell(database: Database, project: str, run: str, taken: Taken) -> tuple[Taken, bool]:
    """Keep what a job did -> as it is kept, and whether it is new.

    The same name again says more about the same action, such as that it was undone.

    Raises UnknownProject, UnknownRun, InvalidInput, LimitReached.
    """
    check_text("action's name", taken.name)
    if taken.undone_at_step is not None and taken.undone_at_step < taken.at_step:
        raise InvalidInput(f"undone_at_step: {taken.undone_at_step:g} is before at_step, {taken.at_step:g}")
    with database.writing() as connection:
        found = lookup.run(connection, lookup.project(connection, project), run, lock=True)
        before = actions.of_run(connection, found.id)
        if taken.name not in before and len(before) >= MOST:
            raise LimitReached(f"run {run!r} has {MOST} actions, and a run has no more")
        known = _taken(before[taken.name]) if taken.name in before else None
        kept = taken if known is None else replace(taken, told_at=known.told_at)
        if kept != known:
            actions.keep(connection, found.id, kept.name, asdict(kept) | {"told_at": kept.told_at.isoformat()})
            runs.save_run(connection, found)  # whoever follows the run sees that there is something new
    return kept, known is None


def of_run(database: Database, project: str, run: str) -> Sequence[Taken]:
    """What was done, in the order of steps. Raises UnknownProject, UnknownRun, InvalidInput."""
    with database.reading() as connection:
        found = lookup.run(connection, lookup.project(connection, project), run)
        kept = actions.of_run(connection, found.id).values()
    return sorted(map(_taken, kept), key=lambda one: (one.at_step, one.told_at, one.name))


def _taken(kept: Mapping[str, Any]) -> Taken:
    return Taken(**{**kept, "told_at": datetime.fromisoformat(kept["told_at"])})
