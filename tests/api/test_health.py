from pathlib import Path

import httpx
from sqlalchemy import text

from app.settings import Settings
from app.storage.database import make_engine
from app.storage.migrate import downgrade, upgrade
from tests.api.asserts import assert_problem
from tests.api.conftest import serving


def test_a_served_database_is_ready(client_on_each: httpx.Client) -> None:
    for path in ("/healthz", "/readyz"):
        reply = client_on_each.get(path)
        assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


def test_a_database_with_another_schema_is_not_ready_while_the_process_is_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    with serving(Settings(database_url=url)) as client:
        assert client.get("/readyz").status_code == 200
        engine = make_engine(url)
        downgrade(engine, "base")
        engine.dispose()
        problem = assert_problem(client.get("/readyz"), 503, "schema-mismatch")
        assert "migrate" in str(problem["detail"])
        assert client.get("/healthz").status_code == 200


def test_a_database_that_is_gone_is_not_ready_until_it_is_back(postgres_server: str, postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    upgrade(engine)
    engine.dispose()
    name = engine.url.database
    admin = make_engine(postgres_server).execution_options(isolation_level="AUTOCOMMIT")
    with serving(Settings(database_url=postgres_url)) as client, admin.connect() as connection:
        assert client.put("/api/v1/projects/p/runs/r").status_code == 201
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        for method, path in (
            ("GET", "/readyz"),
            ("GET", "/api/v1/projects"),
            ("PUT", "/api/v1/projects/p/runs/r"),
            ("GET", "/api/v1/projects/p/runs/r/diagnosis"),
        ):
            reply = client.request(method, path)
            assert_problem(reply, 503, "storage-unavailable")
            assert int(reply.headers["retry-after"]) > 0
        points = {"points": [{"step": 1, "loss": 1}]}
        assert_problem(client.post("/api/v1/projects/p/runs/r/points", json=points), 503, "storage-unavailable")
        assert client.get("/healthz").status_code == 200
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        assert client.get("/readyz").status_code == 200
        assert client.post("/api/v1/projects/p/runs/r/points", json=points).json()["accepted"] == 1
    admin.dispose()
