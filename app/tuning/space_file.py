"""The file that declares a search: a space alone, or a space with whatever else the search is about. YAML or JSON."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.errors import InvalidInput, UnreadableFile

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FACTS = (
    "space", "metric", "goal", "seed", "steps_per_epoch", "most_runs", "num_classes", "class_priors", "target_variance",
)  # fmt: skip


class _Loader(_Safe):  # type: ignore[misc] # PyYAML declares no types
    """Reads 1e-5 as the number that everybody means; YAML 1.1, which PyYAML reads, has it as text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)[eE][-+]?\d+\Z"),
    list("-+.0123456789"),
)


def read_search(file: Path) -> dict[str, Any]:
    """What a file says of a search, by the names of the API. Raises UnreadableFile, InvalidInput."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise UnreadableFile(str(file), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(str(file), "not text in UTF-8") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise UnreadableFile(str(file), "not readable as YAML or JSON", mark and mark.line + 1) from error
    if not isinstance(found, dict) or not found:
        raise InvalidInput(
            f"{file}: it is to say which parameters vary, such as lr: {{kind: log_uniform, low: 1e-5, high: 1}}"
        )
    # A parameter may have any name, `space` too: then it has a kind.
    if not isinstance(found.get("space"), dict) or "kind" in found["space"]:
        return {"space": found}
    if strange := sorted(str(name) for name in found.keys() - set(FACTS)):
        raise InvalidInput(f"{file}: a search has no {strange[0]!a}; beside space there are {', '.join(FACTS[1:])}")
    return found
