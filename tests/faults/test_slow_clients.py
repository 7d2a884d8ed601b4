"""Clients that dawdle cost the others nothing."""

import json
import socket
import time
from pathlib import Path

from tests.server_process import process, wait_until_ready

RUN = "/api/v1/projects/p/runs/r"
DAWDLERS = 50


def test_clients_that_send_a_byte_at_a_time(tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/slow.db") as (_, client):
        wait_until_ready(client)
        client.put(RUN)
        slow = [socket.create_connection((client.base_url.host, client.base_url.port or 0)) for _ in range(DAWDLERS)]
        bodies = [json.dumps({"points": [{"step": step, "slow": 1.0}]}).encode() for step in range(DAWDLERS)]
        for connection, body in zip(slow, bodies, strict=True):
            head = (
                f"POST {RUN}/points HTTP/1.1\r\nHost: [::1]\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            connection.sendall(head.encode())
        for at in range(max(map(len, bodies))):
            for connection, body in zip(slow, bodies, strict=True):
                connection.sendall(body[at : at + 1])
            assert client.post(f"{RUN}/points", json={"points": [{"step": at, "quick": 1.0}]}).status_code == 200
            time.sleep(0.05)
        for connection in slow:
            with connection, connection.makefile("rb") as answer:
                assert answer.readline().startswith(b"HTTP/1.1 200")
        curves = client.get(f"{RUN}/curves").json()["curves"]
        assert len(curves["slow"]["steps"]) == DAWDLERS
