"""Hugging Face Transformers: `Trainer(..., callbacks=[CurvewiseCallback(run)])`."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curvewise_client.run import Run

_MEAN = "interval-mean: train/loss is the mean over the updates since the last logging"
_FILTERED = (
    "non-finite-hidden: NaN and infinite losses were replaced by a running mean before they were logged; "
    "logging_nan_inf_filter=False logs them as they are"
)


class CurvewiseCallback(TrainerCallback):
    """Logs what the Trainer logs, under its global step.

    `loss` becomes `train/loss`, `eval_loss` becomes `val/loss`, `learning_rate` becomes `lr`. The summary at the end,
    where `train_loss` is the mean over the whole training, is logged as `summary/...`. stop: end the training when the
    diagnosis advises it, in a job of one process.
    """

    def __init__(self, run: Run, *, stop: bool = False) -> None:
        self._run = run
        self._stop = stop

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say what the metrics are, and how long the training will be."""
        if state.is_world_process_zero:
            self._run.update(
                planned_steps=state.max_steps if state.max_steps > 0 else None,
                caveats=_caveats(args),
            )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log it."""
        if not state.is_world_process_zero or not logs:
            return
        summary = "train_runtime" in logs
        found = {_name(name, summary): value for name, value in logs.items() if _is_number(value)}
        self._run.log(state.global_step, found)
        if self._stop and args.world_size == 1 and self._run.should_stop():
            control.should_training_stop = True


def _caveats(args: TrainingArguments) -> list[str]:
    every_update = args.logging_strategy == "steps" and args.logging_steps == 1
    return ([] if every_update else [_MEAN]) + ([_FILTERED] if args.logging_nan_inf_filter else [])


def _name(name: str, summary: bool) -> str:
    if name == "epoch":
        return name
    if summary:
        return f"summary/{name}"
    if name == "learning_rate":
        return "lr"
    for prefix, split in (("eval_", "val"), ("test_", "test")):
        if name.startswith(prefix):
            return f"{split}/{name[len(prefix) :]}"
    return f"train/{name}"


def _is_number(value: object) -> bool:
    return not isinstance(value, (str, bool, dict, list))  # some versions log texts beside
