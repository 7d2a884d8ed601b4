"""A server is killed while a receiver holds its message: the next one sends it again, under the same id."""

import httpx
from standardwebhooks import Webhook as Verifier

from tests.server_process import process, wait_until_ready
from tests.webhooks.receiver import receiving, wait_until

PROJECT = "/api/v1/projects/p"
SETTINGS = {
    "CURVEWISE_WEBHOOK_ALLOW_PRIVATE": "1",
    "CURVEWISE_WEBHOOK_TIMEOUT_S": "0.5",  # a claim lasts four times as long
    "CURVEWISE_WEBHOOK_RETRY_SCALE": "1e-9",
}


def delivered(client: httpx.Client, webhook: int) -> bool:
    [delivery] = client.get(f"{PROJECT}/webhooks/{webhook}/deliveries").json()["items"]
    return bool(delivery["state"] == "delivered")


def test_no_message_is_lost_with_the_server_that_sent_it(database_url: str) -> None:
    with receiving() as receiver:
        with process(database_url, **SETTINGS) as (server, client):
            wait_until_ready(client)
            client.put(f"{PROJECT}/runs/r").raise_for_status()
            made = client.post(f"{PROJECT}/webhooks", json={"url": receiver.url, "events": ["run_finished"]}).json()
            receiver.holding.set()
            client.post(f"{PROJECT}/runs/r/finish").raise_for_status()
            receiver.wait_for(1)
            server.kill()
            server.wait(timeout=30)
        receiver.holding.clear()
        with process(database_url, **SETTINGS) as (_, client):
            wait_until_ready(client)
            receiver.wait_for(2)
            wait_until(lambda: delivered(client, made["id"]))
        assert len({one.id for one in receiver.received}) == 1
        for one in receiver.received:
            assert Verifier(made["secret"]).verify(one.body, dict(one.headers))["type"] == "run_finished"
