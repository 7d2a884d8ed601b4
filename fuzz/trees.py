"""JSON changed as a tree: a value, a name or a part is put where another stood, and the text is JSON again.

Bytes changed blindly are hardly ever JSON, and then only the parser is tried. One change in three is blind even so.
"""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fuzz.target import Mutate

_LONG = "an integer of more digits than Python reads"
_Place = tuple[Any, Any]  # a list or an object, and where in it
_SPICE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, -0.0, 0.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *(2**53, 2**53 + 1, -(2**63), 10**30, 10**400, _LONG),
    *("", "NaN", "-Infinity", "nan", "1", "val", "train", "\ud800", "\0", "a/b", "x" * 251, [], {}, [[]], {"a": {}}),
)
_NAMES = ("step", "steps", "values", "curves", "points", "loss", "val/loss", "epoch", "iter", "mode", "key", "")


def mutated_document(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    """One JSON value."""
    if chance.random() < 1 / 3:
        return mutate(data[:most], most)
    try:
        return _changed(data, chance)[:most]
    except (ValueError, RecursionError):
        return mutate(data[:most], most)


def mutated_lines(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    """One JSON value a line: one of the lines is changed, dropped, repeated, or put elsewhere."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines.insert(chance.randrange(len(lines)), lines[place])
        case 1:
            lines.insert(chance.randrange(len(lines)), lines.pop(place))
        case _:
            lines[place] = mutated_document(lines[place], most, chance, mutate)
    return b"\n".join(lines)[:most]


def _changed(data: bytes, chance: random.Random) -> bytes:
    document = [json.loads(data)]
    for _ in range(chance.randint(1, 3)):
        places = list(_places(document))
        inside, at = chance.choice(places)
        other = chance.choice(places)
        match chance.randrange(6):
            case 0 if inside is not document:
                del inside[at]
            case 1 if isinstance(inside, dict):
                inside[chance.choice(_NAMES)] = inside.pop(at)
            case 2 if isinstance(inside, list) and inside is not document:
                inside.insert(at, inside[at])
            case 3:
                inside[at] = json.loads(json.dumps(other[0][other[1]]))
            case 4:
                for _ in range(chance.choice((1, 3, 300))):
                    inside[at] = [inside[at]] if chance.random() < 0.5 else {chance.choice(_NAMES): inside[at]}
            case _:
                inside[at] = _spiced(inside[at], chance)
    text = json.dumps(document[0], ensure_ascii=False).replace(f'"{_LONG}"', "9" * 5000)
    return text.encode(errors="surrogatepass")


def _places(inside: Any) -> Iterator[_Place]:
    waiting = [inside]
    while waiting:
        part = waiting.pop()
        for at in part if isinstance(part, dict) else range(len(part)):
            yield part, at
            if isinstance(part[at], dict | list):
                waiting.append(part[at])


def _spiced(value: Any, chance: random.Random) -> Any:
    if isinstance(value, int | float) and chance.random() < 0.5:
        return value + chance.choice((1, -1, 0.5)) if abs(value) < 1e15 else chance.random()
    return deepcopy(chance.choice(_SPICE))
