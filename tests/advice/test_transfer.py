"""The lecture's table of transfer learning."""

import itertools

import pytest

from app.advice.amount import Data
from app.advice.transfer import transfer


@pytest.mark.parametrize(
    ("similar", "data", "strategy"),
    [
        (True, "small", "train_head"),
        (True, "large", "fine_tune_some"),
        (False, "large", "fine_tune_all"),
        (False, "small", "try_several"),
    ],
)
def test_the_four_cells(similar: bool, data: Data, strategy: str) -> None:
    advice = transfer(similar=similar, data=data)
    assert advice.strategy == strategy
    assert advice.missing == ()
    assert advice.reason
    assert (len(advice.candidates) > 1) is (strategy == "try_several")
    assert strategy == "try_several" or advice.candidates == (strategy,)


def test_the_rate_of_a_whole_network_is_small() -> None:
    assert "small rate" in transfer(similar=False, data="large").text


@pytest.mark.parametrize(("data", "word"), [("small", "beats"), ("large", "worth a try")])
@pytest.mark.parametrize("similar", [True, False, None])
def test_scratch_depends_on_the_amount_alone(similar: bool | None, data: Data, word: str) -> None:
    assert word in transfer(similar=similar, data=data).from_scratch


def test_what_is_missing_is_named() -> None:
    for similar, data in itertools.product((True, None), ("small", None)):
        if similar is None or data is None:
            advice = transfer(similar=similar, data=data)
            assert (advice.strategy, advice.candidates) == (None, ())
            assert ("similar" in advice.missing, "data" in advice.missing) == (similar is None, data is None)
            assert "cannot be judged" in advice.text
    assert transfer(similar=True, data=None).from_scratch == ""
