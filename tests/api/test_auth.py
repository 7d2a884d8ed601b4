"""The door: every route, with every role, at a project of one's own, at somebody else's and at one that is not there.

The routes are those of the application, so a new one is walked as well, or fails for not being placed.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from starlette.routing import BaseRoute, Mount, Route

from app.api.app import create_app
from app.api.mlflow.app import PREFIX as MLFLOW
from app.api.needs import need_of
from app.settings import Settings
from app.storage import audit
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from tests.api.conftest import serving

OWN, FOREIGN, MISSING = "own", "foreign", "missing"
ROLES = ("read", "write", "admin")


def walked(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from walked(list(route.routes), prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, prefix + route.path
        elif isinstance(router := getattr(route, "original_router", None), APIRouter):
            # Newer versions of FastAPI keep an included router whole, where older ones copied its routes.
            yield from walked(router.routes, prefix)
        else:
            raise TypeError(f"{route!r} is a kind of route that this walk does not enter")


APP = create_app(Settings())
ALL = sorted(set(walked(list(APP.routes))))
OF_PROJECT = [(method, path) for method, path in ALL if "{project}" in path]


_urls: dict[httpx.Client, str] = {}  # of the server's database


def at(path: str, project: str) -> str:
    return re.sub(r"\{[^}]*\}", "r", path.replace("{project}", project).replace("{code}", "CW001"))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A server that asks for tokens, and a token for each role in OWN; "all" and "other" are admins elsewhere."""
    url = f"sqlite:///{tmp_path_factory.mktemp('doors')}/doors.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    tokens = Tokens(database)
    made = {role: tokens.create(role, [OWN])[0] for role in ROLES}
    made["all"] = tokens.create("admin", None)[0]
    made["other"] = tokens.create("admin", [FOREIGN])[0]
    database.close()
    with serving(Settings(database_url=url, require_token=True)) as client:
        _urls[client] = url
        for project in (OWN, FOREIGN):
            opened = client.put(f"/api/v1/projects/{project}/runs/r", headers=bearer(made["all"]))
            assert opened.status_code == 201
        yield client, made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


Doors = tuple[httpx.Client, dict[str, str]]


def test_the_walk_meets_everything_that_is_documented() -> None:
    documented = {(method.upper(), path) for path, said in APP.openapi()["paths"].items() for method in said}
    assert len(documented) > 30
    assert documented <= set(ALL)
    pages = {path for method, path in ALL if method == "GET" and path.startswith("/projects/")}
    assert "/projects/{project}/runs/{run}" in pages


@pytest.mark.parametrize(("method", "path"), ALL)
def test_every_route_is_placed_in_the_table_of_needs(method: str, path: str) -> None:
    assert not need_of(method, at(path, OWN)).everywhere


@pytest.mark.parametrize(("method", "path"), ALL)
def test_without_a_token_only_what_is_open_to_everybody_answers(doors: Doors, method: str, path: str) -> None:
    client, _ = doors
    reply = client.request(method, at(path, OWN))
    if need_of(method, at(path, OWN)).audience == "anybody":
        assert "WWW-Authenticate" not in reply.headers  # which only the door adds: /login says 401 by itself
        return
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    if path.startswith(MLFLOW):
        assert reply.json()["error_code"] == "UNAUTHENTICATED"
    else:
        assert reply.json()["type"] == "urn:curvewise:problem:not-let-in"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), OF_PROJECT)
def test_somebody_elses_project_is_answered_for_like_one_that_is_not_there(
    doors: Doors, method: str, path: str, role: str
) -> None:
    client, made = doors
    told = {}
    for project in (FOREIGN, MISSING):
        reply = client.request(method, at(path, project), headers=bearer(made[role]))
        headers = {name: value for name, value in reply.headers.items() if name not in {"date", "content-length"}}
        told[project] = (reply.status_code, reply.text.replace(project, "PROJECT"), headers)
    assert told[FOREIGN] == told[MISSING]
    assert told[FOREIGN][0] == 404


@pytest.mark.parametrize(("method", "path"), OF_PROJECT)
def test_a_role_may_no_more_than_it_says(doors: Doors, method: str, path: str) -> None:
    client, made = doors
    role = need_of(method, at(path, OWN)).role
    for held in ROLES[: ROLES.index(role)]:
        reply = client.request(method, at(path, OWN), headers=bearer(made[held]))
        assert reply.status_code == 403
        assert reply.json()["type"] == "urn:curvewise:problem:not-allowed"


def test_what_was_refused_changed_nothing(doors: Doors) -> None:
    client, made = doors
    for role in ("read", "write", "admin"):
        client.put(f"/api/v1/projects/{FOREIGN}/runs/planted", headers=bearer(made[role]))
        client.delete(f"/api/v1/projects/{FOREIGN}", headers=bearer(made[role]))
    client.delete(f"/api/v1/projects/{OWN}", headers=bearer(made["write"]))
    listed = client.get(f"/api/v1/projects/{FOREIGN}/runs", headers=bearer(made["all"])).json()
    assert [run["run"] for run in listed["items"]] == ["r"]
    assert client.get(f"/api/v1/projects/{OWN}", headers=bearer(made["read"])).status_code == 200


def test_each_role_does_what_it_is_for(doors: Doors) -> None:
    client, made = doors
    points = {"curves": {"loss": {"steps": [1], "values": [1.0]}}}
    own = f"/api/v1/projects/{OWN}"
    assert client.post(f"{own}/runs/r/points", json=points, headers=bearer(made["write"])).json()["accepted"] == 1
    assert client.post(f"{own}/runs/r/points", json=points, headers=bearer(made["read"])).status_code == 403
    assert client.get(f"{own}/runs/r/diagnosis", headers=bearer(made["read"])).status_code == 200
    assert client.get(f"{own}/runs/r/diagnosis", headers=bearer(made["write"])).status_code == 200
    assert client.put(own, json={"params": {}}, headers=bearer(made["admin"])).status_code == 200
    assert client.put(f"{own}/runs/d", headers=bearer(made["write"])).status_code == 201
    assert client.delete(f"{own}/runs/d", headers=bearer(made["admin"])).status_code == 204


def test_projects_are_listed_to_whom_they_exist_for(doors: Doors) -> None:
    client, made = doors
    listed = {who: client.get("/api/v1/projects", headers=bearer(token)).json() for who, token in made.items()}
    assert [one["project"] for one in listed["read"]["items"]] == [OWN]
    assert [one["project"] for one in listed["other"]["items"]] == [FOREIGN]
    assert [one["project"] for one in listed["all"]["items"]] == [FOREIGN, OWN]


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic Og==", "bearer cw_0_0", "cw_1_2"])
def test_what_is_no_token_lets_nobody_in(doors: Doors, header: str) -> None:
    client, _ = doors
    assert client.get("/api/v1/projects", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/projects//runs/r", "/api/v2", "/projects", "/api/v1/projects/%2e%2e/runs"])
def test_odd_paths_open_nothing(doors: Doors, path: str) -> None:
    client, made = doors
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(made["admin"])).status_code == 404


def test_a_token_for_one_project_cannot_reach_another_by_a_name_that_is_encoded(doors: Doors) -> None:
    client, made = doors
    for path in (f"{OWN}%2F..%2F{FOREIGN}", "%66oreign", f"{OWN}/runs/..%2F..%2F{FOREIGN}"):
        reply = client.get(f"/api/v1/projects/{path}/runs/r", headers=bearer(made["admin"]))
        assert reply.status_code == 404


def test_mlflows_clients_see_their_projects_alone(doors: Doors) -> None:
    client, made = doors
    api = f"{MLFLOW}/api/2.0/mlflow"

    def ask(who: str, path: str, **said: object) -> httpx.Response:
        return client.post(f"{api}/{path}", json=said, headers=bearer(made[who]))

    foreign = ask("other", "experiments/search").json()["experiments"]
    assert [one["name"] for one in foreign] == [FOREIGN]
    assert [one["name"] for one in ask("read", "experiments/search").json()["experiments"]] == [OWN]
    experiment = foreign[0]["experiment_id"]
    run = ask("other", "runs/create", experiment_id=experiment, run_name="m").json()["run"]["info"]["run_id"]
    for path, said, unknown in (
        ("runs/update", {"run_id": run, "status": "FINISHED"}, {"run_id": "f" * 32, "status": "FINISHED"}),
        ("runs/log-metric", {"run_id": run, "key": "k", "value": 1, "timestamp": 1}, {"run_id": "f" * 32, "key": "k"}),
        ("runs/create", {"experiment_id": experiment}, {"experiment_id": "999999"}),
        ("runs/search", {"experiment_ids": [experiment]}, {"experiment_ids": ["999999"]}),
        ("experiments/delete", {"experiment_id": experiment}, {"experiment_id": "999999"}),
    ):
        theirs = ask("admin", path, **said)
        nobodys = ask("admin", path, **{**said, **unknown})
        assert theirs.status_code == nobodys.status_code == 404
        hidden = {run: "ID", experiment: "ID", "f" * 32: "ID", "999999": "ID"}
        texts = [reply.text for reply in (theirs, nobodys)]
        for named, word in hidden.items():
            texts = [text.replace(f"'{named}'", word).replace(f" {named}", f" {word}") for text in texts]
        assert texts[0] == texts[1]
    assert ask("write", "experiments/create", name=FOREIGN).status_code == 403
    assert ask("write", "experiments/create", name="nobodys").status_code == 403
    assert ask("read", "runs/create", experiment_id="0").status_code == 403


def test_a_value_that_goes_a_remembered_way_is_still_checked(doors: Doors) -> None:
    client, made = doors
    api = f"{MLFLOW}/api/2.0/mlflow"
    foreign = client.post(f"{api}/experiments/search", json={}, headers=bearer(made["other"])).json()["experiments"]
    opened = {"experiment_id": foreign[0]["experiment_id"], "run_name": "remembered"}
    run = client.post(f"{api}/runs/create", json=opened, headers=bearer(made["other"])).json()["run"]["info"]["run_id"]
    metric = {"run_id": run, "key": "loss", "value": 1.0, "timestamp": 1, "step": 1}
    assert client.post(f"{api}/runs/log-metric", json=metric, headers=bearer(made["other"])).status_code == 200
    assert client.post(f"{api}/runs/log-metric", json=metric, headers=bearer(made["write"])).status_code == 404


def test_a_token_that_is_used_too_often_waits_and_no_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/rates.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    busy, quiet = (Tokens(database).create("read", None)[0] for _ in range(2))
    database.close()
    with serving(Settings(database_url=url, require_token=True, token_requests_per_s=1)) as client:
        replies = [client.get("/api/v1/projects", headers=bearer(busy)) for _ in range(12)]
        refused = [reply for reply in replies if reply.status_code == 429]
        assert len(refused) >= 5
        assert int(refused[0].headers["Retry-After"]) >= 1
        assert refused[0].headers["RateLimit-Policy"] == '"token";q=1;w=1'
        assert refused[0].json()["type"] == "urn:curvewise:problem:too-many-requests"
        assert client.get("/api/v1/projects", headers=bearer(quiet)).status_code == 200


def test_on_loopback_nobody_needs_a_token_and_strange_names_are_kept_out(tmp_path: Path) -> None:
    with serving(Settings(database_url=f"sqlite:///{tmp_path}/open.db", allowed_hosts="curves.lan")) as client:
        assert client.put("/api/v1/projects/p/runs/r").status_code == 201
        for host in ("localhost", "localhost:8000", "127.0.0.1:99", "[::1]:8000", "curves.lan", "CURVES.lan:80"):
            assert client.get("/api/v1/projects", headers={"Host": host}).status_code == 200
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "[::2]"):
            refused = client.get("/api/v1/projects", headers={"Host": host})
            assert refused.status_code == 403
            assert "--allowed-host" in refused.json()["detail"]
        assert client.get("/healthz", headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_a_page_of_another_site_may_not_write(client: httpx.Client, origin: str) -> None:
    run = "/api/v1/projects/origins/runs/r"
    assert client.put(run, headers={"Origin": str(client.base_url).rstrip("/")}).status_code in {200, 201}
    assert client.post(f"{run}/finish", headers={"Origin": origin}).status_code == 403
    assert client.get(run).json()["context"]["state"] == "running"
    assert client.get(run, headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin") is None


def test_metrics_and_badges_are_closed_until_a_project_opens_them(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, made = doors
    project = "/api/v1/projects/shown"
    monkeypatch.setattr("app.meters._FRESH_S", 0.0)
    assert client.put(project, json={}, headers=bearer(made["all"])).status_code == 201
    client.put(f"{project}/runs/r", headers=bearer(made["all"]))
    for path in ("/metrics", "/badge/shown.svg", f"/badge/{OWN}.svg", "/badge/nobodys.svg"):
        assert client.get(path).status_code == 401
    client.put(project, json={"public_status": True}, headers=bearer(made["all"]))
    time.sleep(2.1)  # for how long the server trusts what it read
    assert client.get("/badge/shown.svg").status_code == 200
    assert client.get("/badge/shown.json").json()["schemaVersion"] == 1
    told = [client.get(f"/badge/{project}.svg") for project in (OWN, "nobodys")]
    assert [reply.status_code for reply in told] == [401, 401]
    assert told[0].text == told[1].text
    public = client.get("/metrics").text
    assert 'project="shown"' in public
    assert f'project="{OWN}"' not in public
    assert "ingest" not in public
    client.put(project, json={"public_status": False}, headers=bearer(made["all"]))


def test_metrics_tell_a_token_of_its_own_projects(doors: Doors) -> None:
    client, made = doors
    mine, all_of_them = (client.get("/metrics", headers=bearer(made[who])).text for who in ("read", "all"))
    assert f'project="{OWN}"' in mine
    assert f'project="{FOREIGN}"' not in mine
    assert "curvewise_webhook_deliveries" not in mine
    assert {f'project="{OWN}"', f'project="{FOREIGN}"'} <= set(re.findall(r'project="\w+"', all_of_them))
    assert "curvewise_ingest_seconds" in all_of_them


def sign_in(client: httpx.Client, token: str, **more: str) -> httpx.Response:
    origin = str(client.base_url).rstrip("/")
    return client.post("/login", data={"token": token, **more}, headers={"Origin": origin})


@pytest.fixture
def browser(doors: Doors) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=doors[0].base_url, headers={"Accept": "text/html"}) as opened:
        yield opened


def test_a_person_signs_in_once_and_sees_what_the_token_sees(doors: Doors, browser: httpx.Client) -> None:
    _, made = doors
    turned_away = browser.get(f"/projects/{OWN}?sort=name")
    assert turned_away.status_code == 303
    assert turned_away.headers["Location"] == f"/login?next=%2Fprojects%2F{OWN}%3Fsort%3Dname"
    assert browser.get(turned_away.headers["Location"]).status_code == 200
    let_in = sign_in(browser, made["read"], next=f"/projects/{OWN}")
    assert (let_in.status_code, let_in.headers["Location"]) == (303, f"/projects/{OWN}")
    cookie = let_in.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert made["read"].rpartition("_")[2] not in cookie
    assert browser.get(f"/projects/{OWN}").status_code == 200
    assert browser.get(f"/projects/{FOREIGN}").status_code == 404
    assert FOREIGN not in browser.get("/").text
    assert browser.post("/logout", headers={"Origin": str(browser.base_url).rstrip("/")}).status_code == 303
    assert browser.get("/").status_code == 303


def test_a_session_cannot_be_made_up(doors: Doors, browser: httpx.Client) -> None:
    _, made = doors
    assert sign_in(browser, "cw_0_0").status_code == 401
    sign_in(browser, made["read"])
    cookie = browser.cookies["curvewise_session"]
    other = made["all"].split("_")[1]
    for spoiled in (cookie[:-1], other + cookie[cookie.index(".") :], cookie.partition(".")[0], "", "x.y.z", "é"):
        headers = [(b"Cookie", f"curvewise_session={spoiled}".encode()), (b"Accept", b"text/html")]
        assert httpx.get(f"{browser.base_url}/", headers=headers).status_code == 303


def test_signing_in_leads_nowhere_else(doors: Doors, browser: httpx.Client) -> None:
    _, made = doors
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "\t//e"):
        assert sign_in(browser, made["read"], next=elsewhere).headers["Location"] == "/"
    forged = browser.post("/login", data={"token": made["read"]}, headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403
    assert "Set-Cookie" not in forged.headers


def test_a_session_that_writes_needs_a_page_of_ours(doors: Doors, browser: httpx.Client) -> None:
    _, made = doors
    sign_in(browser, made["write"])
    run = f"/api/v1/projects/{OWN}/runs/by-cookie"
    assert browser.put(run).status_code == 403
    assert browser.put(run, headers={"Origin": "https://evil.example"}).status_code == 403
    assert browser.get(f"/api/v1/projects/{OWN}").status_code == 200


def test_what_was_deleted_and_changed_is_written_down_with_who_did_it(doors: Doors) -> None:
    client, made = doors
    admin, project = bearer(made["all"]), "/api/v1/projects/watched"
    client.put(f"{project}/runs/r", headers=admin)
    client.put(project, json={"roll_up_after_days": 3}, headers=admin)
    hook = {"url": "https://hooks.example/T0/secret-path", "events": ["run_failed"]}
    hooked = client.post(f"{project}/webhooks", json=hook, headers=admin).json()["id"]
    assert client.delete(f"{project}/webhooks/{hooked}", headers=admin).status_code == 204
    client.delete(f"{project}/runs/r", headers=admin)
    assert client.delete(f"{project}/runs/never-there", headers=admin).status_code == 404
    client.delete(project, headers=admin)
    database = Database(make_engine(_urls[client]))
    with database.reading() as connection:
        trail = audit.latest(connection, limit=20, project="watched")
    database.close()
    assert [(one.did, one.run, dict(one.detail)) for one in reversed(trail)] == [
        ("configure_project", None, {"roll_up_after_days": 3}),
        ("create_webhook", None, {"webhook": hooked}),
        ("delete_webhook", None, {"webhook": hooked}),
        ("delete_run", "r", {}),
        ("delete_project", None, {}),
    ]
    assert {one.by for one in trail} == {made["all"].split("_")[1]}
