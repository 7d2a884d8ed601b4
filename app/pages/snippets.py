"""The lines that log a first run, for a server at this address."""

from dataclasses import dataclass

_CURL = """\
RUN={address}/api/v1/projects/first/runs/with-curl
curl -fsS -X PUT $RUN
curl -fsS $RUN/points -H 'Content-Type: application/json' \\
  -d '{{"curves": {{"train/loss": {{"steps": [0, 100, 200, 300], "values": [2.31, 1.74, NaN, NaN]}}}}}}'
curl -fsS -X POST $RUN/finish
"""
_CLIENT = """\
import curvewise_client as curvewise

run = curvewise.start("first", "with-the-client", url="{address}")
for step in range(1000):
    run.log(step, {{"train/loss": 2.3 * 0.99**step}})  # your training step
run.finish()
"""
_MLFLOW = """\
import mlflow

mlflow.set_tracking_uri("{address}/mlflow")
mlflow.set_experiment("first")
with mlflow.start_run(run_name="with-mlflow"):
    for step in range(1000):
        mlflow.log_metric("train/loss", 2.3 * 0.99**step, step=step)  # your training step
"""


@dataclass(frozen=True)
class Snippets:
    """Each does the same: opens a run in project `first`, sends points, closes it."""

    curl: str
    client: str
    mlflow: str


def snippets(address: str) -> Snippets:
    """address: without a slash at the end."""
    return Snippets(*(text.format(address=address) for text in (_CURL, _CLIENT, _MLFLOW)))
