import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from app.curves.points import Points
from app.errors import (
    InvalidInput,
    InvalidParams,
    SchemaMismatch,
    StorageUnavailable,
    UnknownCurve,
    UnknownProject,
    UnknownRun,
)
from app.nouns import CurveSummary, Run, RunUpdate
from app.rules.context import Context
from app.service import Service, make_service
from app.settings import Settings
from app.storage.database import Database, make_engine

HOSTILE_NAMES = ["", "x" * 251, "a\0b", "a\nb", "a\x85b", "\ud800", "a/b", ".", ".."]


def serve(url: str, use: Callable[[Service], Awaitable[None]]) -> None:
    """Start a service on the database, use it, close it."""

    async def main() -> None:
        service = make_service(Settings(database_url=url))
        await service.start()
        try:
            await use(service)
        finally:
            await service.close()

    asyncio.run(main())


def points(name: str, steps: Sequence[float], values: Sequence[float] | float) -> Points:
    return Points(name, np.array(steps, float), np.array(np.broadcast_to(values, len(steps)), float))


def falling(name: str = "loss", count: int = 60, at: float = 0.0) -> Points:
    steps = np.arange(count) + at
    return Points(name, steps, 0.1 + 2.2 * np.exp(-steps / 10))


def test_a_run_is_opened_told_about_and_closed(database_url: str):
    async def use(service: Service) -> None:
        run, created = service.open_run("p", "r", RunUpdate())
        assert created
        assert (run.context, run.attempt, run.curves) == (Context(), 1, ())
        facts = RunUpdate(num_classes=10, planned_steps=100, caveats=("val is late",), tags={"a": "b"}, commit="c0ffee")
        run, created = service.open_run("p", "r", facts)
        assert not created
        assert run.context == Context(num_classes=10, planned_steps=100.0, caveats=("val is late",))
        again, created = service.open_run("p", "r", replace(facts, num_classes=None, tags=None))
        assert (again, created) == (run, False)  # nothing new: not even the revision changes
        await service.record("p", "r", [falling(), points("eval_loss", [10, 20], 1.0)], None)
        closed = service.close_run("p", "r", "finished")
        assert closed.context == replace(run.context, state="finished")
        assert closed.curves == (
            CurveSummary(name="eval_loss", role="val/loss", points=2, first_step=10.0, last_step=20.0),
            CurveSummary(name="loss", role="train/loss", points=60, first_step=0.0, last_step=59.0),
        )
        assert service.close_run("p", "r", "finished") == closed == service.get_run("p", "r")
        assert service.list_runs("p", limit=5, after=None) == [closed]

    serve(database_url, use)


def test_only_a_later_attempt_sets_a_run_running_again(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate(state="failed"))
        assert service.open_run("p", "r", RunUpdate(attempt=1))[0].context.state == "failed"
        run, _ = service.open_run("p", "r", RunUpdate(attempt=3))
        assert (run.attempt, run.context.state) == (3, "running")
        run, _ = service.open_run("p", "r", RunUpdate(attempt=2, state="finished"))
        assert (run.attempt, run.context.state) == (3, "finished")
        run, _ = service.open_run("p", "r", RunUpdate(attempt=4, state="failed"))
        assert (run.attempt, run.context.state) == (4, "failed")

    serve(database_url, use)


def test_what_was_acknowledged_is_read_back_after_a_restart(database_url: str):
    async def write(service: Service) -> None:
        service.open_run("p", "r", RunUpdate())
        await service.record("p", "r", [points("loss", [2, 0, 1], [math.nan, math.inf, -0.0])], None)

    async def read(service: Service) -> None:
        curve = service.read_curves("p", "r")["loss"]
        assert curve.steps.tolist() == [0, 1, 2]
        assert curve.values.tobytes() == np.array([math.inf, -0.0, math.nan]).tobytes()

    serve(database_url, write)
    serve(database_url, read)


def test_curves_are_read_by_name_and_thinned_on_request(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate())
        await service.record("p", "r", [falling(count=1000), falling("grad_norm")], None)
        assert list(service.read_curves("p", "r")) == ["grad_norm", "loss"]
        assert list(service.read_curves("p", "r", names=["loss"])) == ["loss"]
        assert service.read_curves("p", "r", names=[]) == {}
        assert len(service.read_curves("p", "r", names=["loss"], max_points=50)["loss"]) <= 50
        with pytest.raises(UnknownCurve, match="'lr'"):
            service.read_curves("p", "r", names=["loss", "lr"])

    serve(database_url, use)


def test_a_diagnosis_names_its_run_and_is_made_anew_when_something_changes(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate(num_classes=10))
        await service.record("p", "r", [falling()], None)
        versions = [service.diagnosis_version("p", "r")]
        first = service.diagnose("p", "r")
        assert (first.project, first.run, first.through_step, first.state) == ("p", "r", 59.0, "running")
        assert service.diagnose("p", "r") is first
        assert service.diagnosis_version("p", "r") == versions[0]

        await service.record("p", "r", [falling(at=60.0)], None)
        versions.append(service.diagnosis_version("p", "r"))
        assert service.diagnose("p", "r").through_step == 119.0
        service.close_run("p", "r", "finished")
        versions.append(service.diagnosis_version("p", "r"))
        assert service.diagnose("p", "r").state == "finished"
        service.configure_project("p", roles={"loss": "val/loss"}, params=None)
        versions.append(service.diagnosis_version("p", "r"))
        verdicts = {verdict.rule: verdict for verdict in service.diagnose("p", "r").verdicts}
        assert "train/loss was not logged" in str(verdicts["exploding"])
        assert len(set(versions)) == len(versions)

    serve(database_url, use)


def test_a_replay_sees_the_run_as_it_stood_then(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate(state="finished"))
        await service.record("p", "r", [falling(), points("loss", [70], math.nan)], None)

        def seen(at_step: float | None) -> tuple[float | None, str, int]:
            diagnosis = service.diagnose("p", "r", at_step=at_step)
            return diagnosis.through_step, diagnosis.state, len(diagnosis.findings)

        now = seen(None)
        assert now[:2] == (70.0, "finished")
        assert now[2] >= 1
        assert seen(70) == seen(math.inf) == now
        assert seen(59)[:2] == (59.0, "running")
        assert seen(-1)[:2] == (None, "running")
        with pytest.raises(InvalidInput, match="at_step"):
            service.diagnose("p", "r", at_step=math.nan)

    serve(database_url, use)


def test_a_project_is_diagnosed_run_by_run(database_url: str):
    async def use(service: Service) -> None:
        for name in ("c", "a", "b"):
            service.open_run("p", name, RunUpdate(state="finished" if name == "b" else "running"))
            await service.record("p", name, [falling()], None)
        everything = service.diagnose_project("p", limit=10, after=None)
        assert everything == [service.diagnose("p", name) for name in ("a", "b", "c")]
        assert [d.run for d in service.diagnose_project("p", limit=1, after="a")] == ["b"]
        assert [d.run for d in service.diagnose_project("p", limit=9, after=None, state="finished")] == ["b"]

    serve(database_url, use)


def test_a_run_without_points_is_diagnosed_as_skipped(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate())
        diagnosis = service.diagnose("p", "r")
        assert diagnosis.through_step is None
        assert {verdict.verdict for verdict in diagnosis.verdicts} == {"skipped"}

    serve(database_url, use)


def test_a_project_is_configured(database_url: str):
    async def use(service: Service) -> None:
        project, created = service.configure_project("p", roles={"my metric": "train/loss"}, params=None)
        assert (created, project.runs, project.params) == (True, 0, {})
        params = {"exploding": {}}
        project, created = service.configure_project("p", roles=None, params=params)
        assert (created, project.roles, project.params) == (False, {"my metric": "train/loss"}, params)
        service.open_run("p", "r", RunUpdate())
        assert service.get_project("p") == replace(project, runs=1)
        assert service.list_projects(limit=5, after=None) == [replace(project, runs=1)]
        assert service.list_projects(limit=5, after="p") == []
        await service.record("p", "r", [falling("my metric"), falling("loss")], None)
        assert {c.name: c.role for c in service.get_run("p", "r").curves}["my metric"] == "train/loss"
        with pytest.raises(InvalidInput):
            service.configure_project("p", roles={"x": "no such role"}, params=None)
        with pytest.raises(InvalidParams):
            service.configure_project("p", roles=None, params={"no such rule": {}})
        with pytest.raises(InvalidInput, match="control character"):
            service.configure_project("p", roles={"a\0": ""}, params=None)

    serve(database_url, use)


def test_what_does_not_exist_is_named(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate())
        for act in (
            lambda: service.get_run("q", "r"),
            lambda: service.list_runs("q", limit=1, after=None),
            lambda: service.get_project("q"),
            lambda: service.close_run("q", "r", "failed"),
            lambda: service.diagnose("q", "r"),
            lambda: service.diagnose_project("q", limit=1, after=None),
            lambda: service.diagnosis_version("q", "r"),
            lambda: service.read_curves("q", "r"),
        ):
            with pytest.raises(UnknownProject, match="'q'"):
                act()
        for act in (
            lambda: service.get_run("p", "s"),
            lambda: service.close_run("p", "s", "failed"),
            lambda: service.diagnose("p", "s"),
            lambda: service.diagnosis_version("p", "s"),
            lambda: service.read_curves("p", "s"),
        ):
            with pytest.raises(UnknownRun, match="'s'"):
                act()
        with pytest.raises(UnknownProject):
            await service.record("q", "r", [falling()], None)
        with pytest.raises(UnknownRun):
            await service.record("p", "s", [falling()], None)
        assert [run.run for run in service.list_runs("p", limit=9, after=None)] == ["r"]

    serve(database_url, use)


def test_points_for_a_run_that_was_deleted_and_opened_again_reach_the_new_one(database_url: str):
    async def use(service: Service) -> None:
        before = service.open_run("p", "r", RunUpdate())[0]
        await service.record("p", "r", [falling()], None)
        old_version = service.diagnosis_version("p", "r")
        other = Database(make_engine(database_url))
        with other.writing() as connection:
            connection.execute(text("DELETE FROM runs"))
        other.close()
        with pytest.raises(UnknownRun):
            await service.record("p", "r", [falling()], None)
        after = service.open_run("p", "r", RunUpdate())[0]
        await service.record("p", "r", [points("loss", [5], 1)], None)
        assert len(service.read_curves("p", "r")["loss"]) == 1
        assert after.revision == before.revision
        assert service.diagnosis_version("p", "r") != old_version

    serve(database_url, use)


def test_names_that_cannot_be_meant_are_refused(database_url: str):
    async def use(service: Service) -> None:
        for name in HOSTILE_NAMES:
            service.open_run("p", "r", RunUpdate())
            with pytest.raises(InvalidInput, match="project name"):
                service.open_run(name, "r", RunUpdate())
            with pytest.raises(InvalidInput, match="run name"):
                service.open_run("p", name, RunUpdate())
            with pytest.raises(InvalidInput, match="project name"):
                service.configure_project(name, roles=None, params=None)
            with pytest.raises(InvalidInput, match="run name"):
                service.get_run("p", name)
            with pytest.raises(InvalidInput, match="project name"):
                await service.record(name, "r", [falling()], None)
            if name not in {"a/b", ".", ".."}:
                with pytest.raises(InvalidInput, match="curve name"):
                    await service.record("p", "r", [falling(name)], None)
                with pytest.raises(InvalidInput, match="after"):
                    service.list_runs("p", limit=1, after=name)
                with pytest.raises(InvalidInput, match="commit"):
                    service.open_run("p", "r", RunUpdate(commit=name))
            assert service.get_run("p", "r").revision == 1

    serve(database_url, use)


def test_unusual_names_are_names(database_url: str):
    async def use(service: Service) -> None:
        for name in ["a b", "ünïcode 🚀", "x" * 250, "%2F", "a?b#c", "'; DROP TABLE runs; --", "..."]:
            service.open_run(name, name, RunUpdate())
            await service.record(name, name, [falling(name)], None)
            run = service.get_run(name, name)
            assert (run.project, run.run, run.curves[0].name) == (name, name, name)
            assert len(service.read_curves(name, name, names=[name])[name]) == 60

    serve(database_url, use)


def test_facts_that_cannot_be_meant_are_refused_and_leave_nothing(database_url: str):
    async def use(service: Service) -> None:
        for update in [
            RunUpdate(num_classes=10**400),
            RunUpdate(num_classes=-1),
            RunUpdate(planned_steps=math.nan),
            RunUpdate(planned_steps=math.inf),
            RunUpdate(planned_steps=0),
            RunUpdate(schedule="x" * 101),
            RunUpdate(schedule="\ud800"),
            RunUpdate(state="lost"),  # type: ignore[arg-type]
            RunUpdate(attempt=0),
            RunUpdate(attempt=2**31),
            RunUpdate(attempt=10**400),
            RunUpdate(config={"x": object()}),
            RunUpdate(config={"x": 10**5000}),
        ]:
            with pytest.raises(InvalidInput):
                service.open_run("p", "r", update)
            assert service.list_projects(limit=1, after=None) == []

    serve(database_url, use)


def test_facts_of_any_text_come_back(database_url: str):
    hostile = "NUL \0, half a pair \ud800, \U0001f600"

    async def use(service: Service) -> None:
        update = RunUpdate(config={hostile: [hostile]}, tags={hostile: hostile}, schedule="a\0b", caveats=("a\0b",))
        service.open_run("p", "r", update)
        run: Run = service.get_run("p", "r")
        assert (run.config, run.tags) == ({hostile: [hostile]}, {hostile: hostile})
        assert (run.context.schedule, run.context.caveats) == ("a\0b", ("a\0b",))

    serve(database_url, use)


def test_points_that_would_make_a_curve_unreadable_are_refused(database_url: str):
    async def use(service: Service) -> None:
        for part in [
            points("loss", [math.nan], 1),
            points("loss", [math.inf], 1),
            points("loss", [1, -1], 1),
            Points("loss", np.array([1.0, 2.0]), np.array([1.0])),
            Points("loss", np.ones((2, 2)), np.ones((2, 2))),
        ]:
            service.open_run("p", "r", RunUpdate())
            with pytest.raises(InvalidInput, match="loss"):
                await service.record("p", "r", [falling("val/loss"), part], None)
            with pytest.raises(InvalidInput, match="attempt"):
                await service.record("p", "r", [falling()], 0)
            assert service.read_curves("p", "r") == {}

    serve(database_url, use)


def test_pages_and_states_out_of_bounds_are_refused(database_url: str):
    async def use(service: Service) -> None:
        service.open_run("p", "r", RunUpdate())
        for limit in (0, -1, 10**30):
            with pytest.raises(InvalidInput, match="limit"):
                service.list_runs("p", limit=limit, after=None)
        with pytest.raises(InvalidInput, match="running"):
            service.close_run("p", "r", "running")

    serve(database_url, use)


def test_a_database_that_is_not_ready_says_why(postgres_url: str):
    async def main() -> None:
        service = make_service(Settings(database_url=postgres_url))
        with pytest.raises(SchemaMismatch, match="curvewise migrate"):
            await service.start()
        with pytest.raises(SchemaMismatch, match="curvewise migrate"):
            service.check()
        await service.close()
        service = make_service(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
        with pytest.raises(StorageUnavailable):
            service.check()
        await service.close()

    asyncio.run(main())


def test_a_database_that_is_ready_passes(database_url: str):
    async def use(service: Service) -> None:
        service.check()

    serve(database_url, use)


def test_a_run_may_be_written_through_one_server_and_read_through_another(database_url: str):
    async def main() -> None:
        one, two = (make_service(Settings(database_url=database_url)) for _ in range(2))
        await one.start()
        await two.start()
        one.open_run("p", "r", RunUpdate())
        await one.record("p", "r", [falling(count=20)], None)
        assert two.diagnose("p", "r").through_step == 19.0
        await two.record("p", "r", [falling(at=20.0)], None)
        assert one.diagnose("p", "r") == two.diagnose("p", "r")
        assert one.diagnosis_version("p", "r") == two.diagnosis_version("p", "r")
        await one.close()
        await two.close()

    asyncio.run(main())


def test_a_run_that_many_open_at_once_is_created_once(database_url: str):
    async def main() -> None:
        services = [make_service(Settings(database_url=database_url)) for _ in range(2)]
        for service in services:
            await service.start()
        opened = await asyncio.gather(
            *(
                asyncio.to_thread(services[i % 2].open_run, "p", "r", RunUpdate(tags={"from": str(i)}, attempt=i + 1))
                for i in range(12)
            ),
            *(asyncio.to_thread(services[i].configure_project, "p", roles={"x": ""}, params=None) for i in range(2)),
        )
        assert [created for _, created in opened[:12]].count(True) == 1
        assert services[0].get_run("p", "r").attempt == 12
        for service in services:
            await service.close()

    asyncio.run(main())
