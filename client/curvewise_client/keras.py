"""Keras 3: `model.fit(..., callbacks=[CurvewiseCallback(run)])`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras

from curvewise_client.autopilot import Autopilot
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


class AutopilotCallback(keras.callbacks.Callback):
    """Acts on the run's findings at the end of an epoch, as far as `allow` goes: after `CurvewiseCallback` in the list.

    allow: of `decay_lr`, `lower_lr`, `raise_lr` and `stop`; `fit` makes the epochs that it was told, so nothing can
    continue it. options: as of `Autopilot`, `landing` and `restore` among them; the plan is `fit`'s unless they say
    another. timeout_s: wait at most so long for a diagnosis of each epoch [seconds]. pilot: the autopilot, once
    training has begun.
    """

    def __init__(self, run: Run, *, allow: Collection[str], timeout_s: float = 0.0, **options: Any) -> None:
        super().__init__()
        self.pilot: Autopilot | None = None
        self._run = run
        self._allow = frozenset(allow) - {"continue"}
        self._timeout_s = timeout_s
        self._options = options
        self._begun = 0  # updates before this epoch
        self._begins = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """A second `fit` goes on with what was done in the first."""
        self._begins = True

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Take hold of the optimiser's rate, and of the plan, which only the number of the first epoch tells."""
        self._begun = int(self.model.optimizer.iterations)
        if not self._begins:
            return
        self._begins = False
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        plan = {"planned_steps": self._begun + (epochs - epoch) * steps} if epochs and steps else {}
        if self.pilot is None:
            self.pilot = self._run.autopilot(self.model.optimizer, allow=self._allow, **{**plan, **self._options})
        elif plan and "planned_steps" not in self._options:
            self.pilot.replan(plan["planned_steps"])

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Follow a rate that is on its way down."""
        if self.pilot is not None:
            self.pilot.follow(self._begun + batch + 1)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look whether there is something to do."""
        if self.pilot is not None:
            self.pilot.step(int(self.model.optimizer.iterations), self._timeout_s)
            self.model.stop_training = self.model.stop_training or self.pilot.should_stop


def _name(name: str) -> str:
    if name in ("lr", "learning_rate"):
        return "lr"
    return f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}"
