"""Writes mlflow/: one experiment in the file store and in SQLite.

python -m venv V && V/bin/pip install 'mlflow==3.17.2' && V/bin/python write_mlflow.py
"""

import math
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
import numpy as np
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

HERE = Path(__file__).parent / "mlflow"


def main() -> None:
    """The same runs in both stores."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        write(f"file:{home}/mlruns")
        shutil.rmtree(Path(home) / "mlruns" / ".trash", ignore_errors=True)
        shutil.copytree(Path(home) / "mlruns", HERE / "mlruns")
        write(f"sqlite:///{home}/mlflow.db")
        for meta in (HERE / "mlruns").rglob("meta.yaml"):
            meta.write_text(meta.read_text().replace(home, "/home/me"))
        small(Path(home) / "mlflow.db", HERE / "store.sqlite")


def write(uri: str) -> None:
    """One run that trains, one that blows up and fails, one that names no step, one that is deleted."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("digits")
    client = MlflowClient()
    with mlflow.start_run(run_name="good") as run:
        mlflow.log_params({"lr": 0.1, "width": 16})
        mlflow.set_tag("team", "vision")
        data = mlflow.data.from_numpy(np.zeros(3), name="digits")
        mlflow.log_input(data)
        for step in range(20):
            mlflow.log_metric("train/loss", 2.3 * math.exp(-step / 10), step=step)
            mlflow.log_metric("val_loss", 2.4 * math.exp(-step / 12), step=step, dataset=data)
        mlflow.log_metric("train/loss", 0.25, step=19)
        batch = [Metric("lr", 0.1, 1_700_000_000_000 + step, step) for step in range(20)]
        client.log_batch(run.info.run_id, batch)
    mlflow.start_run(run_name="exploded")
    for step, value in enumerate((2.3, 4.0, math.inf, -math.inf, math.nan)):
        mlflow.log_metric("loss", value, step=step)
    mlflow.end_run("FAILED")
    with mlflow.start_run(run_name="no step"):
        for value in (3.0, 2.0, 1.5, 1.2):
            mlflow.log_metric("loss", value)
    with mlflow.start_run(run_name="deleted") as run:
        mlflow.log_metric("loss", 1.0, step=1)
    client.delete_run(run.info.run_id)


def small(source: Path, target: Path) -> None:
    """The tables that a reader looks at, as MLflow made them: the whole file is mostly empty tables of other things."""
    with sqlite3.connect(source) as whole, sqlite3.connect(target) as part:
        wanted = ("alembic_version", "experiments", "runs", "metrics", "latest_metrics", "params", "tags")
        for name, sql in whole.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            if name in wanted:
                part.execute(sql)
                rows = whole.execute(f"SELECT * FROM {name}").fetchall()
                if rows:
                    part.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)
    whole.close()
    part.close()


if __name__ == "__main__":
    main()
