"""A job as a user writes one: softmax regression on two classes, in numpy, a fraction of a second.

How it misbehaves is in MISBEHAVE: `fail` ends with 3, `silent` logs nothing, `hang` waits for ever and `deaf` waits for
ever and does not listen to SIGTERM; `slow` takes its time.
"""

import os
import signal
import sys
import time

import numpy as np

import curvewise_client as curvewise

how = os.environ.get("MISBEHAVE", "")
trial = curvewise.trial()
lr, decay = trial.config["lr"], trial.config.get("decay", 0.0)
steps = int(trial.planned_steps or 40)
random = np.random.default_rng(trial.settings.get("seed", 0))
x = random.normal(size=(200, 5))
y = (x @ np.arange(5.0) + random.normal(size=200) > 0).astype(float)
x_val, y_val, x, y = x[:100], y[:100], x[100:], y[100:]
w = np.zeros(5)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def loss(x: np.ndarray, y: np.ndarray) -> float:
    z = x @ w
    return float(np.mean(np.logaddexp(0, z) - y * z))


say(f"training {trial.config}")
if how == "fail":
    sys.exit(3)
if how == "silent":
    sys.exit(0)
run = curvewise.start(num_classes=2, config={"lr": lr, "by": "the job"}, interval_s=0.05)
for step in range(steps + 1):
    run.log(step, {"train/loss": loss(x, y), "lr": lr})
    if step % 4 == 0:
        run.log(step, {"val/loss": loss(x_val, y_val)})
    w -= lr * (x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(y) + decay * w)
    if how == "slow" or (how == "slow-when-bad" and lr < 0.001):
        time.sleep(0.05)
    if how in ("hang", "deaf") and step == 8:
        if how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("waiting")
        time.sleep(600)
run.finish()
