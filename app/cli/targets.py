"""What `curvewise check` is given -> runs that are judged and measured: logs on disk, a stored run, a commit's runs."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from app import diagnosis
from app.checks.level import COMPARED, Level, levels
from app.checks.target import NO_LOCATION, Target, target_of
from app.cli.reading import tell
from app.cli.stored import Facts, Store
from app.curves.curve import Curve
from app.curves.roles import to_roles
from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.importers.imported import ImportedRun
from app.importers.runs import read_path
from app.rules.context import Context

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_DRAWN_POINTS = 2000  # of each curve
_MEASURED = frozenset({*COMPARED, "val/error", "val/perplexity"})  # the roles that levels can come from


@dataclass(frozen=True)
class Subject:
    """A run to be checked. facts: of a stored one. drawn: its curves by raw name, read when a report draws them."""

    target: Target
    diagnosis: Diagnosis
    levels: Mapping[str, Level]
    facts: Facts | None
    drawn: Callable[[], Mapping[str, Curve]]
    roles: Mapping[str, str]


class Stored:
    """The store that targets and baselines are looked up in, opened when the first of them needs it."""

    def __init__(self, opening: Callable[[], Store]) -> None:
        self._opening = opening
        self._roles: dict[str, Mapping[str, str]] = {}
        self._listed: dict[tuple[str, str | None], tuple[list[Facts], Iterator[Facts]]] = {}
        self._levels: dict[tuple[str, str], dict[str, Level]] = {}

    @cached_property
    def store(self) -> Store:
        """Raises what opening it raises."""
        return self._opening()

    def roles(self, project: str) -> Mapping[str, str]:
        """As the project has them, asked once."""
        if project not in self._roles:
            self._roles[project] = self.store.roles(project)
        return self._roles[project]

    def runs(self, project: str, tag: str | None = None) -> Iterator[Facts]:
        """A project's runs, all or those with a tag `KEY=VALUE`, the last opened first; each asked for once."""
        known, more = self._listed.setdefault((project, tag), ([], self.store.runs(project, tag)))
        yield from known
        for facts in more:
            known.append(facts)
            yield facts

    def levels(self, facts: Facts) -> dict[str, Level]:
        """The best levels of a run's validation curves, read once."""
        key = (facts.project, facts.run)
        if key not in self._levels:
            names = [name for name, role in facts.curves.items() if role in _MEASURED]
            curves = self.store.curves(facts.project, facts.run, names, None)
            self._levels[key] = levels(to_roles(curves, self.roles(facts.project)))
        return self._levels[key]


@dataclass(frozen=True)
class Reading:
    """How targets are read. context_of: what is known of a run that a log holds. location: as the user says it."""

    stored: Stored
    context_of: Callable[[ImportedRun], Context]
    location: str | None = None


def subjects(text: str, reading: Reading) -> Iterator[Subject]:
    """Every run that a target names.

    Raises UnreadableFile, InvalidInput, UnknownProject, UnknownRun and what a store raises.
    """
    if (path := on_disk(text)) is not None:
        yield from _logged(path, reading)
        return
    stored, location = reading.stored, reading.location
    project, run, commit = parse(text)
    if run is not None:
        yield _stored(stored, stored.store.run(project, run), location)
        return
    found = [facts for facts in stored.runs(project) if is_commit(facts.commit, commit)]
    if not found:
        raise InvalidInput(f"no run of project {project!r} is of commit {commit!r}")
    for facts in reversed(found):
        yield _stored(stored, facts, location)


def on_disk(text: str) -> Path | None:
    """The file or folder that a text names, None when there is none: what is there goes before all other meanings."""
    try:
        return Path(text) if Path(text).exists() else None
    except OSError:  # too long to be a path
        return None


def parse(text: str) -> tuple[str, str | None, str]:
    """PROJECT/RUN or PROJECT@COMMIT -> project, run, commit. Raises InvalidInput."""
    project, slash, run = text.partition("/")
    if slash and project and run and "/" not in run:
        return project, run, ""
    project, at, commit = text.rpartition("@")
    if at and project and commit and not slash:
        return project, None, commit
    raise InvalidInput(f"{text!a} is no file or folder that is there, and neither PROJECT/RUN nor PROJECT@COMMIT")


def is_commit(stored: str | None, asked: str) -> bool:
    """Whether two names are of one commit; a hash may be cut to seven characters or more, on either side."""
    if stored is None or not (_COMMIT.fullmatch(stored) and _COMMIT.fullmatch(asked)):
        return stored == asked
    return stored.startswith(asked) or asked.startswith(stored)


def _logged(path: Path, reading: Reading) -> Iterator[Subject]:
    logs = read_path(path)
    if logs.unreadable:
        raise logs.unreadable[0]
    tell(logs)
    for named in logs.runs:
        run, context = named.run, reading.context_of(named.run)
        name = str(path) if len(logs.runs) == 1 else f"{path}: {named.name}"
        judged = replace(diagnosis.judge(run.curves, context), run=named.name)
        file = relative(named.files[0])
        identity = file if len(logs.runs) == 1 else f"{file}: {named.name}"
        target = Target(name=name, identity=identity, location=reading.location or file)
        yield Subject(target, judged, levels(to_roles(run.curves, {})), None, partial(_curves, run), {})


def _stored(stored: Stored, facts: Facts, location: str | None) -> Subject:
    target = target_of(facts.project, facts.run, facts.tags)
    if location is not None:
        target = replace(target, location=location)
    judged = stored.store.diagnosis(facts.project, facts.run)
    names = [name for name, role in facts.curves.items() if role is not None]

    def drawn() -> Mapping[str, Curve]:
        return stored.store.curves(facts.project, facts.run, names, _DRAWN_POINTS)

    return Subject(target, judged, stored.levels(facts), facts, drawn, stored.roles(facts.project))


def _curves(run: ImportedRun) -> Mapping[str, Curve]:
    return run.curves


def relative(path: Path) -> str:
    """A file as dashboards take it: below the working directory, with slashes; outside of it, its name alone."""
    inside = os.path.relpath(path, Path.cwd())
    within = inside != os.curdir and not inside.startswith(os.pardir)
    return str(PurePosixPath(*Path(inside if within else path.name or NO_LOCATION).parts))
