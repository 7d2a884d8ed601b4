"""What Prometheus reads, by its own parser: true numbers, bounded labels, the same from every worker."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

import metering
from app.meters import OTHERS, SHARED, Meters, Standing
from app.settings import Settings
from app.storage import deletion, runs
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.storage.tallies import tally
from tests.api.conftest import serving
from tests.api.standing import stand
from tests.server_process import free_port, wait_until_ready

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(families: Iterator[Metric]) -> Samples:
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def scrape(client: httpx.Client) -> Samples:
    reply = client.get("/metrics").raise_for_status()
    assert reply.headers["Content-Type"].startswith("text/plain")
    return samples(prometheus_text(reply.text))


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of a server of its own, which counts anew for each scrape."""
    monkeypatch.setattr("app.meters._FRESH_S", 0.0)
    with serving(Settings(database_url=f"sqlite:///{tmp_path}/m.db")) as opened:
        yield opened


def test_points_batches_and_diagnoses_are_counted_as_they_happen(fresh: httpx.Client) -> None:
    run = "/api/v1/projects/p/runs/r"
    fresh.put(run).raise_for_status()
    for _ in range(3):
        fresh.post(f"{run}/points", json={"curves": {"loss": {"steps": [1, -2, 3], "values": [1, 2, 3]}}})
    fresh.post(f"{run}/points", content='{"step": 7, "loss": 1}', headers={"Content-Type": "application/x-ndjson"})
    fresh.post("/api/v1/projects/p/runs/r/points?attempt=1", json={"points": [{"step": 8, "loss": 1}]})  # the long way
    assert fresh.post(f"{run}/points", content="{").status_code == 400
    assert fresh.post("/api/v1/projects/p/runs/none/points", json={"points": [{"step": 8, "l": 1}]}).status_code == 404
    fresh.get(f"{run}/diagnosis").raise_for_status()
    fresh.get("/api/v1/projects/p/diagnoses").raise_for_status()
    fresh.post("/api/v1/diagnose", json={"curves": {}}).raise_for_status()
    assert fresh.get("/api/v1/projects/p/runs/none/diagnosis").status_code == 404
    found = scrape(fresh)
    assert value(found, "curvewise_points_accepted_total") == 8
    assert value(found, "curvewise_points_refused_total", code="step_negative") == 3
    assert value(found, "curvewise_queue_points") == 0
    counted = {
        status: value(found, "curvewise_ingest_seconds_count", status=status) for status in ("200", "400", "404")
    }
    assert counted == {"200": 5, "400": 1, "404": 1}
    assert 0 < value(found, "curvewise_ingest_seconds_sum", status="200") < 60
    assert value(found, "curvewise_ingest_seconds_bucket", status="200", le="+Inf") == 5
    for of in ("run", "project", "body"):
        assert value(found, "curvewise_diagnosis_seconds_count", of=of) == 1


def test_what_mlflows_clients_log_is_counted_as_well(fresh: httpx.Client) -> None:
    base = "/mlflow/api/2.0/mlflow"
    made = fresh.post(f"{base}/experiments/create", json={"name": "e"}).raise_for_status().json()
    said = {"experiment_id": made["experiment_id"], "start_time": 1, "run_name": "m"}
    run = fresh.post(f"{base}/runs/create", json=said).raise_for_status().json()["run"]["info"]["run_id"]
    metrics = [{"key": "loss", "value": 1.0, "timestamp": 1, "step": step} for step in range(4)]
    fresh.post(f"{base}/runs/log-batch", json={"run_id": run, "metrics": metrics}).raise_for_status()
    found = scrape(fresh)
    assert value(found, "curvewise_points_accepted_total") >= 4
    assert value(found, "curvewise_ingest_seconds_count", status="200") == 1


def test_the_form_is_openmetrics_where_that_is_asked_for(fresh: httpx.Client) -> None:
    reply = fresh.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}).raise_for_status()
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert value(samples(open_metrics(reply.text)), "curvewise_database_up") == 1


def test_findings_and_runs_are_counted_by_project_and_alike_for_every_replica(database: Database) -> None:
    stand(
        database, "a", "r1", "running", ("overfitting", "warning", True), ("exploding", "error", False), stalled=False
    )
    stand(database, "a", "r2", "running", ("overfitting", "warning", True), stalled=True)
    stand(database, "a", "r3", "finished", ("overfitting", "error", True), stalled=False)
    stand(database, "a", "r4", "failed", stalled=True)  # it was closed since it was looked at
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "a")
        runs.lock_run(connection, home.id, "new")  # nobody has looked at it yet
    text = [Meters().exposition("", Standing(database, 10))[0].decode() for _ in range(2)]
    found = [samples(prometheus_text(one)) for one in text]
    shown = [
        {key: one for key, one in part.items() if key[0] in {"curvewise_runs", "curvewise_findings"}} for part in found
    ]
    assert shown[0] == shown[1]
    states = ("running", "stalled", "finished", "failed")
    assert [value(found[0], "curvewise_runs", project="a", state=state) for state in states] == [2, 1, 1, 1]
    fired = {key: one for key, one in found[0].items() if key[0] == "curvewise_findings"}
    assert sum(fired.values()) == 3
    overfitting = {"project": "a", "rule": "overfitting"}
    assert value(found[0], "curvewise_findings", **overfitting, severity="warning", state="running") == 1
    assert value(found[0], "curvewise_findings", **overfitting, severity="warning", state="stalled") == 1
    assert value(found[0], "curvewise_findings", **overfitting, severity="error", state="finished") == 1


def test_only_so_many_projects_have_lines_of_their_own(database: Database) -> None:
    for number in range(6):
        stand(database, f"p{number}", "r", "running", ("overfitting", "info", True), stalled=False)
    text = Meters().exposition("", Standing(database, 2))[0].decode()
    found = samples(prometheus_text(text))
    assert value(found, "curvewise_projects") == 6
    named = {dict(labels)["project"] for name, labels in found if name in {"curvewise_runs", "curvewise_findings"}}
    assert named == {"p0", "p1", OTHERS}
    assert value(found, "curvewise_runs", project=OTHERS, state="running") == 4
    assert value(found, "curvewise_findings", project=OTHERS, rule="overfitting", severity="info", state="running") == 4
    assert "/" in OTHERS  # which no project's name can hold


def test_a_deleted_project_is_counted_no_more(database: Database) -> None:
    stand(database, "gone", "r", "running", ("overfitting", "info", True), stalled=False)
    with database.writing() as connection:
        home = runs.find_project(connection, "gone")
        assert home
        deletion.mark_project(connection, home.id)
    with database.reading() as connection:
        counted = tally(connection, 10)
    assert (counted.projects, counted.runs.total(), counted.findings.total()) == (0, 0, 0)


def test_names_are_escaped_as_prometheus_reads_them(fresh: httpx.Client) -> None:
    name = 'a"b\\c{}\u00e9,='
    fresh.put(f"/api/v1/projects/{name.replace('{', '%7B').replace('}', '%7D')}/runs/r").raise_for_status()
    assert value(scrape(fresh), "curvewise_runs", project=name, state="running") == 1


def test_a_scrape_is_answered_while_the_database_is_not(tmp_path: Path) -> None:
    away = Database(make_engine(f"sqlite:///{tmp_path}/no/such/folder/m.db"))
    meters = Meters()
    meters.settled(5, 0)
    found = samples(prometheus_text(meters.exposition("", Standing(away, 10))[0].decode()))
    away.close()
    assert value(found, "curvewise_database_up") == 0
    assert value(found, "curvewise_points_accepted_total") == 5
    assert not any(name == "curvewise_runs" for name, _ in found)


@pytest.mark.parametrize("shared", [False, True])
def test_what_counting_costs_is_measured_in_a_process_of_its_own(shared: bool) -> None:
    assert 0.1 < metering.calls_cost_us(shared=shared) < 1000


def test_two_apps_in_one_process_count_for_themselves() -> None:
    one, other = Meters(), Meters()
    one.settled(3, 0)
    assert one.registry.get_sample_value("curvewise_points_accepted_total") == 3
    assert other.registry.get_sample_value("curvewise_points_accepted_total") == 0


def counted(directory: Path) -> list[float]:
    """The points that each worker has counted, from the files that they count in."""
    files = directory.glob("curvewise-metrics-*/counter_*.db")
    merged = [MultiProcessCollector.merge([str(file)]) for file in files]
    points = [one.value for found in merged for family in found for one in family.samples if "points_acc" in one.name]
    return [one for one in points if one]


def test_whichever_worker_is_asked_tells_what_all_of_them_counted(tmp_path: Path) -> None:
    port, url = free_port(), f"sqlite:///{tmp_path}/m.db"
    command = [sys.executable, "-m", "app.cli.main", "serve", "--port", str(port), "--workers", "2"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    server = subprocess.Popen([*command, "--database-url", url], stdout=subprocess.DEVNULL, env=environ)
    base, run = f"http://127.0.0.1:{port}", f"/api/v1/projects/{uuid4().hex}/runs/r"
    try:
        with httpx.Client(base_url=base, timeout=30) as client:
            wait_until_ready(client)
            client.put(run).raise_for_status()
        sent = 0
        while len(counted(tmp_path)) < 2:
            assert sent < 500, "one worker gets everything"
            # On a connection of its own, so that both get some.
            httpx.post(f"{base}{run}/points", json={"points": [{"step": sent, "loss": 1.0}]}).raise_for_status()
            sent += 1
        for _ in range(8):
            with httpx.Client(base_url=base, timeout=30) as client:
                found = scrape(client)
            assert value(found, "curvewise_points_accepted_total") == sent
            assert value(found, "curvewise_ingest_seconds_count", status="200") == sent
            assert value(found, "curvewise_runs", project=run.split("/")[4], state="running") == 1
            assert value(found, "curvewise_queue_points") == 0
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert not list(tmp_path.glob("curvewise-metrics-*"))


def test_what_a_dead_worker_had_queued_counts_no_more_and_what_it_counted_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv(SHARED, str(shared))
    said = "from app.meters import Meters; Meters().settled(7, 5)"
    subprocess.run([sys.executable, "-c", said], check=True, env=dict(os.environ))
    assert len(list(shared.glob("gauge_live*.db"))) == 1
    with make_database(tmp_path) as database:
        found = samples(prometheus_text(Meters().exposition("", Standing(database, 10))[0].decode()))
    assert value(found, "curvewise_queue_points") == 0
    assert value(found, "curvewise_points_accepted_total") == 7
    assert not list(shared.glob("gauge_live*.db"))


@contextmanager
def make_database(folder: Path) -> Iterator[Database]:
    database = Database(make_engine(f"sqlite:///{folder}/other.db"))
    upgrade(database.engine)
    yield database
    database.close()
