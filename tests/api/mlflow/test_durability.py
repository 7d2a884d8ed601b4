"""A value that a client of MLflow was told is logged is on disk."""

from pathlib import Path

from tests.server_process import process, wait_until_ready

API = "/mlflow/api/2.0/mlflow"


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    with process(url) as (server, client):
        wait_until_ready(client)
        made = client.post(f"{API}/runs/create", json={"experiment_id": "0", "start_time": 1}).json()
        run = made["run"]["info"]["run_id"]
        for step in range(200):
            one = {"run_id": run, "key": "loss", "value": 1 / (step + 1), "timestamp": step, "step": step % 50}
            assert client.post(f"{API}/runs/log-metric", json=one).status_code == 200
        client.post(f"{API}/runs/log-parameter", json={"run_id": run, "key": "lr", "value": "0.1"}).raise_for_status()
        server.kill()
        server.wait()
    with process(url) as (_, client):
        wait_until_ready(client)
        query = {"run_id": run, "metric_key": "loss"}
        history = client.get(f"{API}/metrics/get-history", params=query).json()["metrics"]
        assert [(one["timestamp"], one["step"], one["value"]) for one in history] == [
            (step, step % 50, 1 / (step + 1)) for step in range(200)
        ]
        data = client.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]
        assert data["params"] == [{"key": "lr", "value": "0.1"}]
