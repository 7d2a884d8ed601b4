"""The benchmark of gains holds what is said against what was found."""

import numpy as np
import pytest

from ensembles import Compared, run


def test_one_repetition_compares_every_gain() -> None:
    found = run(1)
    keys = {(one.ensemble, one.metric, one.over) for one in found}
    assert len(keys) == len(found) == 8
    for one in found:
        assert one.low <= one.said <= one.high
        assert np.isfinite(one.found)
        assert 0 <= one.found_error < 0.05
    independent = {(one.metric, one.over): one for one in found if "independent" in one.ensemble}
    assert independent["log_loss", "average_member"].low > 0
    assert independent["log_loss", "average_member"].found > 0


@pytest.mark.parametrize(("found", "held"), [(0.1, True), (0.14, True), (0.2, False), (-0.1, False)])
def test_an_interval_holds_what_lies_in_it(found: float, held: bool) -> None:
    assert Compared("e", "log_loss", "best_member", 0.1, 0.05, 0.15, found, 0.001).held is held
