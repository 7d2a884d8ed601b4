"""What is checked: its name, what it is called in every pipeline, and the file that dashboards show findings at."""

from collections.abc import Mapping
from dataclasses import dataclass

JOB = "job"  # the tag of runs that are the same training, again
SCRIPTS = ("script", "mlflow.source.name")  # the tags that say which file trains
NO_LOCATION = "train.py"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is checked.

    name: what people call it. identity: what it is called in every pipeline, so that a finding that stays is not told
    as a new one. location: the file, relative to the repository, that dashboards show findings at.
    """

    name: str
    identity: str
    location: str = NO_LOCATION


def target_of(project: str | None, run: str | None, tags: Mapping[str, str]) -> Target:
    """A stored run: its tag `job` is the part of its name that stays, and `script` says which file trains."""
    script = next((tags[tag] for tag in SCRIPTS if tags.get(tag)), "")
    return Target(
        name=_joined(project, run),
        identity=_joined(project, tags.get(JOB) or run),
        location=_within(script) or NO_LOCATION,
    )


def _joined(*parts: str | None) -> str:
    return "/".join(part for part in parts if part) or "run"


def _within(path: str) -> str:
    """The path with slashes where it is one below the repository, else the file's name: it was logged elsewhere."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    outside = path.startswith(("/", "\\")) or ".." in parts or path[1:2] == ":"
    return "/".join(parts[-1:] if outside else parts)
