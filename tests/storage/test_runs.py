import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import InvalidInput
from app.rules.context import Context
from app.storage import runs
from app.storage.database import Database
from app.storage.runs import StoredProject, StoredRun

HOSTILE = "NUL \0, half a pair \ud800, a pair \U0001f600, 'quotes', %s and \\u0000"


def opened(database: Database, project: str, run: str) -> tuple[StoredProject, StoredRun]:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, project)
        return home, runs.lock_run(connection, home.id, run)[0]


def test_a_run_is_created_once(database: Database):
    with database.writing() as connection:
        home, created = runs.lock_project(connection, "p")
        assert (created, runs.lock_project(connection, "p")) == (True, (home, False))
        run, created = runs.lock_run(connection, home.id, "r")
        assert (created, runs.lock_run(connection, home.id, "r")) == (True, (run, False))
    assert (run.context, run.config, run.tags, run.commit, run.attempt) == (Context(), {}, {}, None, 1)
    assert abs(datetime.now(UTC) - run.created_at) < timedelta(minutes=1)
    assert run.created_at.utcoffset() == home.created_at.utcoffset() == timedelta(0)


def test_what_a_job_says_comes_back_as_it_was_said(database: Database):
    home, run = opened(database, "p", "r")
    said = replace(
        run,
        context=Context(
            num_classes=10,
            planned_steps=1e300,
            state="failed",
            schedule="cosine \0",
            caveats=(HOSTILE.replace("\ud800", ""),),
        ),
        config={HOSTILE: [HOSTILE, 10**400, -0.0, None, True, {"deep": {}}], "infinite": math.inf},
        tags={HOSTILE: HOSTILE},
        commit="0" * 40,
        attempt=3,
    )
    with database.writing() as connection:
        runs.save_run(connection, said)
        found = runs.find_run(connection, home.id, "r")
    assert found is not None
    assert found == replace(said, revision=run.revision + 1, updated_at=found.updated_at)
    assert found.updated_at >= run.updated_at


def test_nan_in_a_config_comes_back(database: Database):
    home, run = opened(database, "p", "r")
    with database.writing() as connection:
        runs.save_run(connection, replace(run, config={"nan": math.nan}))
        found = runs.find_run(connection, home.id, "r")
    assert found is not None
    assert math.isnan(found.config["nan"])  # type: ignore[arg-type]


def _nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize("config", [{"x": object()}, {"x": b"bytes"}, {("a",): 1}, {"x": 10**5000}, _nested(100_000)])
def test_what_is_not_json_is_refused(database: Database, config: dict[str, object]):
    _, run = opened(database, "p", "r")
    with pytest.raises(InvalidInput, match="JSON"), database.writing() as connection:
        runs.save_run(connection, replace(run, config=config))


def test_runs_of_one_name_in_two_projects_are_two(database: Database):
    one, run_of_one = opened(database, "one", "r")
    two, run_of_two = opened(database, "two", "r")
    assert run_of_one.id != run_of_two.id
    with database.reading() as connection:
        assert (runs.count_runs(connection, one.id), runs.count_runs(connection, two.id)) == (1, 1)
        assert runs.find_run(connection, one.id, "R") is None
        assert runs.find_project(connection, "One") is None


def test_pages_go_on_where_the_last_one_ended(database: Database):
    for name in ("b", "a", "é", "B", "c"):
        home, run = opened(database, "p", name)
        if name in {"a", "c"}:
            with database.writing() as connection:
                runs.save_run(connection, replace(run, context=Context(state="finished")))
        opened(database, f"project {name}", "r")
    with database.reading() as connection:

        def page(after: str | None, state: str | None = None) -> list[str]:
            return [r.name for r in runs.list_runs(connection, home.id, limit=2, after=after, state=state)]  # type: ignore[arg-type]

        assert [page(None), page("a"), page("c"), page("é")] == [["B", "a"], ["b", "c"], ["é"], []]
        assert [page(None, "finished"), page("a", "finished")] == [["a", "c"], ["c"]]
        listed = runs.list_projects(connection, limit=2, after="project B")
        assert [(project.name, count) for project, count in listed] == [("project a", 1), ("project b", 1)]
        assert runs.list_projects(connection, limit=1, after=None)[0][1] == 5


def test_a_project_keeps_its_roles_and_params(database: Database):
    home, _ = opened(database, "p", "r")
    with database.writing() as connection:
        runs.save_project(connection, replace(home, roles={HOSTILE: "train/loss"}, params={"overfitting": {"x": 0.1}}))
        found = runs.find_project(connection, "p")
    assert found == replace(
        home, roles={HOSTILE: "train/loss"}, params={"overfitting": {"x": 0.1}}, revision=home.revision + 1
    )
