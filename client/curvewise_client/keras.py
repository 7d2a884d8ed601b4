"""Keras 3: `model.fit(..., callbacks=[CurvewiseCallback(run)])`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from curvewise_client.run import Run

_LAGS = (
    "interval-mean: train metrics are running means over the epoch, taken while the weights changed, and val metrics "
    "are of the weights at its end: train lags by about half an epoch"
)


class CurvewiseCallback(keras.callbacks.Callback):
    """Logs every epoch's metrics under the optimiser updates made by its end, with the rate and the epoch.

    `loss` becomes `train/loss` and `val_loss` becomes `val/loss`; so for every metric. A model that is loaded with its
    optimiser goes on counting where it was. stop: end the training when the diagnosis advises it.
    """

    def __init__(self, run: Run, *, stop: bool = False) -> None:
        super().__init__()
        self._run = run
        self._stop = stop
        self._planned = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Say what the metrics are."""
        self._planned = False
        self._run.update(caveats=[_LAGS])

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Say once how long the training will be, which only the number of its first epoch tells."""
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        if epochs and steps and not self._planned:
            self._planned = True
            self._run.update(planned_steps=self._updates() + (epochs - epoch) * steps)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the epoch."""
        found = {_name(name): value for name, value in (logs or {}).items()}
        found.setdefault("lr", self.model.optimizer.learning_rate)
        self._run.log(self._updates(), {**found, "epoch": epoch + 1})
        if self._stop and self._run.should_stop():
            self.model.stop_training = True

    def _updates(self) -> int:
        return int(self.model.optimizer.iterations)


def _name(name: str) -> str:
    if name in ("lr", "learning_rate"):
        return "lr"
    return f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}"
