"""A line for each request: enough to find what happened, and nothing that lets anybody in."""

import json
import logging
from pathlib import Path

import pytest

from app.settings import Settings
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from tests.api.conftest import serving


def test_each_request_leaves_a_line_without_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path}/logged.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    token, made = Tokens(database).create("write", ["p"])
    database.close()
    run = "/api/v1/projects/p/runs/r"
    with (
        caplog.at_level(logging.INFO, "curvewise.requests"),
        serving(Settings(database_url=url, require_token=True, log_requests=True)) as client,
    ):
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "from-the-proxy"}
        assert client.put(run, headers=headers).headers["X-Request-Id"] == "from-the-proxy"
        points = {"curves": {"loss": {"steps": [1], "values": [1.0]}}}
        assert client.post(f"{run}/points", json=points, headers=headers).status_code == 200
        refused = client.get(f"{run}?key=secret-in-a-query", headers={"X-Request-Id": 'evil"\tid' * 20})
        assert refused.status_code == 401
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "curvewise.requests"]
    assert [(one["method"], one["path"], one["status"], one["token"]) for one in lines] == [
        ("PUT", run, 201, made.id),
        ("POST", f"{run}/points", 200, made.id),
        ("GET", run, 401, None),
    ]
    assert lines[0]["id"] == "from-the-proxy"
    assert lines[2]["id"] == refused.headers["X-Request-Id"]
    assert len(lines[2]["id"]) == 16
    assert all(one["ms"] >= 0 and one["from"] == "127.0.0.1" for one in lines)
    assert token.rpartition("_")[2] not in caplog.text
    assert "secret-in-a-query" not in caplog.text


def test_a_name_cannot_break_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "curvewise.requests"),
        serving(Settings(database_url=f"sqlite:///{tmp_path}/logged.db", log_requests=True)) as client,
    ):
        client.get('/projects/a%0a{"forged": 1}%e2%80%a8%1b[31m')
    (line,) = [record.getMessage() for record in caplog.records if record.name == "curvewise.requests"]
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert "forged" in json.loads(line)["path"]
