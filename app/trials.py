"""Stored runs as a search sees them: what they were set to, and their curves by role, thinned."""

from collections.abc import Sequence

from sqlalchemy import Connection

from app.archive import logged_curves
from app.curves.roles import ROLES, to_roles
from app.curves.thinning import for_rules
from app.diagnosis import Diagnosis
from app.search.trial import MOST_POINTS, Trial
from app.storage import thinned
from app.storage.runs import StoredProject, StoredRun


def read_trials(
    connection: Connection,
    home: StoredProject,
    found: Sequence[StoredRun],
    diagnoses: Sequence[Diagnosis],
    metric: str,
) -> list[Trial]:
    """A trial for each run, with its diagnosis.

    metric: what configurations are compared by: a role, or a curve's own name, which is then read as well.
    """
    return [_trial(connection, home, run, diagnosis, metric) for run, diagnosis in zip(found, diagnoses, strict=True)]


def _trial(connection: Connection, home: StoredProject, run: StoredRun, diagnosis: Diagnosis, metric: str) -> Trial:
    curves = dict(to_roles(logged_curves(connection, home, run), home.roles))
    if metric not in ROLES:
        curves.update(thinned.read_for_rules(connection, run.id, [metric]))
    return Trial(
        run=run.name,
        config=run.config,
        state=run.context.state,
        declared=run.search_step,
        curves={name: for_rules(curve, MOST_POINTS) for name, curve in curves.items()},
        context=run.context,
        diagnosis=diagnosis,
    )
