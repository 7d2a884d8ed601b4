"""A server that may only read and write rows, with the grants that the guide tells."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.settings import Settings
from app.storage.database import make_engine
from app.storage.migrate import upgrade
from tests.api.conftest import serving

GUIDE = Path(__file__).parents[2] / "docs" / "deploy.md"
RUN = "/api/v1/projects/p/runs/r"


def grants() -> str:
    (sql,) = re.findall(r"```sql\n(CREATE ROLE .*?)```", GUIDE.read_text(), re.DOTALL)
    return str(sql)


def test_a_role_with_the_grants_of_the_guide_can_serve_and_change_no_schema(postgres_url: str) -> None:
    owner = make_engine(postgres_url)
    upgrade(owner)
    limited = owner.url.set(username="curvewise_server", password="choose-one").render_as_string(hide_password=False)
    try:
        with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for statement in grants().split(";"):
                if statement.strip():
                    connection.exec_driver_sql(statement)
        with serving(Settings(database_url=limited, finding_hold_s=0)) as client:
            assert client.get("/readyz").status_code == 200
            assert client.put(RUN, json={"context": {"num_classes": 10}}).status_code == 201
            points = {"curves": {"train/loss": {"steps": list(range(50)), "values": [2.0] * 49 + ["NaN"]}}}
            assert client.post(f"{RUN}/points", json=points).json()["accepted"] == 50
            assert client.post(f"{RUN}/finish").status_code == 200
            assert client.get(f"{RUN}/diagnosis").json()["through_step"] == 49
            assert client.get("/api/v1/projects/p/diagnoses").status_code == 200
            assert client.delete(RUN).status_code == 204
        server = make_engine(limited)
        for forbidden in (
            "DROP TABLE runs",
            "CREATE TABLE mine (a int)",
            "UPDATE alembic_version SET version_num = 'x'",
        ):
            with (
                server.connect() as connection,
                pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
            ):
                connection.execute(text(forbidden))
        server.dispose()
    finally:
        with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("DROP OWNED BY curvewise_server"))
            connection.execute(text("DROP ROLE curvewise_server"))
        owner.dispose()
