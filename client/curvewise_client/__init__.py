"""Logs a training job's metrics into Curvewise, and cannot hurt the job.

import curvewise_client as curvewise
run = curvewise.start("mnist", "r1", num_classes=10, planned_steps=12_000)
run.log(step, {"train/loss": loss, "lr": lr})
run.finish()
"""

from curvewise_client.advice import Advice, Diagnosis
from curvewise_client.run import Run, start
from curvewise_client.version import __version__

__all__ = ["Advice", "Diagnosis", "Run", "__version__", "start"]
