"""Checks as OpenMetrics text, for GitLab's metrics report and anything that scrapes files.

GitLab compares a merge request's values with its target's as strings, under the whole name with its labels: so the
label `run` is what the run is called in every pipeline, and levels are rounded to what their noise lets one tell apart.
"""

import math
from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from app.checks.check import OUTCOMES, Check
from app.checks.level import Level
from app.reports import words
from app.reports.issues import with_identities
from app.rules.verdict import Finding, Skipped


def render(checks: Sequence[Check]) -> str:
    """Gauges by run, rule, curve and baseline, ending in `# EOF`."""
    registry = CollectorRegistry()
    registry.register(_Checks(checks))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


class _Checks(Collector):
    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def collect(self) -> list[Metric]:
        outcome = GaugeMetricFamily("curvewise_check", "0: pass, 1: investigate, 2: fail.", labels=["run"])
        finding = GaugeMetricFamily(
            "curvewise_finding", "1: the rule found its pathology, 0: it did not.", labels=["run", "rule"]
        )
        level = GaugeMetricFamily(
            "curvewise_best_level", "Best level within noise, in the metric's own unit.", labels=["run", "curve"]
        )
        difference = GaugeMetricFamily(
            "curvewise_worse_by", "How much worse than a baseline, in noise units.", labels=["run", "baseline"]
        )
        for check, identity in with_identities(self._checks):
            run = _label(identity)
            outcome.add_metric([run], OUTCOMES.index(check.outcome))
            for verdict in sorted(check.diagnosis.verdicts, key=lambda verdict: verdict.code):
                if not isinstance(verdict, Skipped):
                    finding.add_metric([run, verdict.rule], float(isinstance(verdict, Finding)))
            for name, each in check.levels.items():
                level.add_metric([run, name], rounded(each))
            for comparison in check.comparisons:
                if comparison.difference is not None:
                    difference.add_metric([run, _label(comparison.ref)], round(comparison.difference, 1) + 0.0)
        return [outcome, finding, level, difference]


def rounded(level: Level) -> float:
    """The level to the digit at which its error stands, at most four digits: 0.3421 with an error of 0.02 is 0.34."""
    if level.value == 0:
        return 0.0
    least = 10.0 ** (math.floor(math.log10(abs(level.value))) - 3)
    digit = math.floor(math.log10(max(level.error, least)))
    return float(f"{round(level.value, -digit):.6g}")


def _label(text: str) -> str:
    # GitLab takes everything behind a number sign for a comment, within quotes as well.
    return words.plain(text).replace("#", "\N{FULLWIDTH NUMBER SIGN}")
