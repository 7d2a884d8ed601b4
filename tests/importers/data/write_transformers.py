"""Writes transformers/: the trainer states of a tiny language model, one of them with a loss that is NaN.

python -m venv V && V/bin/pip install 'transformers[torch]==5.24.0' 'torch==2.13.0'
    V/bin/python write_transformers.py
"""

import shutil
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

HERE = Path(__file__).parent / "transformers"


def main() -> None:
    """Thirty updates with two checkpoints; then ten at a rate that blows up, NaN not filtered."""
    set_seed(0)
    rows = [{"input_ids": t, "labels": t} for t in torch.randint(0, 20, (80, 1)).expand(80, 8).clone()]
    train(rows, "run", max_steps=30, save_steps=10, save_total_limit=2, learning_rate=1e-2)
    train(rows, "nan", max_steps=10, save_steps=10, learning_rate=1e30, logging_nan_inf_filter=False, max_grad_norm=0)


def train(rows: list[dict[str, torch.Tensor]], name: str, **options: object) -> None:
    """Keep what the log reader needs: the states and the checkpoints' names."""
    model = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=8, n_embd=16, n_layer=1, n_head=2))
    arguments = TrainingArguments(
        HERE / name, logging_steps=5, eval_strategy="steps", eval_steps=5, per_device_train_batch_size=8,
        report_to=[], use_cpu=True, disable_tqdm=True, **options,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows[:64], eval_dataset=rows[64:])
    trainer.train()
    trainer.save_state()
    for file in (HERE / name).rglob("*"):
        if file.is_file() and file.name != "trainer_state.json":
            file.unlink()
    for folder in sorted((p for p in (HERE / name).rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.rglob("trainer_state.json")):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
