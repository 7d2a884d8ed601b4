"""Every hot table is keyed by the run, and so is every statement that touches one: so the schema shards by run.

The whole service is used once, on each database, and every statement that it sends is parsed. Each call in
app/storage that sends one must have been seen, so a new one cannot hide from this.
"""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import sqlglot
from sqlalchemy import UniqueConstraint, inspect, update

from app import archive, listing, predictions
from app.curves.points import Points
from app.ensembles.predictions import checked
from app.listing import RunFilter, ShownState, SortBy
from app.monitor.worker import Monitor
from app.nouns import RunUpdate
from app.searches import SearchUpdate
from app.service import Service, make_service
from app.settings import Settings
from app.storage import audit, changes, deliveries, events, fired, latest, migrate, moving, tallies, webhooks
from app.storage import runs as runs_of
from app.storage.database import Database, make_engine
from app.storage.histories import History
from app.storage.tables import deliveries as table_of_deliveries
from app.storage.tables import metadata, runs
from app.tracking import Tracking
from app.upkeep import Upkeep
from app.webhooks.courier import Courier, Manners
from app.webhooks.subscriptions import Webhooks
from tests.storage.statements import HOT, NOT_ROWS, SMALL, calls, listening, unkeyed

# What looks for work, or counts, over all runs. None of these touches a hot table.
SPANNING = {
    "runs.ids_after": "the sweep walks all runs, a page at a time in the order of their ids",
    "deletion.erase_some": "what was deleted is found by having no project, or one without a name",
    "runs.list_projects": "each project of a page is shown with how many runs it has",
    "mlflow.find_run": "MLflow's clients name a run by an id of theirs alone; where it is, is remembered",
}


@pytest.mark.parametrize(
    ("sql", "lacking"),
    [
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id = ?", set()),
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id IN (?, ?) AND chunks.curve = ?", set()),
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id IN (SELECT 1 FROM (SELECT 1) WHERE 1!=1)", set()),
        ("SELECT chunks.block FROM chunks WHERE chunks.curve = ?", {"chunks"}),
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id > ?", {"chunks"}),
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id = ? OR chunks.curve = ?", {"chunks"}),
        ("SELECT chunks.block FROM chunks WHERE NOT (chunks.run_id = ?)", {"chunks"}),
        ("SELECT chunks.block FROM chunks WHERE chunks.run_id IN (SELECT runs.id FROM runs)", {"chunks", "runs"}),
        ("SELECT 1 FROM chunks JOIN bins ON bins.run_id = chunks.run_id WHERE bins.run_id = ?", set()),
        ("SELECT 1 FROM chunks JOIN bins ON bins.curve = chunks.curve WHERE bins.run_id = ?", {"chunks"}),
        ("SELECT 1 FROM chunks LEFT JOIN bins ON bins.run_id = chunks.run_id WHERE chunks.run_id = ?", set()),
        ("SELECT 1 FROM chunks LEFT JOIN bins ON bins.run_id = ? AND chunks.run_id = ?", {"chunks"}),
        ("SELECT 1 FROM chunks JOIN bins ON bins.run_id = chunks.run_id", {"chunks", "bins"}),
        ("SELECT 1 FROM runs WHERE runs.id = ? AND EXISTS (SELECT 1 FROM chunks WHERE chunks.curve = 1)", {"chunks"}),
        ("SELECT 1 FROM runs WHERE runs.id = ? AND EXISTS (SELECT 1 FROM chunks WHERE chunks.run_id = runs.id)", set()),
        ("SELECT 1 FROM chunks, runs WHERE chunks.run_id = runs.id", {"chunks", "runs"}),
        ("DELETE FROM diagnoses WHERE diagnoses.proposed AND diagnoses.run_id IN (?)", set()),
        ("DELETE FROM diagnoses WHERE diagnoses.proposed", {"diagnoses"}),
        ("UPDATE curves SET settled = ? WHERE curves.curve = ?", {"curves"}),
        ("WITH x AS (SELECT id FROM runs WHERE runs.id = 1) UPDATE runs SET a = 1 FROM x WHERE runs.a = x.i", {"runs"}),
        ("WITH x AS (SELECT id FROM runs WHERE runs.id = 1) UPDATE runs SET a = 1 FROM x WHERE runs.id = x.id", set()),
        ("WITH x AS (SELECT runs.id FROM runs) UPDATE runs SET a = 1 FROM x WHERE runs.id = x.id", {"runs"}),
        ("INSERT INTO chunks (run_id, curve) VALUES (?, ?)", set()),
        ("INSERT INTO chunks (curve) VALUES (?)", {"chunks"}),
    ],
)  # fmt: skip
def test_the_check_sees_where_the_run_is_missing(sql: str, lacking: set[str]) -> None:
    assert unkeyed(sqlglot.parse_one(sql, dialect="sqlite")) == lacking


def test_every_hot_table_is_keyed_by_the_run_first(database: Database) -> None:
    assert {"chunks", "bins", "curves", "attempts", "diagnoses"} <= HOT
    there = inspect(database.engine)
    for name in HOT:
        assert there.get_pk_constraint(name)["constrained_columns"][0] == "run_id"
        # One shard can vouch only for what is unique within a run, and refer only to the run.
        assert all("run_id" in one["column_names"] for one in there.get_unique_constraints(name))
        assert {tuple(one["constrained_columns"]) for one in there.get_foreign_keys(name)} == {("run_id",)}
        assert all("run_id" in c.columns for c in metadata.tables[name].constraints if isinstance(c, UniqueConstraint))


def test_the_guide_places_every_table() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    placed = re.findall(r"^SELECT create_(\w+)_table\('(\w+)'(?:, '(\w+)')?", guide, re.MULTILINE)
    assert sorted(placed) == sorted(
        [("reference", name, "") for name in SMALL] + [("distributed", name, "run_id") for name in HOT]
    )


def test_every_statement_on_a_hot_table_says_of_which_run(postgres_url: str, tmp_path: Path) -> None:
    with listening() as sent:
        for url in (f"sqlite:///{tmp_path}/curvewise.db", postgres_url):
            use_everything(url, f"sqlite:///{tmp_path}/beside-{url[:6]}.db")
    rows = [one for one in sent if one.module not in NOT_ROWS]
    spanning = set()
    for one in rows:
        dialect = "postgres" if one.dialect == "postgresql" else "sqlite"
        lacking = unkeyed(sqlglot.parse_one(one.sql, dialect=dialect))
        origin = f"{one.module}.{one.function}"
        if lacking == {"runs"} and origin in SPANNING:
            spanning.add(origin)
        else:
            assert not lacking, f"{origin} asks {lacking} of no run in particular:\n{one.sql}"
    assert spanning == SPANNING.keys()
    assert {(one.module, one.function) for one in rows if one.module == "?"} == set()
    unseen = [
        f"{module}.py:{first}"
        for module, first, last in calls()
        if not any(one.module == module and first <= one.line <= last for one in rows)
    ]
    assert unseen == []


def use_everything(url: str, beside: str) -> None:
    """Every verb of the service, the background and the archive, over runs that need all of each."""
    database, elsewhere = Database(make_engine(url)), Database(make_engine(beside))
    for one in (database, elsewhere):
        migrate.upgrade(one.engine)
    asyncio.run(serve(url))
    found = archive.batches(database, "p")
    for names in found:
        assert archive.propose(url, "p", names)
        archive.compare(database, "p", names, archive.Changes())
        archive.accept(database, "p", names)
    with database.writing() as connection:
        aged = update(runs).values(updated_at=datetime.now(UTC) - timedelta(days=9))
        connection.execution_options(by_test=True).execute(aged)
    sweep(database)
    with database.reading() as connection:
        for name in moving.project_names(connection):
            moving.copy_project(connection, elsewhere, name, name)
        with pytest.raises(KeyboardInterrupt):
            moving.copy_project(connection, elsewhere, "p", "never", interrupt)
    with elsewhere.reading() as connection:
        moving.copy_project(connection, database, "p", "again")
    asyncio.run(write_late_and_delete(url))
    sweep(database)
    for one in (database, elsewhere):
        one.close()


def interrupt(_done: int, _of: int) -> None:
    raise KeyboardInterrupt


async def serve(url: str) -> None:
    service = make_service(Settings(database_url=url))
    await service.start()
    try:
        service.configure_project("p", roll_up_after_days=1, params={})
        for name in ("long", "r"):
            service.open_run("p", name, RunUpdate(num_classes=10))
        for first in (0, 70_000, 69_990):  # the last one is late
            await service.record("p", "long", curves(first, 70_000 if not first else 10), None)
        await service.record("p", "r", curves(0, 10), None)
        await service.record("p", "r", curves(5, 10), 2)
        service.open_run("p", "r", RunUpdate(tags={"a": "b"}))
        service.close_run("p", "r", "finished")
        for _ in range(2):
            service.diagnose_project("p", limit=10, after=None, state="finished")
        for at_step in (None, 7.0):
            service.diagnose("p", "long", at_step=at_step)
        for most in (None, 100):
            service.read_curves("p", "long", max_points=most)
        assert sum(len(piece) for piece in service.stream_curves("p", "long")) > 70_000
        service.diagnosis_version("p", "r")
        await track(Tracking(service))
        assert len(service.read_curves("p", "tracked")["no_steps"]) == 3
        service.list_projects(limit=10, after="a")
        service.list_runs("p", limit=10, after="a")
        for run in ("r", "begun", "begun"):
            service.take_attempt("p", run, "token")
        service.get_runs("p", ["r"])
        look(service.database)
        tell(service.database)
        service.get_project("p")
        search(service)
        service.get_run("p", "r")
        service.list_projects(limit=10, after=None, names=["p"])
        predict(service.database)
        service.configure_project("shown", public_status=True)
        assert service.public_projects() == {"shown"}
        let_in(service)
    finally:
        await service.close()


def search(service: Service) -> None:
    """For the best rate, over the project's runs, under two names of which one goes."""
    for name, seed in (("kept", 0), ("kept", 1), ("gone", 0)):
        space = {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1}}
        service.searches.put("p", name, SearchUpdate(space=space, seed=seed))
        service.open_run("p", "r", RunUpdate(search=name, search_step=4))
    service.open_run("p", "long", RunUpdate(search="kept"))
    assert service.get_run("p", "long").search == "kept"
    assert len(service.searches.assess("p", "kept")[1].steps) == 7
    service.searches.remove("p", "gone")
    assert service.get_run("p", "r").search is None
    assert [one.runs for one in service.searches.listed("p", limit=9, after="a")] == [1]
    service.searches.get("p", "kept")


def predict(database: Database) -> None:
    """What checkpoints of two runs predict; of one of them the predictions are told again, and go."""
    for run, step, level in (("r", 1.0, 0.0), ("r", 1.0, 1.0), ("r", 2.0, 0.5), ("long", 3.0, 0.2)):
        found = checked({"values": np.full(30, level), "targets": np.zeros(30)})
        predictions.post(database, "p", run, step, found, most=9)
    assert len(predictions.of_snapshots(database, "p", "r", [1.0, 2.0]).members) == 2
    assert len(predictions.of_runs(database, "p", ["r", "long"]).members) == 2
    predictions.checkpoints(database, "p", "r", metric="train/loss")
    predictions.remove(database, "p", "r", 2.0)
    assert [one.step for one in predictions.listed(database, "p", "r")] == [1.0]


def let_in(service: Service) -> None:
    """Whoever has a token, until it is revoked; and read who did what."""
    token, made = service.tokens.create("read", ["p"])
    if access := service.tokens.access(token):
        service.tokens.note_use(access)
    service.tokens.listed()
    service.tokens.revoke(made.id)
    with service.database.reading() as connection:
        assert audit.latest(connection, limit=10)[0].did == "revoke_token"
        assert audit.latest(connection, limit=10, project="shown")[0].did == "configure_project"


def look(database: Database) -> None:
    """At what the monitor knows, in every order that tables are sorted by and through every filter."""
    Monitor(database, hold_s=0).sweep(datetime.now(UTC))
    for sort in get_args(SortBy):
        for state in get_args(ShownState):
            wanted = RunFilter(sort=sort, state=state, findings=["CW005"], severity="info", tags=[("a", "b")], text="r")
            listing.find_runs(database, "p", wanted)
    first = listing.find_runs(database, "p", RunFilter(sort="severity", limit=1))
    assert listing.find_runs(database, "p", RunFilter(sort="severity", after=first.next)).rows
    with database.reading() as connection:
        run_id = runs_of.ids_after(connection, 0, 1)[0]
        events.of_run(connection, run_id)
        assert changes.seen(connection, [run_id])[run_id].turn > 0
        assert changes.stretches(connection, run_id, 0)
    listing.standing_of(database, "p", "r")


def tell(database: Database) -> None:
    """Everybody who is to be told: webhooks, of which one's receiver wants no more, and what counts for dashboards."""
    verbs = Webhooks(database, Manners(allow_private=True))
    hooks = [verbs.subscribe("p", "http://127.0.0.1:9/", ["run_finished"], "standard") for _ in range(2)]
    first = hooks[0].id
    with database.writing() as connection:
        run_id = runs_of.ids_after(connection, 0, 1)[0]
        happened = events.Event(kind="run_finished", created_at=datetime.now(UTC), payload={})
        events.append(connection, run_id, 1000, [happened])
    courier = Courier(database, verbs.manners)
    assert courier.address_events()
    verbs.replay("p", first, verbs.ping("p", first).id)
    lease = timedelta(minutes=1)
    with database.writing() as connection:
        assert deliveries.any_due(connection, datetime.now(UTC))
        claimed = deliveries.claim(connection, datetime.now(UTC), lease, most=1, without=[hooks[1].id])
    courier.attempt(claimed[0])
    with database.writing() as connection:
        webhooks.disable(connection, first, datetime.now(UTC))
        webhooks.enable(connection, first)
        aged = update(table_of_deliveries).values(created_at=datetime.now(UTC) - timedelta(days=99))
        connection.execution_options(by_test=True).execute(aged)
    assert verbs.sent("p", first, limit=9, state="dead")
    courier.tidy()
    verbs.listed("p")
    verbs.remove("p", first)
    with database.reading() as connection:
        tallies.tally(connection, 1)
        home = runs_of.find_project(connection, "p")
        assert home
        latest.latest_runs(connection, home.id)
        fired.fired(connection, home.id, limit=10, codes=["CW005"], severities=["error"], since=datetime.now(UTC))


async def track(tracking: Tracking) -> None:
    """Every verb for MLflow's clients, over a run of theirs in the same project."""
    home = tracking.experiments.get_by_name("p").id
    tracking.experiments.create("p", None, {})
    tracking.experiments.tag(home, "a", "b")
    tracking.experiments.listed()
    run = tracking.runs.open(home, "tracked", "user", 0, {"curvewise.num_classes": "10"})
    for step in (3, 2):  # the latest value is not of the latest step, so the whole history is looked at
        said = History(np.ones(2), np.array([1.0, 2.0]) + step, np.full(2, float(step)))
        await tracking.runs.record(run.facts.id, {"loss": said, "no_steps": replace(said, steps=np.zeros(2))})
    tracking.runs.describe(run.facts.id, {"lr": "0.1"}, {"a": "b"})
    tracking.runs.update(run.facts.id, "FINISHED", 9, None)
    tracking.runs.keep_asset(run.facts.id, "input", "data", {})
    found = tracking.runs.load(tracking.runs.candidates([home]))
    assert [one.run.name for one in found] == ["tracked"]
    assert tracking.runs.latest(found)[found[0].run.id]["loss"].step == 3
    tracking.runs.assets(found, "input")
    assert len(tracking.runs.history(run.facts.id, "loss")) == 4


def curves(first: int, count: int) -> list[Points]:
    steps = np.arange(first, first + count, dtype=float)
    return [Points(name, steps, np.exp(-steps / 1e4)) for name in ("train/loss", "val/loss")]


def sweep(database: Database) -> None:
    worker = Upkeep(database)
    worker.sweep()
    monitor = Monitor(database, hold_s=0)
    monitor.sweep(datetime.now(UTC))
    worker.erase()
    worker.keep_diagnoses()
    database.shrink()


async def write_late_and_delete(url: str) -> None:
    service = make_service(Settings(database_url=url))
    await service.start()
    try:
        await service.record("again", "r", curves(6, 1), 2)  # among what is settled
        service.delete_run("again", "long")
        service.delete_project("p")
    finally:
        await service.close()
