"""Jobs that only turn autologging on, each in a process of its own: training goes on, and what it logs arrives."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.frameworks import needed

KERAS = """
import keras, mlflow, numpy as np
mlflow.keras.autolog()
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
y = (x[:, 0] + x[:, 1] > 0).astype("int32")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
model.compile(
    optimizer=keras.optimizers.SGD(0.1),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x[:192], y[:192], validation_data=(x[192:], y[192:]), epochs=12, batch_size=32, verbose=0)
"""
SKLEARN = """
import mlflow, numpy as np
from sklearn.linear_model import LogisticRegression
mlflow.sklearn.autolog()
x = np.random.default_rng(0).normal(size=(60, 3))
LogisticRegression(C=0.5).fit(x, (x[:, 0] > 0).astype(int))
"""


def logged(job: str, server: httpx.Client, tracking_uri: str, folder: Path) -> tuple[dict[str, Any], str]:
    """The one run that the job logs, and what the job said."""
    project = uuid4().hex
    named = {
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_EXPERIMENT_NAME": project,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", job],
        cwd=folder,
        env={**os.environ, **named, "KERAS_BACKEND": "torch"},
        check=True,
        timeout=300,
        stderr=subprocess.PIPE,
        text=True,
    )
    (run,) = server.get(f"/api/v1/projects/{project}/runs").json()["items"]
    assert run["context"]["state"] == "finished"
    return run, done.stderr


def test_keras_is_logged_epoch_by_epoch_and_diagnosed(server: httpx.Client, tracking_uri: str, tmp_path: Path) -> None:
    needed("mlflow", "pandas", "keras", "torch")
    run, said = logged(KERAS, server, tracking_uri, tmp_path)
    curves = {one["name"]: one for one in run["curves"]}
    for name, role in {"loss": "train/loss", "val_loss": "val/loss", "val_accuracy": "val/accuracy"}.items():
        assert curves[name]["role"] == role
        # Logged again at the end, with the model: the same values, so they are told once.
        said_of = {"run_id": run["tags"]["mlflow.runId"], "metric_key": name}
        history = server.get("/mlflow/api/2.0/mlflow/metrics/get-history", params=said_of).json()["metrics"]
        assert [one["step"] for one in history] == list(range(12))
    assert run["config"]["optimizer_name"] == "sgd"
    assert [caveat.partition(":")[0] for caveat in run["context"]["caveats"]] == ["interval-mean"]
    assert "autologging encountered" not in said.lower()
    verdicts = server.get(f"/api/v1/projects/{run['project']}/runs/{run['run']}/diagnosis").json()["verdicts"]
    assert {one["rule"]: one["verdict"] for one in verdicts}["exploding"] == "clear"


def test_scikit_learn_is_logged_with_its_model(server: httpx.Client, tracking_uri: str, tmp_path: Path) -> None:
    needed("mlflow", "pandas", "sklearn")
    run, said = logged(SKLEARN, server, tracking_uri, tmp_path)
    assert run["config"]["C"] == "0.5"
    assert "training_accuracy_score" in {one["name"] for one in run["curves"]}
    assert "autologging encountered" not in said.lower()
    assert list((tmp_path / "mlartifacts").rglob("MLmodel"))
    run_id = run["tags"]["mlflow.runId"]
    found = server.get("/mlflow/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()["run"]
    (dataset,) = found["inputs"]["dataset_inputs"]
    assert dataset["dataset"]["name"] == "dataset"
    (output,) = found["outputs"]["model_outputs"]
    model = server.get(f"/mlflow/api/2.0/mlflow/logged-models/{output['model_id']}").json()["model"]
    assert model["info"]["status"] == "LOGGED_MODEL_READY"
    assert model["info"]["source_run_id"] == run_id
    unknown = server.get(f"/mlflow/api/2.0/mlflow/logged-models/m-{run_id}-1")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("status", ["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"])
def test_a_model_is_told_back_as_it_was_described(server: httpx.Client, status: str) -> None:
    def send(method: str, path: str, **body: object) -> dict[str, Any]:
        reply = server.request(method, f"/mlflow/api/2.0/mlflow/{path}", json=body)
        assert reply.status_code == 200
        told: dict[str, Any] = reply.json()
        return told

    run = send("POST", "runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
    made = send("POST", "logged-models", experiment_id="0", name="m", source_run_id=run,
                params=[{"key": "a", "value": "1"}])["model"]["info"]  # fmt: skip
    assert made["status"] == "LOGGED_MODEL_PENDING"
    path = f"logged-models/{made['model_id']}"
    send("PATCH", path, model_id=made["model_id"], status=status)
    send("PATCH", f"{path}/tags", tags=[{"key": "t", "value": "1"}])
    send("POST", f"{path}/params", params=[{"key": "a", "value": "2"}, {"key": "b", "value": "3"}])
    model = server.get(f"/mlflow/api/2.0/mlflow/{path}").json()["model"]
    assert model["info"]["status"] == status
    assert model["info"]["tags"] == [{"key": "t", "value": "1"}]
    assert model["data"]["params"] == [{"key": "a", "value": "2"}, {"key": "b", "value": "3"}]
    assert model["info"]["artifact_uri"] == f"mlartifacts/0/models/{made['model_id']}/artifacts"
