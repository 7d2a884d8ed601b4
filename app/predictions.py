"""After training: checkpoints to keep and to average, predictions as they are posted, and what averaging them gains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection

from app import lookup
from app.archive import logged_curves
from app.curves.curve import Curves
from app.curves.roles import to_roles
from app.curves.thinning import for_rules
from app.ensembles.checkpoint import VAL_LOSS, Choice, Goal, choose, goal_of
from app.ensembles.ensemble import Ensemble, LeftOut, Named, measure, scores
from app.ensembles.predictions import Predictions
from app.ensembles.snapshots import Averaging, to_average
from app.errors import InvalidInput, LimitReached, UnknownPredictions
from app.limits import check_text
from app.rules.caveats import as_measured
from app.storage import audit, chunks, predictions, thinned
from app.storage.database import Database
from app.storage.predictions import Posted
from app.storage.runs import StoredProject, StoredRun

MOST_MEMBERS = 20
Chosen = Literal["asked", "cycle_ends", "plateau", "all", "kept"]


@dataclass(frozen=True, kw_only=True)
class Checkpoints(Choice):
    """Which checkpoint of a run to keep, and which to average."""

    project: Annotated[str, Field(description="The project's name.")]
    run: Annotated[str, Field(description="The run's name.")]
    average: Annotated[Averaging, Field(description="Which checkpoints to average, and why.")]


@dataclass(frozen=True, kw_only=True)
class Measured(Ensemble):
    """What averaging gains, and how the members were chosen."""

    project: Annotated[str, Field(description="The project's name.")]
    chosen: Annotated[
        Chosen,
        Field(
            description="How the members were chosen: `asked` for by their steps, `cycle_ends` of the rate, late ones "
            "of a `plateau`, `all` that were posted where neither could be said, or of several runs the one of each "
            "that is to be `kept`."
        ),
    ]
    why: Annotated[str, Field(description="The same in words.")]


def checkpoints(
    database: Database,
    project: str,
    run: str,
    *,
    metric: str = VAL_LOSS,
    goal: Goal | None = None,
    steps: Sequence[float] | None = None,
) -> Checkpoints:
    """Which checkpoint to keep by a metric, a role or a curve's own name, and which to average.

    steps: where there are checkpoints; None for one at every evaluation.
    Raises UnknownProject, UnknownRun, InvalidInput.
    """
    check_text("metric", metric)
    way = goal_of(metric, goal)
    with database.reading() as connection:
        home = lookup.project(connection, project)
        found = lookup.run(connection, home, run)
        curves = _curves(connection, home, found, metric)
    choice = choose(curves, metric, way, steps)
    average = to_average(curves, choice, found.context.planned_steps, steps)
    return Checkpoints(project=project, run=run, average=average, **vars(choice))


def post(
    database: Database, project: str, run: str, step: float, found: Predictions, *, most: int
) -> tuple[Posted, bool]:
    """Keep the predictions of a checkpoint in place of those before -> what is known of them, whether there were none.

    most: checkpoints of which a run may have predictions. Raises UnknownProject, UnknownRun, LimitReached.
    """
    alone = scores(found)
    known = predictions.now_posted(step + 0.0, found, alone.mean_loss, alone.accuracy)  # no -0
    packed = predictions.pack(found)
    with database.writing() as connection:
        run_id = lookup.run(connection, lookup.project(connection, project), run, lock=True).id
        created = predictions.keep(connection, run_id, known, packed)
        if created and predictions.count(connection, run_id) > most:
            raise LimitReached(
                f"run {run!r} has predictions of {most} checkpoints, and no more are taken: delete some, or raise "
                "CURVEWISE_RUN_PREDICTIONS"
            )
        kept = predictions.find(connection, run_id, known.step)
    return kept or known, created


def listed(database: Database, project: str, run: str) -> list[Posted]:
    """Of which checkpoints there are predictions, in step order. Raises UnknownProject, UnknownRun."""
    with database.reading() as connection:
        return predictions.listed(connection, lookup.run(connection, lookup.project(connection, project), run).id)


def remove(database: Database, project: str, run: str, step: float, *, by: str = audit.COMMAND_LINE) -> None:
    """Delete the predictions of a checkpoint. Raises UnknownProject, UnknownRun, UnknownPredictions."""
    with database.writing() as connection:
        run_id = lookup.run(connection, lookup.project(connection, project), run, lock=True).id
        if not predictions.remove(connection, run_id, [step]):
            raise UnknownPredictions(f"run {run!r} has no predictions of step {step:g}")
        audit.note(connection, by, "delete_predictions", project=project, run=run, detail={"step": step})


def of_snapshots(database: Database, project: str, run: str, steps: Sequence[float] | None = None) -> Measured:
    """What averaging checkpoints of one run gains. steps: which; None for those that `checkpoints` says to average.

    Raises UnknownProject, UnknownRun, InvalidInput.
    """
    if steps is not None and len(set(steps)) > MOST_MEMBERS:
        raise InvalidInput(f"query.steps: {len(set(steps))} checkpoints, and at most {MOST_MEMBERS} are averaged")
    with database.reading() as connection:
        home = lookup.project(connection, project)
        found = lookup.run(connection, home, run)
        posted = [one.step for one in predictions.listed(connection, found.id)]
        chosen, why, wanted = _asked(steps) if steps is not None else _advised(connection, home, found, posted)
        there = [step for step in wanted if step in posted][-MOST_MEMBERS:]
        left_out = [LeftOut(run=run, step=s, reason=_why_not(s in posted)) for s in wanted if s not in there]
        members = [(found, step) for step in there]
        measured = measure(_read(connection, members), left_out)
    return Measured(project=project, chosen=chosen, why=why, **vars(measured))


def of_runs(database: Database, project: str, names: Sequence[str]) -> Measured:
    """What averaging independent runs gains: of each the checkpoint to keep of those with predictions, else the last.

    Raises UnknownProject, UnknownRun, InvalidInput when a run is named twice.
    """
    if len(set(names)) < len(names):
        raise InvalidInput("query.run: a run is named twice; it would be averaged with itself")
    members: list[tuple[StoredRun, float]] = []
    left_out: list[LeftOut] = []
    with database.reading() as connection:
        home = lookup.project(connection, project)
        for found in [lookup.run(connection, home, name) for name in names]:
            posted = [one.step for one in predictions.listed(connection, found.id)]
            if not posted:
                left_out.append(LeftOut(run=found.name, step=None, reason="no predictions of it were posted"))
                continue
            keep = choose(_curves(connection, home, found, VAL_LOSS), VAL_LOSS, "min", posted).keep
            members.append((found, keep.step if keep else posted[-1]))
        measured = measure(_read(connection, members), left_out)
    why = "Of each run the checkpoint to keep by val/loss among those with predictions, else the last of these."
    return Measured(project=project, chosen="kept", why=why, **vars(measured))


def _curves(connection: Connection, home: StoredProject, run: StoredRun, metric: str) -> Curves:
    """What the rules see of a run, by role; beside it the metric, where it is none of the roles."""
    by_role = to_roles(logged_curves(connection, home, run), home.roles)
    curves = dict(as_measured(Curves({name: for_rules(curve) for name, curve in by_role.items()}), run.context.lies))
    if metric not in curves and metric in chunks.curve_names(connection, run.id):
        curves[metric] = for_rules(thinned.read_for_rules(connection, run.id, [metric])[metric])
    return Curves(curves)


def _asked(steps: Sequence[float]) -> tuple[Chosen, str, list[float]]:
    return "asked", "The checkpoints that were asked for.", sorted(set(steps))


def _advised(
    connection: Connection, home: StoredProject, run: StoredRun, posted: Sequence[float]
) -> tuple[Chosen, str, list[float]]:
    curves = _curves(connection, home, run, VAL_LOSS)
    choice = choose(curves, VAL_LOSS, "min", posted)
    advice = to_average(curves, choice, run.context.planned_steps, posted)
    if advice.how is None:
        return "all", f"All checkpoints with predictions. {advice.says}", list(posted)
    return advice.how, advice.says, list(advice.steps)


def _why_not(posted: bool) -> str:
    return f"only the last {MOST_MEMBERS} are averaged" if posted else "no predictions of this step were posted"


def _read(connection: Connection, members: Sequence[tuple[StoredRun, float]]) -> Iterator[Named]:
    for run, step in members:
        found = predictions.read(connection, run.id, step)
        if found is not None:
            yield run.name, step, found
