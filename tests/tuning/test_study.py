"""A search and a study of the real Optuna, in a database and in a journal."""

from pathlib import Path

import httpx
import optuna
import pytest

from app.errors import InvalidInput
from app.search.search import Search
from app.tuning.searches import Searches, search_of
from app.tuning.study import enqueue, export, open_study, read
from tests.tuning.conftest import SPACE

LINK = "http://c/projects/p/runs/{run}"
FULL = {
    **SPACE,
    "width": {"kind": "integer", "low": 4, "high": 64, "log": True},
    "drop.p": {"kind": "uniform", "low": 0.0, "high": 0.5},
}
CONFIG = {"lr": 0.1, "decay": 0.01, "width": 16, "drop": {"p": 0.25}}
FLAT = {"lr": 0.1, "decay": 0.01, "width": 16, "drop.p": 0.25}
STATES = optuna.trial.TrialState


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(params=["sqlite", "journal"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else str(tmp_path / "study.journal")


@pytest.fixture
def search(here: Searches) -> Search:
    here.put({"space": FULL, "num_classes": 2, "steps_per_epoch": 10})
    return search_of(here.standing().about)


def post(here: Searches, server: httpx.Client, run: str, *values: float, state: str = "finished", **tags: str) -> None:
    path = f"/api/v1/projects/{here.project}/runs/{run}"
    said = {"search": "s", "search_step": 4, "config": CONFIG | {"other": 1}, "tags": tags}
    assert server.put(path, json=said).status_code == 201
    if values:
        curve = {"steps": list(range(0, 10 * len(values), 10)), "values": list(values)}
        assert server.post(f"{path}/points", json={"curves": {"val/loss": curve}}).status_code == 200
    if state != "running":
        assert server.post(f"{path}/finish", json={"state": state}).status_code == 200


def test_runs_become_trials_once(here: Searches, server: httpx.Client, search: Search, storage: str) -> None:
    post(here, server, "good", 1.0, 0.5, 0.4)
    post(here, server, "stopped", 1.0, 0.9, **{"curvewise.ended": "stopped early"})
    post(here, server, "failed", 1.0, state="failed")
    post(here, server, "silent")
    post(here, server, "goes-on", 1.0, state="running")
    study = open_study(storage, "st", search)
    assert set(export(study, here, search, LINK).runs) == {"good", "stopped", "failed", "silent"}
    assert export(open_study(storage, "st", search), here, search, LINK).runs == ()
    trials = {trial.user_attrs["curvewise.run"]: trial for trial in study.trials}
    good = trials["good"]
    assert good.params == FLAT
    assert good.value == 0.4
    assert good.intermediate_values == {0: 1.0, 10: 0.5, 20: 0.4}
    assert good.user_attrs["curvewise.link"] == "http://c/projects/p/runs/good"
    assert good.distributions == {
        "lr": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "decay": optuna.distributions.CategoricalDistribution((0, 0.01)),
        "width": optuna.distributions.IntDistribution(4, 64, log=True),
        "drop.p": optuna.distributions.FloatDistribution(0.0, 0.5),
    }
    states = {name: trial.state for name, trial in trials.items()}
    assert states == {
        "good": STATES.COMPLETE,
        "stopped": STATES.PRUNED,
        "failed": STATES.FAIL,
        "silent": STATES.FAIL,
    }
    assert study.best_trial.user_attrs["curvewise.run"] == "good"


def test_a_run_outside_the_space_is_left_out_with_its_reason(
    here: Searches, server: httpx.Client, search: Search, storage: str
) -> None:
    post(here, server, "outside", 1.0, 0.5)
    here.put({"space": {**FULL, "lr": {"kind": "log_uniform", "low": 1e-4, "high": 0.01}}})
    narrowed = search_of(here.standing().about)
    shared = export(open_study(storage, "st", narrowed), here, narrowed, LINK)
    assert shared.runs == ()
    assert shared.left_out[0].startswith("outside: ")


def test_proposals_wait_for_workers_whose_trials_come_back(
    here: Searches, server: httpx.Client, search: Search, storage: str
) -> None:
    study = open_study(storage, "st", search)
    first = enqueue(study, here, search, 1, LINK).runs
    assert len(first) == 1
    assert here.run(first[0])["context"]["state"] == "running"  # type: ignore[index]

    def objective(trial: "optuna.Trial") -> float:
        lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
        trial.suggest_categorical("decay", (0, 0.01))
        trial.suggest_int("width", 4, 64, log=True)
        trial.suggest_float("drop.p", 0.0, 0.5)
        for step in range(3):
            trial.report(1.0 / (1 + step), step)
        return lr

    worker = optuna.load_study(study_name="st", storage=study._storage)
    worker.optimize(objective, n_trials=2)  # the one that waits, and one of Optuna's own
    assert worker.trials[0].user_attrs["curvewise.run"] == first[0]
    assert worker.trials[0].params["lr"] == here.run(first[0])["config"]["lr"]  # type: ignore[index]

    again = open_study(storage, "st", search)
    assert set(read(again, here, search).runs) == {first[0], "st-1"}
    assert read(again, here, search).runs == ()
    assert export(again, here, search, LINK).runs == ()
    own = here.run("st-1")
    assert own is not None
    assert (own["search"], own["context"]["state"]) == ("s", "finished")
    assert set(own["config"]) == {"lr", "decay", "width", "drop"}
    curves = server.get(f"/api/v1/projects/{here.project}/runs/{first[0]}/curves").json()["curves"]
    assert curves == {"val/loss": {"steps": [0, 1, 2], "values": [1.0, 0.5, pytest.approx(1 / 3)]}}


def test_a_failed_trial_is_a_failed_run(here: Searches, search: Search, storage: str) -> None:
    study = open_study(storage, "st", search)

    def objective(trial: "optuna.Trial") -> float:
        trial.suggest_float("lr", 1e-4, 1.0, log=True)
        raise RuntimeError

    study.optimize(objective, n_trials=1, catch=RuntimeError)
    assert read(study, here, search).runs == ("st-0",)
    assert here.run("st-0")["context"]["state"] == "failed"  # type: ignore[index]


def test_a_study_of_something_else_is_refused(here: Searches, search: Search, storage: str) -> None:
    open_study(storage, "st", search)
    here.put({"goal": "max", "metric": "val/accuracy"})
    with pytest.raises(InvalidInput, match="is to minimize, and the search 's' is after the max of val/accuracy"):
        open_study(storage, "st", search_of(here.standing().about))


def test_a_storage_that_cannot_be_opened_says_so(search: Search, tmp_path: Path) -> None:
    for storage in ("nosuch://host/db", f"sqlite:///{tmp_path}/no/such/folder.db"):
        with pytest.raises(InvalidInput, match="cannot be opened as an Optuna storage"):
            open_study(storage, "st", search)
