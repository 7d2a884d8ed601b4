"""What a server measures of itself, as Prometheus reads it.

What is counted as it happens, a process counts for itself. Where several workers share a port, any of them is asked, so
they count in files of one directory (`PROMETHEUS_MULTIPROC_DIR`, which `curvewise serve` makes) and each tells the sum.
What stands in the database is read from there: every worker and every replica says the same.
"""

import os
import threading
import time
from collections import Counter as Tallied
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.errors import CurvewiseError
from app.storage.database import Database
from app.storage.tallies import Tally, tally

SHARED = "PROMETHEUS_MULTIPROC_DIR"
OTHERS = "/others"  # no project can have this name

_INGEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DIAGNOSIS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_RUN_STATES = ("running", "stalled", "finished", "failed")
_DELIVERY_STATES = ("waiting", "delivered", "dead")
_FRESH_S = 5.0  # several Prometheus, or one that is impatient, do not make the database count again


class Meters:
    """One an app, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._accepted = Counter("curvewise_points_accepted", "Points on disk.", registry=self.registry)
        self._refused = Counter("curvewise_points_refused", "Points refused, by why.", ["code"], registry=self.registry)
        self._queue = Gauge(
            "curvewise_queue_points",
            "Points that wait to be written, as of the last commit.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._ingest = Histogram(
            "curvewise_ingest_seconds",
            "From a batch's first byte to its answer, by HTTP status; the points are on disk then.",
            ["status"],
            registry=self.registry,
            buckets=_INGEST_S,
        )
        self._diagnosis = Histogram(
            "curvewise_diagnosis_seconds",
            "How long a diagnosis took to be answered: of a run, of a page of a project's runs, of curves in the body.",
            ["of"],
            registry=self.registry,
            buckets=_DIAGNOSIS_S,
        )
        # Looking up a child by its label takes as long as counting does.
        self._ingest_ok = self._ingest.labels("200")

    def settled(self, taken: int, queued: int) -> None:
        """A group of batches was written: so many points are on disk, and so many wait."""
        self._accepted.inc(taken)
        self._queue.set(queued)

    def ingested(self, seconds: float, status: int) -> None:
        """A batch of points was answered."""
        (self._ingest_ok if status == 200 else self._ingest.labels(str(status))).observe(seconds)

    def diagnosed(self, seconds: float, of: str) -> None:
        """A diagnosis was answered. of: `run`, `project`, `body`."""
        self._diagnosis.labels(of).observe(seconds)

    def refused(self, codes: Iterable[str]) -> None:
        """These points were refused, one code each."""
        for code, count in Tallied(codes).items():
            self._refused.labels(code).inc(count)

    def exposition(
        self, accept: str, standing: "Standing", projects: Collection[str] | None = None
    ) -> tuple[bytes, str]:
        """Everything, and its media type: OpenMetrics where it is asked for, else Prometheus' text.

        projects: only of these; then nothing of the server as a whole, which would tell of the others.
        """
        registry = CollectorRegistry()
        registry.register(standing if projects is None else standing.of(projects))
        if projects is None:
            self._add_own(registry)
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def _add_own(self, registry: CollectorRegistry) -> None:
        if shared := os.environ.get(SHARED):
            _bury(shared)
            MultiProcessCollector(registry, path=shared)  # type: ignore[no-untyped-call]
        else:
            registry.register(self.registry)


def _bury(shared: str) -> None:
    """What gauges of workers that have died said counts no more; their counters do."""
    for file in Path(shared).glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(pid, shared)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # alive, and somebody else's


class Standing(Collector):
    """What stands in the database, counted when it is asked for."""

    def __init__(self, database: Database, own_lines: int) -> None:
        self._database = database
        self._own_lines = own_lines
        self._lock = threading.Lock()
        self._counted: tuple[float, Tally | None] = (float("-inf"), None)

    def collect(self) -> Iterator[Metric]:
        """As Prometheus' library asks for it."""
        build = GaugeMetricFamily("curvewise_build_info", "Always 1; the version is the label.", labels=["version"])
        build.add_metric([version("curvewise")], 1)
        yield build
        found = self.tally()
        yield GaugeMetricFamily(
            "curvewise_database_up", "Whether the database answers.", value=float(found is not None)
        )
        if found is not None:
            yield from _families(found)
            yield _deliveries(found)

    def of(self, projects: Collection[str]) -> "StandingOf":
        """The same of these projects alone."""
        return StandingOf(self, projects)

    def tally(self) -> Tally | None:
        """As of a few seconds ago at most; None when the database does not answer."""
        with self._lock:
            counted_at, found = self._counted
            if time.monotonic() - counted_at >= _FRESH_S:
                try:
                    with self._database.reading() as connection:
                        found = tally(connection, self._own_lines)
                except CurvewiseError:
                    found = None
                self._counted = (time.monotonic(), found)
            return found


class StandingOf(Collector):
    """What stands in some projects, for whoever may see these; not in those that share a line with others."""

    def __init__(self, standing: Standing, projects: Collection[str]) -> None:
        self._standing = standing
        self._projects = projects

    def collect(self) -> Iterator[Metric]:
        """As Prometheus' library asks for it."""
        if (found := self._standing.tally()) is not None:
            mine = {project for project, _ in found.runs} & set(self._projects)
            runs = Tallied({key: count for key, count in found.runs.items() if key[0] in mine})
            shown = Tallied({key: count for key, count in found.findings.items() if key[0] in mine})
            yield from _families(Tally(len(mine), runs, shown, Tallied()))


def _families(found: Tally) -> Iterator[Metric]:
    yield GaugeMetricFamily("curvewise_projects", "Projects.", value=found.projects)
    labels = ["project", "state"]
    stand = GaugeMetricFamily("curvewise_runs", "Runs, by their state; stalled ones are not running.", labels=labels)
    for project in dict.fromkeys(project for project, _ in found.runs):
        for state in _RUN_STATES:
            stand.add_metric([_label(project), state], found.runs[project, state])
    yield stand
    labels = ["project", "rule", "severity", "state"]
    shown = GaugeMetricFamily("curvewise_findings", "Findings that have fired, by their runs' state.", labels=labels)
    for (project, rule, severity, state), count in sorted(found.findings.items(), key=str):
        shown.add_metric([_label(project), rule, severity, state], count)
    yield shown


def _deliveries(found: Tally) -> Metric:
    sent = GaugeMetricFamily(
        "curvewise_webhook_deliveries", "Messages of the last 30 days, by state.", labels=["state"]
    )
    for state in _DELIVERY_STATES:
        sent.add_metric([state], found.deliveries[state])
    return sent


def _label(project: str | None) -> str:
    return OTHERS if project is None else project
