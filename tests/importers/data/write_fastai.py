"""Writes fastai/: what fastai's CSVLogger leaves of one small classifier.

python -m venv V && V/bin/pip install 'fastai==2.8.12'
V/bin/python write_fastai.py
"""

from pathlib import Path

import torch
from fastai.callback.progress import CSVLogger
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy, error_rate

HERE = Path(__file__).parent / "fastai"


def learner() -> Learner:
    """A small classifier on seeded noise that carries its label."""
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (x[:, 0] + x[:, 1] > 0).long()
    data = [torch.utils.data.TensorDataset(x[part], y[part]) for part in (slice(0, 192), slice(192, 256))]
    loaders = DataLoaders(*(torch.utils.data.DataLoader(one, 32) for one in data))
    return Learner(
        loaders,
        torch.nn.Linear(8, 2),
        loss_func=torch.nn.functional.cross_entropy,
        metrics=[accuracy, error_rate],
        path=HERE,
    )


def main() -> None:
    """Measure on validation, as fastai does by default, then on both, then on training data alone."""
    HERE.mkdir(exist_ok=True)
    learner().fit(6, 0.1, cbs=CSVLogger("history.csv"))
    for name, validated in (("train_metrics.csv", True), ("train_alone.csv", False)):
        one = learner()
        one.recorder.train_metrics, one.recorder.valid_metrics = True, validated
        one.fit(3, 0.1, cbs=CSVLogger(name))


if __name__ == "__main__":
    main()
