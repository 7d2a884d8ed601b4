"""PyTorch Lightning: `Trainer(logger=CurvewiseLogger(run))`."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Collection, Mapping
from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:  # the same under its other name
    from pytorch_lightning import Callback, LightningModule, Trainer
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only

from curvewise_client.autopilot import Autopilot
from curvewise_client.run import Run


class CurvewiseLogger(Logger):
    """Logs what the module logs, under the module's own names and Lightning's step, with the epoch.

    The server knows what `train_loss_step`, `train_loss_epoch`, `val_loss` and `lr-SGD` stand for. What
    `save_hyperparameters` saves becomes the run's config. The run is not finished with `fit`: `test` may follow.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    @property
    def name(self) -> str:
        """The project."""
        return self._run.project

    @property
    def version(self) -> str:
        """The run."""
        return self._run.name

    @property
    def experiment(self) -> Run:
        """The run itself, as `self.logger.experiment` in a module."""
        return self._run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log them; a call without a step is left out, with a warning."""
        self._run.log(step, metrics)  # type: ignore[arg-type]

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Say them as the run's config."""
        self._run.update(config=params)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """After each of fit, validate and test."""
        self._run.flush()


class StopWhenAdvised(Callback):
    """Ends the training at the end of an epoch when the diagnosis advises it: `Trainer(callbacks=[...])`."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Only rank 0 is advised; the others follow it."""
        advised = self._run.should_stop() is not None
        trainer.should_stop = trainer.should_stop or trainer.strategy.reduce_boolean_decision(advised, all=False)


class FlyByAutopilot(Callback):
    """Acts on the run's findings at the end of an epoch, as far as `allow` goes: `Trainer(callbacks=[...])`.

    allow, options: as of `Autopilot`, `landing` and `restore` among them; `continue` adds epochs. timeout_s: wait at
    most so long for a diagnosis of each epoch [seconds]. pilot: the autopilot, once training has begun. With several
    processes it does nothing, and says so.
    """

    def __init__(self, run: Run, *, allow: Collection[str], timeout_s: float = 0.0, **options: Any) -> None:
        super().__init__()
        self.pilot: Autopilot | None = None
        self._run = run
        self._allow = allow
        self._timeout_s = timeout_s
        self._options = options
        self._state: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take hold of the first optimiser's rate."""
        if self.pilot is None:
            schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
            options = {"planned_steps": trainer.estimated_stepping_batches, **self._options}
            self.pilot = self._run.autopilot(
                trainer.optimizers[0], allow=self._allow, scheduler=next(iter(schedulers), None), **options
            )
            if self._state:
                self.pilot.load_state_dict(self._state)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Follow a rate that is on its way down."""
        if self.pilot is not None:
            self.pilot.follow(trainer.global_step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look whether there is something to do."""
        if self.pilot is None:
            return
        self.pilot.step(trainer.global_step, self._timeout_s)
        trainer.should_stop = trainer.should_stop or self.pilot.should_stop
        if trainer.max_epochs == trainer.current_epoch + 1 and self.pilot.goes_on(trainer.global_step):
            self._prolong(trainer, self.pilot.planned_steps)

    def state_dict(self) -> dict[str, Any]:
        """In the trainer's checkpoints."""
        return self._state if self.pilot is None else self.pilot.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint, before training begins."""
        self._state = state_dict

    @staticmethod
    def _prolong(trainer: Trainer, planned_steps: float | None) -> None:
        """By whole epochs, as many as hold the steps that are left."""
        epochs = trainer.current_epoch + 1
        if planned_steps is not None and trainer.global_step > 0:
            left = planned_steps - trainer.global_step
            trainer.fit_loop.max_epochs = epochs + math.ceil(left * epochs / trainer.global_step)
