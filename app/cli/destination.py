"""Where runs that were read from logs go: a server (see server.py), or straight into the database."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from app.curves.curve import Curve
from app.curves.points import Points, escaped, name_problem
from app.errors import UnknownProject, UnknownRun
from app.importers.imported import ImportedRun
from app.nouns import RunUpdate
from app.rules.context import Context, RunState
from app.service import Service, make_service
from app.settings import Settings

_LONGEST_CAVEAT = 500  # [characters], as the API takes them
_LARGEST_CONFIG = 256 * 1024  # [bytes] of JSON


@dataclass(frozen=True)
class Facts:
    """What is told about a run beside its points. The state is told when the points are there."""

    context: Context
    config: Mapping[str, object]
    tags: Mapping[str, str]


def facts_of(run: ImportedRun, context: Context) -> Facts:
    """What a log says of its run, as far as a store takes it: dates become text, a configuration may be too large."""
    caveats = tuple(caveat[:_LONGEST_CAVEAT] for caveat in context.caveats)
    config = json.dumps(dict(run.config), default=str, skipkeys=True)
    return Facts(
        context=replace(context, caveats=caveats),
        config=json.loads(config) if len(config) <= _LARGEST_CONFIG else {},
        tags=run.tags,
    )


class Destination(Protocol):
    """What both ways can do. All of it may be done again: nothing is stored twice."""

    def open(self, project: str, run: str, facts: Facts, attempt: int | None = None) -> int:
        """Open a run, or say more about it; its latest attempt."""

    def stored(self, project: str, run: str) -> Mapping[str, Curve]:
        """What is stored of it, by raw name."""

    def send(self, project: str, run: str, curves: Mapping[str, Curve], attempt: int) -> list[str]:
        """Store points, whose curves have the names they are under; what was refused, a sentence each."""

    def finish(self, project: str, run: str, state: RunState) -> None:
        """Say how it ended."""


class InDatabase:
    """Does in this process what a server would; servers of the same database may go on."""

    def __init__(self, service: Service, loop: asyncio.Runner) -> None:
        self._service = service
        self._loop = loop

    def open(self, project: str, run: str, facts: Facts, attempt: int | None = None) -> int:
        """Raises InvalidInput, StorageUnavailable, StorageFull."""
        update = RunUpdate(
            num_classes=facts.context.num_classes,
            planned_steps=facts.context.planned_steps,
            schedule=facts.context.schedule,
            class_priors=facts.context.class_priors,
            target_variance=facts.context.target_variance,
            dataset_size=facts.context.dataset_size,
            pretrained=facts.context.pretrained,
            caveats=facts.context.caveats or None,
            config=facts.config or None,
            tags=facts.tags or None,
            attempt=attempt,
        )
        return self._service.open_run(project, run, update)[0].attempt

    def stored(self, project: str, run: str) -> Mapping[str, Curve]:
        """Nothing when there is no such run. Raises StorageUnavailable."""
        try:
            return self._service.read_curves(project, run)
        except (UnknownProject, UnknownRun):
            return {}

    def send(self, project: str, run: str, curves: Mapping[str, Curve], attempt: int) -> list[str]:
        """Raises UnknownRun, StorageUnavailable, StorageFull."""
        problems = {name: problem for name in curves if (problem := name_problem(name))}
        points = [Points(name, c.steps, c.values) for name, c in curves.items() if name not in problems]
        for name in self._loop.run(self._service.record(project, run, points, attempt)):
            problems[name] = "the run has no room for more curves"
        return [f"{escaped(name)}: {problem}" for name, problem in problems.items()]

    def finish(self, project: str, run: str, state: RunState) -> None:
        """Raises UnknownRun, StorageUnavailable, StorageFull."""
        self._service.close_run(project, run, state)


@contextmanager
def in_database(settings: Settings) -> Iterator[InDatabase]:
    """The database of these settings, migrated first where it is a file. Raises SchemaMismatch."""
    service = make_service(settings)
    with asyncio.Runner() as loop:
        try:
            loop.run(service.start())
            yield InDatabase(service, loop)
        finally:
            loop.run(service.close())
