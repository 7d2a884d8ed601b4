"""Writes wandb/: two offline runs, one finished and one killed.

python -m venv V && V/bin/pip install 'wandb==0.31.0' && V/bin/python write_wandb.py
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import wandb

HERE = Path(__file__).parent / "wandb"


def main() -> None:
    """The second run's process kills itself in the middle."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    with tempfile.TemporaryDirectory() as home:
        for name, killed in (("finished", False), ("killed", True)):
            subprocess.run([sys.executable, __file__, name, home, str(int(killed))], check=False, timeout=120)
            (found,) = Path(home).rglob(f"run-{name}.wandb")
            folder = HERE / f"offline-run-20260101_000000-{name}"
            folder.mkdir()
            shutil.copy(found, folder / found.name)


def job(name: str, home: str, *, killed: bool) -> None:
    """Log a dict a step, nested ones and a NaN among them."""
    settings = wandb.Settings(x_disable_stats=True, x_disable_meta=True, console="off", disable_git=True)
    run = wandb.init(
        project="digits", name=f"run {name}", id=name, dir=home, mode="offline",
        config={"lr": 0.1, "net": {"width": 16}}, settings=settings,
    )  # fmt: skip
    for step in range(150):
        row = {"train/loss": 2.3 * math.exp(-step / 90), "lr": 0.1, "val": {"acc": 1 - math.exp(-step / 90)}}
        if step % 10 == 0:
            row["val/loss"] = 2.4 * math.exp(-step / 100)
        run.log(row | {"note": "text", "flag": True} if step == 5 else row)
    run.log({"train/loss": math.nan, "val/loss": math.inf})
    if killed:
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGKILL)
    run.finish()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        job(sys.argv[1], sys.argv[2], killed=sys.argv[3] == "1")
