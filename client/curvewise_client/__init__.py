"""Logs a training job's metrics into Curvewise, and cannot hurt the job.

import curvewise_client as curvewise
run = curvewise.start("mnist", "r1", num_classes=10, planned_steps=12_000)
run.log(step, {"train/loss": loss, "lr": lr})
run.finish()

The callbacks of `curvewise.keras`, `.lightning`, `.transformers` and `.xgboost` are imported when they are asked for.
"""

from importlib import import_module
from types import ModuleType

from curvewise_client.advice import Advice, Diagnosis
from curvewise_client.autopilot import Autopilot
from curvewise_client.run import Run, start
from curvewise_client.trial import Trial, trial
from curvewise_client.version import __version__

__all__ = ["Advice", "Autopilot", "Diagnosis", "Run", "Trial", "__version__", "start", "trial"]

_OF_FRAMEWORKS = ("keras", "lightning", "transformers", "xgboost")


def __getattr__(name: str) -> ModuleType:
    """The module for a framework, which it imports. Raises AttributeError, and ImportError where that is missing."""
    if name in _OF_FRAMEWORKS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
