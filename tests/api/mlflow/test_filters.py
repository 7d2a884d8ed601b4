"""Searches as MLflow's clients write them, and everything else that may be written in their place."""

import math
import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.mlflow.filters import Clause, Language, Name, Order, Value, ordered, page
from app.errors import InvalidInput

LANGUAGE = Language(
    texts=frozenset({"status", "run_id", "run_name"}),
    numbers=frozenset({"start_time"}),
    kinds=frozenset({"attribute", "metric", "param", "tag"}),
)


def clause(kind: str, key: str, said: str, value: object) -> Clause:
    return Clause(Name(kind, key), said, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "clauses"),
    [
        ("", []),
        ("  ", []),
        ("metrics.loss<.5", [clause("metric", "loss", "<", 0.5)]),
        ("metric.loss >= -1e-3", [clause("metric", "loss", ">=", -0.001)]),
        ("metrics.`val loss` != 2", [clause("metric", "val loss", "!=", 2.0)]),
        ('metrics."a.b/c" = 2', [clause("metric", "a.b/c", "=", 2.0)]),
        ("metrics.val/loss > 1", [clause("metric", "val/loss", ">", 1.0)]),
        ("params.model = 'res net'", [clause("param", "model", "=", "res net")]),
        ('parameters.model <> "x"', [clause("param", "model", "!=", "x")]),
        ("tags.`mlflow.user` ilike 'M%'", [clause("tag", "mlflow.user", "ILIKE", "M%")]),
        ("tags.a is null", [clause("tag", "a", "IS NULL", None)]),
        ("params.b IS NOT NULL", [clause("param", "b", "IS NOT NULL", None)]),
        ("status = 'FINISHED'", [clause("attribute", "status", "=", "FINISHED")]),
        ("created > 5", [clause("attribute", "start_time", ">", 5.0)]),
        ("attributes.`Run name` = 'x'", [clause("attribute", "run_name", "=", "x")]),
        ("run_id NOT IN ('a', \"b\")", [clause("attribute", "run_id", "NOT IN", ("a", "b"))]),
        ("tags.a = 'and' AND tags.b = ''", [clause("tag", "a", "=", "and"), clause("tag", "b", "=", "")]),
    ],
)  # fmt: skip
def test_what_is_written_is_understood(written: str, clauses: list[Clause]) -> None:
    assert LANGUAGE.clauses(written) == clauses


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("metrics.loss", "it ends where a comparison is wanted"),
        ("metrics.loss <", "'the end' stands where a number is wanted"),
        ("metrics.loss < 'a'", "stands where a number is wanted"),
        ("metrics.loss LIKE 'a'", "cannot be compared by LIKE"),
        ("metrics.loss IS NULL", "is for tags and params only"),
        ("params.a > '1'", "cannot be compared by >"),
        ("params.a = 1", "text in quotes is wanted"),
        ("params.a IN ('x'", "IN wants a list"),
        ("params.a IN 'x'", "IN wants a list"),
        ("params.a NOT 'x'", "stands where a comparison is wanted"),
        ("params.a = 'x' OR params.b = 'y'", "joined by AND, not by 'OR'"),
        ("params.a = 'x' AND", "it ends where a comparison is wanted"),
        ("things.a = 'x'", "'things' is none of attribute, metric, param, tag"),
        ("color = 'x'", "there is no attribute 'color'; the attributes are run_id"),
        ("params.a = 'x", "cannot be read from"),
    ],
)
def test_what_cannot_be_meant_is_told(written: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(why)):
        LANGUAGE.clauses(written)


PIECES = st.sampled_from(
    ["metrics", ".", "params.a", "tags.`x y`", "=", "<", "'x'", '"', "'", "`", "(", ")", ",", "IN", "NOT", "IS", "NULL",
     "LIKE", "AND", "1e5", "-", "status", " ", "\x00", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12), st.sampled_from(["", " "]))
def test_nothing_that_is_written_is_a_fault(pieces: list[str], between: str) -> None:
    for read in (LANGUAGE.clauses, LANGUAGE.order):
        with suppress(InvalidInput):
            read(between.join(pieces))


@given(st.text("ab_%\n", max_size=8), st.text("ab\n", max_size=8))
def test_like_means_what_sql_means(pattern: str, found: str) -> None:
    expected = "".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in pattern)
    holds = bool(re.fullmatch(expected, found, re.DOTALL))
    assert clause("tag", "a", "LIKE", pattern).holds(found) == holds
    assert clause("tag", "a", "ILIKE", pattern.upper()).holds(found) == holds


def test_a_pattern_of_many_wildcards_ends() -> None:
    begin = time.perf_counter()
    assert not clause("tag", "a", "LIKE", "%a" * 500 + "b").holds("a" * 8000)
    assert time.perf_counter() - begin < 1


def test_nan_and_what_is_missing_compare_with_nothing() -> None:
    assert not clause("metric", "a", "<", 1.0).holds(math.nan)
    assert not clause("metric", "a", ">=", 1.0).holds(math.nan)
    for said in ("=", "!=", "<"):
        assert not clause("metric", "a", said, 1.0).holds(None)
    assert clause("tag", "a", "IS NULL", None).holds(None)


def test_a_sort_puts_nan_and_what_is_missing_last() -> None:
    found: list[tuple[str, Value]] = [("nan", math.nan), ("one", 1.0), ("none", None), ("inf", math.inf), ("two", 2.0)]
    by = Name("metric", "a")
    up = ordered(found, [Order(by, descending=False)], lambda one, _: one[1])
    down = ordered(found, [Order(by, descending=True)], lambda one, _: one[1])
    assert [name for name, _ in up] == ["one", "two", "inf", "nan", "none"]
    assert [name for name, _ in down] == ["inf", "two", "one", "nan", "none"]


def test_pages_follow_each_other() -> None:
    assert page(range(5), "", 2) == (0, 2, "2")
    assert page(range(5), "2", 2) == (2, 4, "4")
    assert page(range(5), "4", 2) == (4, 6, None)
    for token in ("-1", "x", "1" * 10):
        with pytest.raises(InvalidInput, match="page_token"):
            page(range(5), token, 2)
