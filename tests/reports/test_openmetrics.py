"""OpenMetrics, read back by Prometheus' own parser and as GitLab reads it."""

import re
import shlex
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.checks.level import Level
from app.reports import openmetrics, words
from app.reports.openmetrics import rounded
from tests.checked import checked, each_outcome, hostile
from tests.hostile import TEXTS


def read(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {(s.labels.pop("run"), *s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(text)
    }


def as_gitlab(text: str) -> dict[str, str]:
    """Comments off, then words as a shell would see them: the name with its labels, and the value as text."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if words_ := shlex.split(re.sub("#.*$", "", line)):
            assert words_[0] not in found
            found[words_[0]] = words_[1]
    return found


def test_gauges_by_run_rule_curve_and_baseline() -> None:
    found = read(openmetrics.render(each_outcome()))
    assert found["curvewise_check"][("mnist/mlp-warmup-linear",)] == 0
    assert found["curvewise_check"][("mnist/mlp-cosine",)] == 1
    assert found["curvewise_check"][("mnist/mlp-rate-3.0",)] == 2
    assert found["curvewise_finding"][("mnist/mlp-300-samples", "overfitting")] == 1
    assert found["curvewise_finding"][("mnist/mlp-cosine", "overfitting")] == 0
    assert ("mnist/mlp-rate-3.0", "overfitting") not in found["curvewise_finding"], "it was not judged"
    assert found["curvewise_best_level"][("mnist/mlp-cosine", "val/loss")] == pytest.approx(0.1449, rel=0.01)
    assert found["curvewise_worse_by"][("mnist/mlp-warmup-linear", "release")] == 0
    assert found["curvewise_worse_by"][("mnist/mlp-300-samples ~2", "main")] > 100


def test_gitlab_sees_the_same_names_for_another_run_of_the_job() -> None:
    before = replace(checked("mlp-cosine"), identity="mnist/job")
    after = replace(before, name="mnist/another")
    assert as_gitlab(openmetrics.render([before])) == as_gitlab(openmetrics.render([after]))


def test_texts_of_strangers_stay_labels() -> None:
    text = openmetrics.render(hostile())
    assert text.endswith("# EOF\n")
    found = read(text)["curvewise_check"]
    shown = {words.plain(each).replace("#", "\N{FULLWIDTH NUMBER SIGN}") for each in TEXTS}
    assert shown == {run for (run,) in found}
    seen = [name for name in as_gitlab(text) if name.startswith("curvewise_check{")]
    assert len(seen) == len(TEXTS)


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.34217, 0.02, 0.34),
        (0.34217, 0.002, 0.342),
        (0.34217, 0.0, 0.3422),
        (34217.0, 200.0, 34200.0),
        (-1.5e-7, 1e-9, -1.5e-7),
        (0.0, 0.1, 0.0),
        (0.03, 5.0, 0.0),
    ],
)
def test_levels_are_rounded_to_their_noise(value: float, error: float, shown: float) -> None:
    level = Level(curve="val/loss", goal="min", value=value, error=error, step=1, points=9)
    assert rounded(level) == pytest.approx(shown, abs=1e-12)
