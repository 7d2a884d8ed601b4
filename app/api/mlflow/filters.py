"""MLflow's language for searches: `metrics.loss < 0.5 and params.model LIKE 'res%'`, and what to sort by. Pure."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from app.errors import InvalidInput

Kind = Literal["attribute", "metric", "param", "tag"]
Value = str | float | None
Item = TypeVar("Item")

_KINDS: Mapping[str, Kind] = {
    "attribute": "attribute", "attributes": "attribute", "attr": "attribute", "run": "attribute",
    "metric": "metric", "metrics": "metric",
    "param": "param", "params": "param", "parameter": "param", "parameters": "param",
    "tag": "tag", "tags": "tag",
}  # fmt: skip
_ALIASES = {"created": "start_time", "Created": "start_time"} | dict.fromkeys(
    ("run name", "Run name", "Run Name"), "run_name"
)
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TEXT_OPERATORS = {"=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"}
_NULLS = {"IS NULL", "IS NOT NULL"}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'])*'|"(?:[^"])*")
      | (?P<operator><=|>=|!=|<>|=|<|>)
      | (?P<mark>[(),])
      | (?P<word>(?:\w+\.)?`[^`]*`|(?:\w+\.)"[^"]*"|[^\s()<>=!,'"`]+)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf(?:inity)?|nan", re.IGNORECASE)


@dataclass(frozen=True)
class Name:
    """What is compared or sorted by."""

    kind: Kind
    key: str


@dataclass(frozen=True)
class Clause:
    """One comparison. value: None where the operator says it all; several for IN and NOT IN."""

    name: Name
    operator: str
    value: float | str | tuple[str, ...] | None

    def holds(self, found: Value) -> bool:
        """Whether it is true of this value; of a missing one only IS NULL is."""
        if self.operator in _NULLS:
            return (found is None) == (self.operator == "IS NULL")
        if found is None:
            return False
        if isinstance(self.value, tuple):
            return (found in self.value) == (self.operator == "IN")
        if isinstance(self.value, str):
            return _text_holds(str(found), self.operator, self.value)
        assert self.value is not None  # noqa: S101 - only IS NULL has none
        return _COMPARED[self.operator](float(found), self.value)


@dataclass(frozen=True)
class Order:
    """What to sort by, and which way."""

    name: Name
    descending: bool


@dataclass(frozen=True)
class Language:
    """Which names a search may use: text and number attributes, and kinds beside them."""

    texts: frozenset[str]
    numbers: frozenset[str]
    kinds: frozenset[Kind]

    def clauses(self, written: str) -> list[Clause]:
        """The comparisons, all of which must hold. Raises InvalidInput."""
        tokens = list(_tokens(written))
        found: list[Clause] = []
        while tokens:
            if found and not _take_word(tokens, "AND"):
                raise InvalidInput(f"filter: comparisons are joined by AND, not by {tokens[0][1]!a}")
            found.append(self._clause(tokens))
        return found

    def order(self, written: str) -> Order:
        """`metrics.loss DESC` -> what to sort by. Raises InvalidInput."""
        tokens = list(_tokens(written))
        if not tokens:
            raise InvalidInput("order_by: an entry is empty")
        name = self._name(tokens.pop(0))
        descending = _take_word(tokens, "DESC")
        if not descending:
            _take_word(tokens, "ASC")
        if tokens:
            raise InvalidInput(f"order_by: {written[:100]!a} is not a name and ASC or DESC")
        return Order(name, descending)

    def _clause(self, tokens: list[tuple[str, str]]) -> Clause:
        name = self._name(tokens.pop(0)) if tokens else None
        if name is None or not tokens:
            raise InvalidInput("filter: it ends where a comparison is wanted")
        said = _operator(tokens)
        if said in _NULLS:
            if name.kind not in ("tag", "param"):
                raise InvalidInput(f"filter: {said} is for tags and params only, not for {name.kind} {name.key!a}")
            return Clause(name, said, None)
        numeric = name.kind == "metric" or (name.kind == "attribute" and name.key in self.numbers)
        if said not in (_COMPARED if numeric else _TEXT_OPERATORS):
            raise InvalidInput(f"filter: {name.kind} {name.key!a} cannot be compared by {said}")
        if said in ("IN", "NOT IN"):
            return Clause(name, said, tuple(_list(tokens)))
        return Clause(name, said, _number(tokens) if numeric else _text(tokens))

    def _name(self, token: tuple[str, str]) -> Name:
        word = token[1]
        prefix, dot, key = word.partition(".")
        if token[0] == "text" or not dot or prefix[:1] == "`":
            prefix, key = "attribute", word
        key = key[1:-1] if len(key) > 1 and key[0] == key[-1] and key[0] in "`\"'" else key
        kind = _KINDS.get(prefix)
        if kind is None or kind not in self.kinds:
            raise InvalidInput(f"{prefix[:40]!a} is none of {', '.join(sorted(self.kinds))}")
        key = _ALIASES.get(key, key) if kind == "attribute" else key
        if kind == "attribute" and key not in self.texts | self.numbers:
            known = ", ".join(sorted(self.texts | self.numbers))
            raise InvalidInput(f"there is no attribute {key[:40]!a}; the attributes are {known}")
        return Name(kind, key)


def ordered(found: Iterable[Item], orders: Sequence[Order], value: Callable[[Item, Name], Value]) -> list[Item]:
    """Sorted by the first order, then the next; NaN after every number and what is missing last, whichever way."""
    items = list(found)
    for order in reversed(orders):
        ranked: tuple[list[tuple[Any, Item]], ...] = ([], [], [])
        for item in items:
            by = value(item, order.name)
            rank = 2 if by is None else 1 if isinstance(by, float) and math.isnan(by) else 0
            ranked[rank].append((by, item))
        ranked[0].sort(key=lambda one: one[0], reverse=order.descending)
        items = [item for one in ranked for _, item in one]
    return items


def page(found: Sequence[object], token: str, limit: int) -> tuple[int, int, str | None]:
    """(begin, end, token of the next page) of one page of what was found. Raises InvalidInput."""
    if token and not re.fullmatch(r"\d{1,9}", token):
        raise InvalidInput(f"page_token: {token[:40]!a} is not one that was given out")
    begin = int(token or 0)
    end = begin + limit
    return begin, end, str(end) if end < len(found) else None


def _tokens(written: str) -> Iterator[tuple[str, str]]:
    at, text = 0, written.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise InvalidInput(f"the search cannot be read from {text[at : at + 40]!a} on")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _take_word(tokens: list[tuple[str, str]], word: str) -> bool:
    if tokens and tokens[0][0] == "word" and tokens[0][1].upper() == word:
        tokens.pop(0)
        return True
    return False


def _operator(tokens: list[tuple[str, str]]) -> str:
    if tokens[0][0] == "operator":
        said = tokens.pop(0)[1]
        return "!=" if said == "<>" else said
    for first in ("LIKE", "ILIKE", "IN"):
        if _take_word(tokens, first):
            return first
    if _take_word(tokens, "NOT") and _take_word(tokens, "IN"):
        return "NOT IN"
    if _take_word(tokens, "IS"):
        negated = _take_word(tokens, "NOT")
        if _take_word(tokens, "NULL"):
            return "IS NOT NULL" if negated else "IS NULL"
    raise InvalidInput(f"filter: {tokens[0][1] if tokens else 'the end'!a} stands where a comparison is wanted")


def _number(tokens: list[tuple[str, str]]) -> float:
    if tokens and tokens[0][0] == "word" and _NUMBER.fullmatch(tokens[0][1]):
        return float(tokens.pop(0)[1])
    raise InvalidInput(f"filter: {tokens[0][1] if tokens else 'the end'!a} stands where a number is wanted")


def _text(tokens: list[tuple[str, str]]) -> str:
    if tokens and tokens[0][0] == "text":
        return tokens.pop(0)[1][1:-1]
    raise InvalidInput(f"filter: {tokens[0][1] if tokens else 'the end'!a} stands where text in quotes is wanted")


def _list(tokens: list[tuple[str, str]]) -> Iterator[str]:
    closed = False
    if tokens and tokens.pop(0) == ("mark", "("):
        while not closed and tokens:
            yield _text(tokens)
            mark = tokens.pop(0) if tokens else ("", "")
            closed = mark == ("mark", ")")
            if not closed and mark != ("mark", ","):
                break
    if not closed:
        raise InvalidInput("filter: IN wants a list such as ('a', 'b')")


def _text_holds(found: str, said: str, value: str) -> bool:
    match said:
        case "LIKE":
            return _like(found, value)
        case "ILIKE":
            return _like(found.casefold(), value.casefold())
    return (found == value) == (said == "=")


def _like(found: str, pattern: str) -> bool:
    """`%` is any text, `_` any character. Part by part, since a regular expression of many `%` may never end."""
    first, *rest = [re.compile(re.escape(part).replace("_", "."), re.DOTALL) for part in pattern.split("%")]
    if not rest:
        return first.fullmatch(found) is not None
    if (begin := first.match(found)) is None:
        return False
    at = begin.end()
    for part in rest[:-1]:
        if (next_one := part.search(found, at)) is None:
            return False
        at = next_one.end()
    last = len(found) - len(pattern.rpartition("%")[2])
    return last >= at and rest[-1].fullmatch(found, last) is not None
