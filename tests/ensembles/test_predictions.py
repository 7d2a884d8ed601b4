"""What is taken for predictions, and what is said of anything else."""

import numpy as np
import pytest

from app.ensembles.predictions import Array, Predictions, checked
from app.errors import InvalidInput

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet(np.ones(4), size=50)
TARGETS = RNG.integers(0, 4, size=50)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_probabilities_of_any_precision_and_order_are_taken(dtype: str, order: str) -> None:
    sent = np.asarray(PROBABILITIES.astype(dtype), order=order)  # type: ignore[call-overload]
    found = checked({"probabilities": sent, "targets": TARGETS.astype("u1")})
    assert (found.kind, found.examples, found.classes) == ("probabilities", 50, 4)
    ((_, block),) = found.blocks()
    np.testing.assert_allclose(block.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(block, PROBABILITIES, atol=1e-3)


def test_half_precision_rounds_a_thousand_probabilities_within_what_is_allowed() -> None:
    many = RNG.dirichlet(np.ones(1000), size=200)
    checked({"probabilities": many.astype(np.float16), "targets": np.zeros(200, dtype=int)})


def test_logits_become_probabilities_however_large() -> None:
    logits = np.array([[1000.0, 0.0], [-1000.0, -1000.0]])
    ((_, block),) = checked({"logits": logits, "targets": np.array([0, 1])}).blocks()
    np.testing.assert_allclose(block, [[1, 0], [0.5, 0.5]])


def test_values_may_have_several_outputs() -> None:
    found = checked({"values": np.ones((3, 2)), "targets": np.zeros((3, 2))})
    assert (found.kind, found.examples, found.classes) == ("values", 3, None)


def test_blocks_hold_all_examples_once() -> None:
    wide = np.zeros((2500, 1000), dtype=np.float16)
    found = Predictions("logits", wide, np.zeros(2500, dtype=int))
    parts = [part for part, _ in found.blocks()]
    assert len(parts) > 2
    assert np.concatenate([np.arange(2500)[part] for part in parts]).tolist() == list(range(2500))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, "holds the arrays none; it is to hold `targets` and one of `probabilities`, `logits`, `values`"),
        ({"targets": TARGETS}, "it is to hold `targets` and one of"),
        ({"probs": PROBABILITIES, "targets": TARGETS}, "holds the arrays probs, targets"),
        ({"logits": PROBABILITIES, "values": PROBABILITIES, "targets": TARGETS}, "one of"),
        ({"probabilities": PROBABILITIES.astype(int), "targets": TARGETS}, "send float16, float32 or float64"),
        ({"probabilities": PROBABILITIES.astype(complex), "targets": TARGETS}, "is complex128"),
        ({"probabilities": np.float64(1), "targets": TARGETS}, "has shape ()"),
        ({"probabilities": np.zeros((0, 4)), "targets": TARGETS[:0]}, "send 1 to 1000000 examples"),
        ({"values": np.zeros((3, 0)), "targets": np.zeros((3, 0))}, "has shape (3, 0)"),
        ({"values": np.zeros(1_000_001, "f2"), "targets": np.zeros(1, "f2")}, "send 1 to 1000000 examples"),
        ({"probabilities": PROBABILITIES[:, 0], "targets": TARGETS}, "np.stack([1 - p, p], axis=1)"),
        ({"probabilities": np.ones((50, 1)), "targets": TARGETS}, "with 2 classes or more"),
        ({"probabilities": PROBABILITIES * 1.01, "targets": TARGETS}, "add up to 1.01, and are to add up to 1"),
        ({"probabilities": PROBABILITIES - 0.5, "targets": TARGETS}, "is to be 0 to 1; are these `logits`?"),
        ({"logits": np.full((50, 4), np.nan), "targets": TARGETS}, "logits[0, 0] is nan"),
        ({"logits": np.full((50, 4), np.inf, "f2"), "targets": TARGETS}, "logits[0, 0] is inf"),
        ({"logits": np.full((50, 4), 1e31), "targets": TARGETS}, "between -1e+30 and 1e+30"),
        ({"probabilities": PROBABILITIES, "targets": TARGETS[:49]}, "one class number an example"),
        ({"probabilities": PROBABILITIES, "targets": np.eye(4)[TARGETS].astype(int)}, "targets.argmax(axis=1)"),
        ({"probabilities": PROBABILITIES, "targets": TARGETS.astype(float)}, "class numbers, integers from 0"),
        ({"probabilities": PROBABILITIES, "targets": TARGETS + 1}, "is 4, and the classes are 0 to 3"),
        ({"probabilities": PROBABILITIES, "targets": TARGETS - 1}, "is -1, and the classes are 0 to 3"),
        ({"probabilities": PROBABILITIES, "targets": np.full(50, 2**64 - 1, "u8")}, "is 18446744073709551615"),
        ({"values": np.zeros((2, 2, 2)), "targets": np.zeros((2, 2, 2))}, "[examples] or [examples, outputs]"),
        ({"values": np.zeros((2, 2)), "targets": np.zeros(2)}, "targets have shape (2,) beside values of shape (2, 2)"),
        ({"values": np.zeros(2), "targets": np.array(["a", "b"])}, "targets is <U1"),
        ({"values": np.zeros(2), "targets": np.array([1.0, np.nan])}, "targets[1] is nan"),
        ({"values": np.zeros(2), "targets": np.zeros(2, np.longdouble)}, "send float16, float32 or float64"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(arrays: dict[str, Array], reason: str) -> None:
    with pytest.raises(InvalidInput) as told:
        checked(arrays)
    assert reason in str(told.value)
