"""Predictions are kept losslessly, and known again by their targets."""

import numpy as np
import pytest

from app.ensembles.predictions import Array, checked
from app.storage.predictions import fingerprint, pack, unpack

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet(np.ones(4), size=50)
TARGETS = RNG.integers(0, 4, size=50)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_bit_is_kept(dtype: str, order: str) -> None:
    sent = np.asarray(PROBABILITIES.astype(dtype), order=order)  # type: ignore[call-overload]
    given = checked({"probabilities": sent, "targets": TARGETS.astype("u1")})
    kept = unpack(given.kind, pack(given).arrays)
    assert kept.predictions.dtype == sent.dtype.newbyteorder("=")
    assert kept.targets.dtype == np.uint8
    np.testing.assert_array_equal(kept.predictions, sent)
    np.testing.assert_array_equal(kept.targets, TARGETS)
    assert fingerprint(kept) == fingerprint(given)


def test_the_same_arrays_have_the_same_digest_and_others_have_not() -> None:
    one = checked({"logits": PROBABILITIES, "targets": TARGETS})
    assert pack(one).digest == pack(checked({"logits": PROBABILITIES.copy(), "targets": TARGETS})).digest
    for other in (
        checked({"probabilities": PROBABILITIES, "targets": TARGETS}),
        checked({"logits": PROBABILITIES, "targets": np.roll(TARGETS, 1)}),
        checked({"logits": np.nextafter(PROBABILITIES, 2), "targets": TARGETS}),
    ):
        assert pack(other).digest != pack(one).digest


def test_a_fingerprint_is_of_the_targets_and_not_of_how_they_were_sent() -> None:
    def printed(targets: Array) -> str:
        return fingerprint(checked({"probabilities": PROBABILITIES, "targets": targets}))

    assert printed(TARGETS) == printed(TARGETS.astype(">i2")) == printed(TARGETS.astype("u8"))
    assert printed(TARGETS) != printed(np.roll(TARGETS, 1))
    values = RNG.normal(size=9)
    one, other = (checked({"values": values, "targets": values.astype(dtype)}) for dtype in ("f8", "f4"))
    assert fingerprint(one) == fingerprint(other)
    whole = checked({"values": np.zeros(2), "targets": np.array([0, 1])})
    classes = checked({"logits": np.zeros((2, 2)), "targets": np.array([0, 1])})
    assert fingerprint(whole) != fingerprint(classes)
