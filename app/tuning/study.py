"""A search and an Optuna study, kept in step: a cluster's workers take trials from the study, the search judges them.

Three directions, each of which may be done again and then does nothing twice:

    read      trials of the study that have ended become runs of the search
    export    runs of the search that have ended become trials of the study
    enqueue   what the search proposes waits in the study for a worker

A trial and a run belong together by the trial's user attribute `curvewise.run`; a trial that has none, because a worker
or a sampler of Optuna's made it, is the run `STUDY-NUMBER`.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from app.errors import CurvewiseError, InvalidInput
from app.search.answers import Proposal
from app.search.looks import Look
from app.search.parameters import Choice, Integer, LogUniform, Parameter, Uniform
from app.search.ranking import reached
from app.search.search import Search
from app.search.trial import Trial
from app.tuning.command import flattened
from app.tuning.searches import Searches
from app.tuning.trial import HOW_TAG

RUN, LINK = "curvewise.run", "curvewise.link"
_STEP, _SETTINGS, _EXPORTED = "curvewise.search_step", "curvewise.settings", "curvewise.exported"
_MOST_INTERMEDIATE = 500  # values of a trial: the study's database keeps a row for each
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Shared:
    """What was done in one direction: the runs, and a sentence for each that could not be shared."""

    runs: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def open_study(storage: str, name: str, search: Search) -> optuna.Study:
    """The study, made where there is none. storage: a database URL, or the path of a journal file.

    Raises InvalidInput where it cannot be opened, or is about something else than the search.
    """
    direction = StudyDirection.MINIMIZE if search.goal == "min" else StudyDirection.MAXIMIZE
    try:
        kept = RDBStorage(storage) if "://" in storage else JournalStorage(JournalFileBackend(storage))
        study = optuna.create_study(storage=kept, study_name=name, direction=direction, load_if_exists=True)
    except Exception as error:  # of SQLAlchemy, a driver, Alembic or Optuna: there is no common root
        raise InvalidInput(f"{storage!a} cannot be opened as an Optuna storage: {error}") from error
    if study.directions != [direction]:
        raise InvalidInput(
            f"study {name!a} is to {' and '.join(d.name.lower() for d in study.directions)}, and the search "
            f"{search.name!a} is after the {search.goal} of {search.metric}: name another study"
        )
    return study


def export(study: optuna.Study, here: Searches, search: Search, link: str) -> Shared:
    """Add the runs that have ended and are not in the study yet. link: of the search's page, without the run."""
    known = {run_of(study, trial) for trial in study.get_trials(deepcopy=False)}
    done, left_out = [], []
    for run in here.runs():
        name = run["run"]
        if name in known or run["context"]["state"] == "running":
            continue
        try:
            study.add_trial(_trial(here, search, run, link))
        except (ValueError, CurvewiseError) as error:
            left_out.append(f"{name}: {error}")
        else:
            done.append(name)
    return Shared(tuple(done), tuple(left_out))


def enqueue(study: optuna.Study, here: Searches, search: Search, count: int, link: str) -> Shared:
    """Let `count` proposals wait in the study. Their runs are opened, so that they are proposed to nobody else."""
    done = []
    for proposal in here.next(count).proposals:
        here.open(proposal, {})
        attributes = {
            RUN: proposal.run,
            LINK: link.format(run=proposal.run),
            _STEP: proposal.search_step,
            _SETTINGS: _settings(proposal),
        }
        parameters = {name: value for name, value in flattened(proposal.config) if name in search.space.parameters}
        study.enqueue_trial(parameters, user_attrs=attributes)
        done.append(proposal.run)
    return Shared(tuple(done))


def read(study: optuna.Study, here: Searches, search: Search) -> Shared:
    """Bring trials that have ended into the search; a worker that logs with the client has sent its points itself."""
    done, left_out = [], []
    for trial in study.get_trials(deepcopy=False, states=_ENDED):
        name = run_of(study, trial)
        if trial.user_attrs.get(_EXPORTED):
            continue
        run = here.run(name)
        if run is not None and run["context"]["state"] != "running":
            continue
        try:
            _bring(here, search, trial, name, run)
        except CurvewiseError as error:
            left_out.append(f"{name}: {error}")
        else:
            done.append(name)
    return Shared(tuple(done), tuple(left_out))


def run_of(study: optuna.Study, trial: FrozenTrial) -> str:
    """The run that a trial is."""
    return str(trial.user_attrs.get(RUN, f"{study.study_name}-{trial.number}"))


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's name for what a parameter may be."""
    match parameter:
        case LogUniform(low=low, high=high):
            return FloatDistribution(low, high, log=True)
        case Uniform(low=low, high=high):
            return FloatDistribution(low, high)
        case Integer(low=low, high=high, log=log):
            return IntDistribution(low, high, log=log)
        case Choice(options=options):
            return CategoricalDistribution(options)


def _trial(here: Searches, search: Search, run: Mapping[str, Any], link: str) -> FrozenTrial:
    """Raises ValueError where the run's parameters are not in the space."""
    parameters = dict(flattened(run["config"]))
    if missing := [name for name in search.space.parameters if name not in parameters]:
        raise ValueError(f"its configuration has no {missing[0]}")
    seen = here.seen(run["run"], search.metric)
    level = None if seen is None else reached(Look(search, seen), search.metric, search.goal)
    state = _state(run, None if level is None else level.level)
    step = {} if run.get("search_step") is None else {_STEP: run["search_step"]}
    return create_trial(
        state=state,
        value=level.level if level is not None and state == TrialState.COMPLETE else None,
        params={name: parameters[name] for name in search.space.parameters},
        distributions={name: distribution(parameter) for name, parameter in search.space.parameters.items()},
        user_attrs={RUN: run["run"], LINK: link.format(run=run["run"]), _EXPORTED: True, **step},
        intermediate_values={} if seen is None else _intermediate(seen, search.metric),
    )


def _state(run: Mapping[str, Any], level: float | None) -> TrialState:
    if run["context"]["state"] == "failed" or level is None:
        return TrialState.FAIL
    return TrialState.PRUNED if run["tags"].get(HOW_TAG) == "stopped early" else TrialState.COMPLETE


def _intermediate(seen: Trial, metric: str) -> dict[int, float]:
    """The metric's points at whole steps, evenly thinned; Optuna has no others."""
    curve = seen.curves.get(metric)
    if curve is None:
        return {}
    points = [(int(s), float(v)) for s, v in zip(curve.steps, curve.values, strict=True) if float(s).is_integer()]
    every = max(1, math.ceil(len(points) / _MOST_INTERMEDIATE))
    return dict([*points[::every], *points[-1:]])


def _settings(proposal: Proposal) -> str:
    return json.dumps(
        {"planned_steps": proposal.planned_steps, "planned_epochs": proposal.planned_epochs, **proposal.settings}
    )


def _bring(here: Searches, search: Search, trial: FrozenTrial, name: str, run: Mapping[str, Any] | None) -> None:
    config = search.space.nested({key: value for key, value in trial.params.items() if key in search.space.parameters})
    step = trial.user_attrs.get(_STEP)
    here.join(name, config, step if isinstance(step, int) else None)
    if run is None or not run["curves"]:
        points = list(_points(trial))
        if points:
            here.record(name, search.metric, [step for step, _ in points], [value for _, value in points])
    state = "failed" if trial.state == TrialState.FAIL else "finished"
    how = "stopped early" if trial.state == TrialState.PRUNED else state
    here.finish(name, state, config, {HOW_TAG: how, "optuna.study.trial": str(trial.number)})


def _points(trial: FrozenTrial) -> Iterator[tuple[int, float]]:
    """What the trial reported, else its value alone."""
    if trial.intermediate_values:
        yield from sorted(trial.intermediate_values.items())
    elif trial.state == TrialState.COMPLETE and trial.value is not None:
        yield 0, trial.value
