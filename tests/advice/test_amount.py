"""Whether a data set is small or large."""

import pytest

from app.advice.amount import LARGE, SMALL, amount_of


@pytest.mark.parametrize(
    ("examples", "classes", "data"),
    [
        (1, None, "small"),
        (SMALL, None, "small"),
        (SMALL + 1, None, None),
        (LARGE - 1, None, None),
        (LARGE, None, "large"),
        (SMALL, 2, "small"),
        (12_000, 1_000, "small"),  # 12 a class
        (50_000, 1_000, None),  # 50 a class
        (1_281_167, 1_000, "large"),
        (50_000, 10, "large"),
        (5_000, 2, None),
    ],
)
def test_what_counts_as_small_and_as_large(examples: int, classes: int | None, data: str | None) -> None:
    amount = amount_of(examples, classes)
    assert amount.data == data
    assert amount.reason.startswith(f"{examples:,} examples")
    assert ("a class: " in amount.reason) is (classes is not None)


def test_between_the_two_sizes_of_the_study_nothing_is_claimed() -> None:
    assert amount_of(3_000).reason.endswith("between what is known to be small and to be large")
