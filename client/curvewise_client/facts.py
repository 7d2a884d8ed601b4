"""What a job says about its run beside its curves, as the JSON that opens the run. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Facts = dict[str, Any]
IN_CONTEXT = (
    "num_classes",
    "planned_steps",
    "schedule",
    "class_priors",
    "target_variance",
    "dataset_size",
    "pretrained",
    "caveats",
)
OF_SEARCH = ("search", "search_step")
BESIDE = ("config", "tags", "commit", *OF_SEARCH)


def facts_from(said: Mapping[str, Any], left_out: Callable[[str, Exception], None]) -> Facts:
    """The body that opens or updates a run. None says nothing; what is no JSON becomes text.

    left_out: told of each fact that cannot be said at all. Raises TypeError when there is no such fact.
    """
    if strange := sorted(said.keys() - {*IN_CONTEXT, *BESIDE}):
        raise TypeError(f"there is no such fact: {', '.join(strange)}; there are {', '.join((*IN_CONTEXT, *BESIDE))}")
    facts: Facts = {}
    for name, value in said.items():
        if value is not None:
            try:
                facts[name] = _json(_READ.get(name, _as_it_is)(value))
            except Exception as error:
                left_out(name, error)
    context = {name: facts.pop(name) for name in IN_CONTEXT if name in facts}
    return {"context": context, **facts} if context else facts


def merged(before: Facts, after: Facts) -> Facts:
    """What holds when `after` is said as well; a caveat stays true."""
    context = {**before.get("context", {}), **after.get("context", {})}
    caveats = [caveat for said in (before, after) for caveat in said.get("context", {}).get("caveats", ())]
    if caveats:
        context["caveats"] = list(dict.fromkeys(caveats))
    return {**before, **after, **({"context": context} if context else {})}


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_plain, skipkeys=True))


def _plain(value: Any) -> Any:
    """Numbers of numpy and torch are numbers, sets are lists; paths, types and the like are shown as text."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 1) == 0:
        found = item()
        return found if isinstance(found, (bool, int, float, str)) else str(found)
    return str(value)


def _as_it_is(value: Any) -> Any:
    return value


def _config(value: Any) -> dict[str, Any]:
    """A mapping, or anything that keeps its settings as attributes, as argparse's Namespace does."""
    return dict(value) if isinstance(value, Mapping) else dict(vars(value))


def _tags(value: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): str(label) for name, label in value.items()}


def _caveats(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


_READ: Mapping[str, Callable[[Any], Any]] = {
    "config": _config,
    "tags": _tags,
    "caveats": _caveats,
    "class_priors": list,
}
