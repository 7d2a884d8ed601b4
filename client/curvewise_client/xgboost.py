"""XGBoost: `xgboost.train(..., evals=[(train, "train"), (val, "val")], callbacks=[CurvewiseCallback(run)])`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xgboost.callback import TrainingCallback

from curvewise_client.run import Run


class CurvewiseCallback(TrainingCallback):
    """Logs every evaluation as `data/metric`, under the number of rounds boosted so far.

    names: what a data set is called, where it is not its own name. The scikit-learn interface calls them `validation_0`
    and so on, whatever they hold: pass {"validation_0": "train", "validation_1": "val"} for eval_set=[train, val].
    stop: end the training when the diagnosis advises it.
    """

    def __init__(self, run: Run, *, names: Mapping[str, str] | None = None, stop: bool = False) -> None:
        super().__init__()
        self._run = run
        self._names = dict(names or {})
        self._stop = stop

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Log the round; True ends the training."""
        found: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                name = f"{self._names.get(data, data)}/{metric}"
                if isinstance(values[-1], tuple):  # of cross-validation: mean and spread over the folds
                    found[name], found[f"{name}_std"] = values[-1]
                else:
                    found[name] = values[-1]
        rounds = model.num_boosted_rounds() if hasattr(model, "num_boosted_rounds") else epoch + 1
        self._run.log(rounds, found)
        return self._stop and self._run.should_stop() is not None
