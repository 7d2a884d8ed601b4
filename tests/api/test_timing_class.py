"""What a token may not see costs as much to refuse as what is not there: the same statements, the same digests.

No clock is read, which would tell of the machine more than of the code. What takes time for a request are statements to
the database and digests; where both get the same of them in the same order, neither answer can come sooner for a reason
that lies in what is stored. `benchmarks/telling.py` measures the rest.
"""

from collections.abc import Iterator
from contextvars import ContextVar

import httpx
import pytest
from sqlalchemy import Engine, event
from starlette.types import ASGIApp, Receive, Scope, Send

from app import tokens as token_room
from app.api.app import create_app
from app.api.mlflow.app import PREFIX as MLFLOW
from app.settings import Settings
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from tests.api.conftest import serving_app
from tests.api.test_auth import FOREIGN, MISSING, OF_PROJECT, OWN, ROLES, at, bearer

API = f"{MLFLOW}/api/2.0/mlflow"
_work: ContextVar[list[str] | None] = ContextVar("work", default=None)


class Watching:
    """ASGI middleware: what each request makes the server do, and not what its threads do by themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        done: list[str] = []
        _work.set(done)
        DONE.append(done)
        return await self.app(scope, receive, send)


DONE: list[list[str]] = []


def note(what: str) -> None:
    if (work := _work.get()) is not None:
        work.append(what)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A server that is watched, tokens of each role for OWN, one for FOREIGN, and MLflow's ids of what is in each."""
    url = f"sqlite:///{tmp_path_factory.mktemp('class')}/class.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    made = {role: Tokens(database).create(role, [OWN])[0] for role in ROLES}
    made["other"] = Tokens(database).create("admin", [FOREIGN])[0]
    database.close()
    app = create_app(Settings(database_url=url, require_token=True))
    app.add_middleware(Watching)

    def stated(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        note(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", stated)
    with pytest.MonkeyPatch.context() as patched, serving_app(app) as client:
        digest, recent = token_room._digest, token_room._TRUSTED_S
        patched.setattr(token_room, "_digest", lambda secret: note("digest") or digest(secret))
        patched.setattr(token_room, "_TRUSTED_S", 600 * recent)  # looked up once each, and not in the middle of a test
        for token, project in ((made["admin"], OWN), (made["other"], FOREIGN)):
            assert client.put(f"/api/v1/projects/{project}/runs/r", headers=bearer(token)).status_code == 201
        found = client.post(f"{API}/experiments/search", json={}, headers=bearer(made["other"])).json()["experiments"]
        made["experiment"] = found[0]["experiment_id"]
        opened = {"experiment_id": made["experiment"], "run_name": "m"}
        run = client.post(f"{API}/runs/create", json=opened, headers=bearer(made["other"])).json()["run"]
        made["run"] = run["info"]["run_id"]
        for role in ROLES:
            client.get("/api/v1/projects", headers=bearer(made[role]))
        yield client, made
    event.remove(Engine, "before_cursor_execute", stated)


Doors = tuple[httpx.Client, dict[str, str]]


def work(client: httpx.Client, method: str, url: str, token: str, **sent: object) -> tuple[int, list[str]]:
    DONE.clear()
    status = client.request(method, url, headers=bearer(token), **sent).status_code  # type: ignore[arg-type]
    (done,) = DONE
    return status, done


def test_the_work_of_a_request_is_seen(doors: Doors) -> None:
    client, made = doors
    status, done = work(client, "GET", f"/api/v1/projects/{OWN}/runs/r", made["read"])
    assert status == 200
    assert "digest" in done
    assert any(one.startswith("SELECT") and "runs" in one for one in done)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), OF_PROJECT)
def test_a_foreign_project_costs_what_a_missing_one_does(doors: Doors, method: str, path: str, role: str) -> None:
    client, made = doors
    foreign, missing = (work(client, method, at(path, project), made[role]) for project in (FOREIGN, MISSING))
    assert foreign == missing
    assert foreign[0] == 404
    assert foreign[1] == ["digest"]  # before anything is looked up


@pytest.mark.parametrize("end", ["svg", "json"])
def test_a_closed_badge_costs_what_a_missing_one_does(doors: Doors, end: str) -> None:
    client, _ = doors
    closed, missing = (work(client, "GET", f"/badge/{project}.{end}", "none") for project in (FOREIGN, MISSING))
    assert closed[0] == missing[0] == 401
    assert closed[1] == missing[1]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("runs/update", {"run_id": "RUN", "status": "FINISHED"}),
        ("runs/delete", {"run_id": "RUN"}),
        ("runs/log-metric", {"run_id": "RUN", "key": "k", "value": 1, "timestamp": 1}),
        ("runs/log-batch", {"run_id": "RUN", "metrics": [{"key": "k", "value": 1, "timestamp": 1, "step": 1}]}),
        ("runs/log-parameter", {"run_id": "RUN", "key": "k", "value": "1"}),
        ("runs/set-tag", {"run_id": "RUN", "key": "k", "value": "1"}),
        ("runs/create", {"experiment_id": "EXPERIMENT"}),
        ("runs/search", {"experiment_ids": ["EXPERIMENT"]}),
        ("experiments/delete", {"experiment_id": "EXPERIMENT"}),
        ("experiments/set-experiment-tag", {"experiment_id": "EXPERIMENT", "key": "k", "value": "v"}),
    ],
)
def test_mlflows_foreign_ids_cost_what_missing_ones_do(doors: Doors, path: str, said: dict, role: str) -> None:
    client, made = doors
    cost = []
    for run, experiment in ((made["run"], made["experiment"]), ("f" * 32, "999999")):
        ids = {"RUN": run, "EXPERIMENT": experiment}
        sent = {
            name: ids.get(value, value)
            if isinstance(value, str)
            else [ids.get(str(one), one) for one in value]
            if isinstance(value, list)
            else value
            for name, value in said.items()
        }
        cost.append(work(client, "POST", f"{API}/{path}", made[role], json=sent))
    assert cost[0] == cost[1]
    assert cost[0][0] in {403, 404}


@pytest.mark.parametrize(
    "path",
    [
        "runs/get?run_id={run}",
        "metrics/get-history?run_id={run}&metric_key=k",
        "experiments/get?experiment_id={experiment}",
        "experiments/get-by-name?experiment_name={name}",
    ],
)
def test_mlflows_foreign_things_are_read_at_the_cost_of_missing_ones(doors: Doors, path: str) -> None:
    client, made = doors
    known = {"run": made["run"], "experiment": made["experiment"], "name": FOREIGN}
    unknown = {"run": "f" * 32, "experiment": "999999", "name": MISSING}
    cost = [work(client, "GET", f"{API}/{path.format(**ids)}", made["read"]) for ids in (known, unknown)]
    assert cost[0] == cost[1]
    assert cost[0][0] == 404


def test_a_token_with_a_wrong_secret_costs_what_an_unknown_one_does(doors: Doors) -> None:
    client, made = doors
    known = made["read"].split("_")[1]
    cost = [work(client, "GET", "/api/v1/projects", f"cw_{one}_{'x' * 43}") for one in (known, known[::-1])]
    assert cost[0] == cost[1]
    assert cost[0][0] == 401
    assert cost[0][1].count("digest") == 1  # whether or not there is one to compare it with
