"""What a pre-trained model can do about overfitting and underfitting, where the job told enough."""

from dataclasses import replace

import pytest

from app.rules.context import Context
from app.rules.verdict import Recommendation
from tests.builders import run
from tests.judging import finding


def added(rule: str, shape: str, **facts: object) -> tuple[Recommendation, ...]:
    """What a context's facts add to the recommendations of a finding."""
    curves, context = run(shape, 0)
    told = replace(context, **facts)  # type: ignore[arg-type]
    before, after = finding(rule, curves, context).recommendations, finding(rule, curves, told).recommendations
    assert after[: len(before)] == before
    return after[len(before) :]


@pytest.mark.parametrize(
    ("facts", "strategy", "words"),
    [
        ({"dataset_size": 500, "pretrained": "none"}, "start_pretrained", "Start from a pre-trained model"),
        ({"dataset_size": 500}, "start_pretrained", "Unless the run did so, start"),
        ({"dataset_size": 500, "pretrained": "resnet50"}, "train_head", "train the new head alone (500 examples"),
        ({"pretrained": "resnet50"}, "train_head", "Freeze more of the pre-trained resnet50"),
        ({"dataset_size": 50_000, "pretrained": "resnet50"}, "fine_tune_some", "some of the last layers"),
    ],
)
def test_overfitting(facts: dict[str, object], strategy: str, words: str) -> None:
    (more,) = added("overfitting", "overfit", **facts)
    assert (more.action, more.args) == ("transfer", {"strategy": strategy})
    assert words in more.text


@pytest.mark.parametrize(
    ("facts", "strategy", "words"),
    [
        ({"dataset_size": 500, "pretrained": "none"}, "start_pretrained", "rather than scratch (500 examples"),
        ({"dataset_size": 500, "pretrained": "resnet50"}, "fine_tune_some", "more layers"),
        ({"pretrained": "resnet50"}, "fine_tune_some", "more layers"),
        ({"dataset_size": 50_000, "pretrained": "resnet50"}, "fine_tune_all", "at a small rate"),
    ],
)
def test_underfitting(facts: dict[str, object], strategy: str, words: str) -> None:
    (more,) = added("underfitting", "underfit", **facts)
    assert (more.action, more.args) == ("transfer", {"strategy": strategy})
    assert words in more.text


@pytest.mark.parametrize(("rule", "shape"), [("overfitting", "overfit"), ("underfitting", "underfit")])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"pretrained": ""},
        {"pretrained": "none"},
        {"dataset_size": 50_000},
        {"dataset_size": 3_000, "pretrained": "none"},
    ],
)
def test_nothing_is_added_where_nothing_follows(rule: str, shape: str, facts: dict[str, object]) -> None:
    assert added(rule, shape, **facts) == ()


def test_few_examples_say_nothing_of_underfitting_when_the_start_is_not_known() -> None:
    assert added("underfitting", "underfit", dataset_size=500) == ()
    assert Context(dataset_size=500).from_scratch is None
