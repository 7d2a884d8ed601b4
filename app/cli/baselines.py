"""What `--baseline` names -> levels to compare with: of the last run on a branch, a release, a run, a log, a report."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from app.checks.comparison import Baseline
from app.checks.level import COMPARED, levels
from app.checks.target import JOB
from app.cli.stored import Facts
from app.cli.targets import Stored, Subject, is_commit, on_disk, relative
from app.curves.roles import to_roles
from app.errors import InvalidInput
from app.importers.runs import read_path
from app.reports import check_json

MAIN, RELEASE = "main", "release"
HISTORY = 8  # runs that the spread between runs is measured on, the baseline among them


def find(ref: str, subject: Subject, stored: Stored) -> Baseline:
    """The baseline of one run. Its name is None where a selector finds no run yet; what is named outright must exist.

    ref: a path; PROJECT/RUN; or [PROJECT@] and then `main` (tag branch=main), `release` (any tag release), KEY=VALUE
    (that tag) or a commit: the last finished run that is so, opened before this one, of another commit, and of the same
    job where this one has a tag `job`. Raises InvalidInput, UnreadableFile, UnknownProject, UnknownRun.
    """
    if (path := on_disk(ref)) is not None:
        return _on_disk(ref, path, subject)
    project, slash, run = ref.partition("/")
    if slash and project and run and "/" not in run and "=" not in project and "@" not in project:
        facts = stored.store.run(project, run)
        return Baseline(ref=ref, name=f"{project}/{run}", levels=stored.levels(facts))
    project, at, selector = ref.rpartition("@")
    if not at:
        if subject.facts is None:
            raise InvalidInput(f"--baseline {ref!a}: a log is of no project, so say of which: PROJECT@{ref}")
        project = subject.facts.project
    return _last(ref, project, selector, subject, stored)


def _last(ref: str, project: str, selector: str, subject: Subject, stored: Stored) -> Baseline:
    tag = "branch=main" if selector == MAIN else selector if "=" in selector else None
    newest_first = (facts for facts in stored.runs(project, tag) if _selected(facts, selector))
    candidates = list(islice(_comparable(newest_first, subject.facts), HISTORY))
    if not candidates:
        return Baseline(ref=ref, name=None)
    measured = [stored.levels(facts) for facts in candidates]
    history = {curve: [each[curve].value for each in measured if curve in each] for curve in COMPARED}
    last = candidates[0]
    return Baseline(ref=ref, name=f"{last.project}/{last.run}", levels=measured[0], history=history)


def _selected(facts: Facts, selector: str) -> bool:
    """Whether a run is meant, of those that have the tag where the selector is one."""
    if selector == RELEASE:
        return bool(facts.tags.get(RELEASE))
    return selector == MAIN or "=" in selector or is_commit(facts.commit, selector)


def _comparable(runs: Iterator[Facts], to: Facts | None) -> Iterator[Facts]:
    for facts in runs:
        if facts.state != "finished":
            continue
        if to is not None:
            later = (facts.created_at, facts.run) >= (to.created_at, to.run)
            same_commit = to.commit is not None and is_commit(facts.commit, to.commit)
            other_job = JOB in to.tags and facts.tags.get(JOB) != to.tags[JOB]
            if later or same_commit or other_job:
                continue
        yield facts


def _on_disk(ref: str, path: Path, subject: Subject) -> Baseline:
    if path.suffix == ".json" and path.is_file() and (text := path.read_bytes()).find(check_json.FORM.encode()) >= 0:
        return _reported(ref, text, subject)
    logs = read_path(path)
    if len(logs.runs) != 1:
        raise InvalidInput(f"--baseline {ref}: holds {len(logs.runs)} runs, and a baseline is one")
    return Baseline(ref=ref, name=relative(path), levels=levels(to_roles(logs.runs[0].run.curves, {})))


def _reported(ref: str, text: bytes, subject: Subject) -> Baseline:
    """Of several checks in a report, the one that is called as this one is in every pipeline."""
    checks = check_json.read(text)
    target = subject.target
    same = [c for c in checks if c.identity == target.identity] or [c for c in checks if c.name == target.name]
    chosen = checks[0] if len(checks) == 1 else same[0] if same else None
    if chosen is None:
        raise InvalidInput(f"--baseline {ref}: none of its {len(checks)} runs is {target.identity!r}")
    return Baseline(ref=ref, name=chosen.name, levels=chosen.levels)
