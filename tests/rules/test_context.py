"""What a job tells of itself: bounds, and what follows from it."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.rules.context import LARGEST_DATASET, MOST_PRIORS, Context

READ = TypeAdapter(Context)


def test_rows_of_other_versions_are_read() -> None:
    assert READ.validate_python({"num_classes": 10, "said_by_a_later_version": 1}) == Context(num_classes=10)


@pytest.mark.parametrize("priors", [[0.9, 0.1], [0.33, 0.33, 0.33], [1, 0], [1 / MOST_PRIORS] * MOST_PRIORS])
def test_priors_are_shares_of_a_whole(priors: list[float]) -> None:
    assert READ.validate_python({"class_priors": priors}).class_priors == tuple(priors)


@pytest.mark.parametrize(
    "fact",
    [
        {"class_priors": [0.5, 0.4]},
        {"class_priors": [1.0]},
        {"class_priors": [1.5, -0.5]},
        {"class_priors": [float("nan"), 0.5]},
        {"class_priors": [0.5, 0.5], "num_classes": 3},
        {"class_priors": [1 / (MOST_PRIORS + 1)] * (MOST_PRIORS + 1)},
        {"target_variance": 0.0},
        {"target_variance": float("inf")},
        {"dataset_size": 0},
        {"dataset_size": LARGEST_DATASET + 1},
        {"pretrained": "x" * 201},
    ],
)
def test_what_cannot_be_meant_is_refused(fact: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(fact)


def test_priors_and_the_number_of_classes_agree() -> None:
    with pytest.raises(ValidationError, match="class_priors has 2 classes and num_classes is 3"):
        READ.validate_python({"class_priors": [0.5, 0.5], "num_classes": 3})


def test_the_number_of_classes_follows_from_priors() -> None:
    assert Context(class_priors=(0.5, 0.3, 0.2)).classes == 3
    assert Context(num_classes=10).classes == 10
    assert Context().classes is None


@pytest.mark.parametrize(
    ("said", "scratch"), [(None, None), ("", None), (" ", None), ("none", True), ("None ", True), ("resnet50", False)]
)
def test_from_scratch_is_said_and_never_guessed(said: str | None, scratch: bool | None) -> None:
    assert Context(pretrained=said).from_scratch is scratch
