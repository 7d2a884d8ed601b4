"""PyTorch Lightning: `Trainer(logger=CurvewiseLogger(run))`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:  # the same under its other name
    from pytorch_lightning import Callback, LightningModule, Trainer
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only

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
