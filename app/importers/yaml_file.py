"""YAML beside a log: plain values, however it was written.

YAML can say much that no log means: objects of any class, dates that do not exist, and aliases, by which a kilobyte
becomes gigabytes once it is written down or is a part of itself. Each is an error, or is read as what it stands for.
"""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import yaml

from app.errors import UnreadableFile

_MOST_VALUES = 10_000  # with aliases written out


# Python's own scanner takes a second over two thousand brackets; libyaml is in every wheel, and refuses them at once.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc] # PyYAML declares no types
    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """As it is; but a value that its tag or its form promises and that cannot be made is an error of the file."""
        try:
            return super().construct_object(node, deep)
        except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


def read_mapping(file: Path) -> dict[str, object]:
    """What a file says by name, as JSON has it; empty when it is no mapping. Raises UnreadableFile, OSError."""
    try:
        found = yaml.load(file.read_text(errors="replace"), _Loader)  # noqa: S506 - a safe loader
        plain = _Plain().of(found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnreadableFile(str(file), "not readable as YAML", mark and mark.line + 1) from error
    except RecursionError as error:
        raise UnreadableFile(str(file), "YAML that is nested too deep, or is a part of itself") from error
    except _TooMany as error:
        raise UnreadableFile(str(file), f"YAML of more than {_MOST_VALUES} values") from error
    return plain if isinstance(plain, dict) else {}


class _TooMany(Exception):
    """More values than are read."""


class _Plain:
    """Makes values of YAML those of JSON: names become text, dates and bytes as well, sets become lists."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def of(self, value: object) -> object:
        """Raises _TooMany, RecursionError."""
        self._left -= 1
        if self._left < 0:
            raise _TooMany
        if isinstance(value, Mapping):
            return {str(name): self.of(member) for name, member in value.items()}
        if isinstance(value, Set | Sequence) and not isinstance(value, str | bytes):
            return [self.of(member) for member in value]
        return value if isinstance(value, str | bool | int | float | None) else str(value)
