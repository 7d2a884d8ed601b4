"""The user's command, and what a trial tells it: placeholders in its words, and variables of its environment."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import InvalidInput
from app.search.answers import Proposal

# What a proposal may set beside the configuration, some in some steps of the procedure only: they need a default.
SOMETIMES = (
    "sample_size",
    "ramp_from",
    "ramp_to",
    "schedule",
    "seed",
    "initialisation",
    "stop_at_accuracy",
    "weight_decay",
    "planned_steps",
    "planned_epochs",
)
ALWAYS = ("project", "run", "search", "search_step")
# `{{name}}` stands for `{name}`; a shell's `${NAME}` and the braces of JSON are left alone.
_NAME = r"[A-Za-z_][\w.-]*"
_PLACEHOLDER = re.compile(rf"\{{\{{{_NAME}\}}\}}|(?<!\$)\{{(?P<name>{_NAME})(?::(?P<default>[^{{}}]*))?\}}")


@dataclass(frozen=True)
class Identity:
    """Where a trial logs to: the server's root, the project, and the search it is a trial of."""

    url: str
    project: str
    search: str


@dataclass(frozen=True)
class Command:
    """words: the program and its arguments, with `{lr}`, `{seed:0}` and such in them."""

    words: tuple[str, ...]

    def check_program(self) -> None:
        """Raises InvalidInput for no program, and for one that is not there."""
        if not self.words:
            raise InvalidInput("say what to run after --: curvewise search run --space space.yaml -- python train.py")
        program = self.words[0]
        if not _PLACEHOLDER.search(program) and shutil.which(program) is None:
            there = "is no program" if Path(program).exists() else "is not found"
            raise InvalidInput(f"{program!r} {there}: the command after -- begins with a program to run")

    def check(self, parameters: Iterable[str]) -> None:
        """Raises InvalidInput for placeholders that some trial cannot fill. parameters: of the space, by name."""
        for word in self.words:
            for match in _PLACEHOLDER.finditer(word):
                _check(match, tuple(parameters))

    def fill(self, proposal: Proposal, identity: Identity) -> list[str]:
        """The words for one trial. Raises InvalidInput where a placeholder without a default has no value."""
        values = {**_told(proposal), **_named(proposal, identity), **dict(flattened(proposal.config))}
        return [_PLACEHOLDER.sub(lambda match: _value(match, values), word) for word in self.words]


def environment(proposal: Proposal, identity: Identity) -> dict[str, str]:
    """What a trial finds in its environment beside what this process has in its own."""
    return {
        "CURVEWISE_URL": identity.url,
        "CURVEWISE_PROJECT": identity.project,
        "CURVEWISE_RUN": proposal.run,
        "CURVEWISE_SEARCH": identity.search,
        "CURVEWISE_SEARCH_STEP": str(proposal.search_step),
        "CURVEWISE_CONFIG": json.dumps(proposal.config),
        "CURVEWISE_SETTINGS": json.dumps(_told(proposal)),
    }


def flattened(config: Mapping[str, object], within: str = "") -> Iterator[tuple[str, object]]:
    """A nested configuration's entries under dotted names."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


def shown(value: object) -> str:
    """As a command line takes it: text as it is, whole numbers without a point, else as JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _told(proposal: Proposal) -> dict[str, object]:
    planned = {"planned_steps": proposal.planned_steps, "planned_epochs": proposal.planned_epochs}
    return {**{name: value for name, value in planned.items() if value is not None}, **proposal.settings}


def _named(proposal: Proposal, identity: Identity) -> dict[str, object]:
    return {
        "project": identity.project,
        "run": proposal.run,
        "search": identity.search,
        "search_step": proposal.search_step,
    }


def _check(match: re.Match[str], parameters: Sequence[str]) -> None:
    name, default = match["name"], match["default"]
    if name is None or name in ALWAYS or name in parameters:
        return
    if name in SOMETIMES:
        if default is not None:
            return
        raise InvalidInput(f"{{{name}}} is not set for every trial: give a default, such as {{{name}:0}}")
    known = ", ".join(f"{{{one}}}" for one in (*parameters, *ALWAYS, *SOMETIMES))
    raise InvalidInput(
        f"there is nothing for {match[0]} in the command; there are {known}; for the text itself, double its braces"
    )


def _value(match: re.Match[str], values: Mapping[str, object]) -> str:
    if match["name"] is None:
        return match[0][1:-1]
    if match["name"] in values:
        return shown(values[match["name"]])
    if match["default"] is None:
        raise InvalidInput(f"this trial has nothing for {match[0]}: give a default, such as {{{match['name']}:0}}")
    return match["default"]
