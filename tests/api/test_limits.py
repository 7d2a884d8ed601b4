"""How much there may be: each limit is told with what to do, and costs nothing that is within it."""

import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.api.conftest import serving

RUN = "/api/v1/projects/p/runs/r"


def points(*names: str) -> dict[str, object]:
    return {"curves": {name: {"steps": [1, 2], "values": [1.0, 2.0]} for name in names}}


def test_curves_beyond_the_limit_are_refused_and_the_others_taken(database_url: str) -> None:
    with serving(Settings(database_url=database_url, run_curves=3)) as client:
        client.put(RUN)
        assert client.post(f"{RUN}/points", json=points("a", "b")).json()["accepted"] == 4
        mixed = client.post(f"{RUN}/points", json=points("a", "c", "d", "e"))
        assert mixed.status_code == 200
        told = mixed.json()
        assert told["accepted"] == 4
        assert [(one["curve"], one["code"]) for one in told["rejected"]] == [
            ("d", "too_many_curves"),
            ("e", "too_many_curves"),
        ]
        none = client.post(f"{RUN}/points", json=points("f"))
        assert none.status_code == 422
        assert none.json()["rejected"][0]["code"] == "too_many_curves"
        assert client.post(f"{RUN}/points", json=points("a", "b", "c")).json()["rejected"] == []
        assert set(client.get(f"{RUN}/curves").json()["curves"]) == {"a", "b", "c"}
        client.put("/api/v1/projects/p/runs/other")
        assert client.post("/api/v1/projects/p/runs/other/points", json=points("z")).json()["accepted"] == 2


def test_what_one_body_may_hold_is_set(tmp_path: Path) -> None:
    few = Settings(database_url=f"sqlite:///{tmp_path}/few.db", batch_values=1000, batch_curves=2, json_depth=8)
    with serving(few) as client:
        client.put(RUN)
        rows = "\n".join(f'{{"step": {step}, "a": 1}}' for step in range(1001)).encode()
        columns = {"curves": {"a": {"steps": list(range(600)), "values": [1.5] * 600}}}
        for path, body, kind in (
            (f"{RUN}/points", json.dumps(columns).encode(), "application/json"),
            ("/api/v1/diagnose", json.dumps(columns).encode(), "application/json"),
            (f"{RUN}/points", rows, "application/x-ndjson"),
            (f"{RUN}/points", json.dumps({"points": [{"step": 1, "a": 1}] * 600}).encode(), "application/json"),
        ):
            refused = client.post(path, content=body, headers={"Content-Type": kind})
            assert refused.status_code == 413
            assert "CURVEWISE_BATCH_VALUES" in refused.json()["detail"]
        for path in (f"{RUN}/points", "/api/v1/diagnose"):
            assert client.post(path, json=points("a", "b")).status_code == 200
            refused = client.post(path, json=points("a", "b", "c"))
            assert refused.status_code == 413
            assert "CURVEWISE_BATCH_CURVES" in refused.json()["detail"]
        wide = client.post(f"{RUN}/points", json={"points": [{"step": 1, "a": 1, "b": 2, "c": 3}]})
        assert (wide.status_code, wide.json()["type"]) == (413, "urn:curvewise:problem:too-large")


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else "]]]]"


def test_how_deeply_a_config_may_be_nested_is_set(tmp_path: Path) -> None:
    shallow = Settings(database_url=f"sqlite:///{tmp_path}/shallow.db", json_depth=8)
    with serving(shallow) as client:
        for config in (
            {"a": nested(6)},
            {"a": ["[[[[[[[[[[{", '\\"[[[[[[[[[', nested(5)]},
            {str(n): [n] for n in range(40)},
        ):
            assert client.put(RUN, json={"config": config}).status_code in {200, 201}
            assert client.get(RUN).json()["config"] == config
        for deep in ({"a": nested(7)}, {"a": ["]]]]]", nested(6)]}):
            refused = client.put(RUN, json={"config": deep})
            assert refused.status_code == 400
            assert "CURVEWISE_JSON_DEPTH" in refused.json()["detail"]
        torn = client.put(RUN, content=b'{"config": {"a": "' + b"[" * 40)
        assert (torn.status_code, torn.json()["type"]) == (400, "urn:curvewise:problem:unreadable-body")


def test_runs_beyond_the_limit_are_not_opened(database_url: str) -> None:
    with serving(Settings(database_url=database_url, project_runs=2)) as client:
        for name in ("a", "b", "a"):
            assert client.put(f"/api/v1/projects/p/runs/{name}").status_code in {200, 201}
        refused = client.put("/api/v1/projects/p/runs/c")
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:curvewise:problem:limit-reached"
        assert "CURVEWISE_PROJECT_RUNS" in refused.json()["detail"]
        tracked = client.post("/mlflow/api/2.0/mlflow/runs/create", json={"experiment_id": "1", "run_name": "d"})
        assert tracked.status_code == 400
        assert tracked.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        assert client.get("/api/v1/projects/p").json()["runs"] == 2
        assert client.delete("/api/v1/projects/p/runs/a").status_code == 204
        assert client.put("/api/v1/projects/p/runs/c").status_code == 201


def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path: Path) -> None:
    with serving(Settings(database_url=f"sqlite:///{tmp_path}/slow.db", body_timeout_s=0.3)) as client:
        client.put(RUN)
        address = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(address, timeout=20) as connection:
            head = f"POST {RUN}/points HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode() + b'{"curves": ')
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"slow-body" in answer
        assert client.post(f"{RUN}/points", json=points("a")).status_code == 200


@pytest.mark.parametrize("nesting", [200, 100_000])
def test_json_that_is_nested_deeply_is_refused_at_once(client: httpx.Client, run: str, nesting: int) -> None:
    deep = "[" * nesting + "]" * nesting
    for path, body in ((f"{run}/points", f'{{"points": {deep}}}'), ("/api/v1/diagnose", f'{{"curves": {deep}}}')):
        began = time.monotonic()
        reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= reply.status_code < 500
        assert time.monotonic() - began < 20  # it does not hang; how long it takes is for the benchmarks


def test_streams_beyond_the_limit_are_refused_until_one_ends(tmp_path: Path) -> None:
    with serving(Settings(database_url=f"sqlite:///{tmp_path}/streams.db", streams=2)) as client:
        client.put(RUN)
        with client.stream("GET", f"{RUN}/events") as first, client.stream("GET", f"{RUN}/events") as second:
            # Kept, because a stream ends with whoever reads its lines.
            lines = [stream.iter_lines() for stream in (first, second)]
            assert [next(one) for one in lines] == ["retry: 2000"] * 2
            with client.stream("GET", f"{RUN}/events") as refused:
                assert refused.status_code == 429
                assert int(refused.headers["Retry-After"]) >= 1
            assert client.get(RUN).status_code == 200
        for _ in range(100):
            with client.stream("GET", f"{RUN}/events") as again:
                if again.status_code == 200:
                    break
            time.sleep(0.1)
        assert again.status_code == 200
