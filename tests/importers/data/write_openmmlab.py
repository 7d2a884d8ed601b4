"""Writes openmmlab/: the JSON logs of MMEngine runners, one that counts epochs and one that counts iterations.

python -m venv V && V/bin/pip install 'mmengine==0.10.7' 'torch==2.13.0' && V/bin/python write_openmmlab.py
"""

import shutil
import tempfile
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

HERE = Path(__file__).parent / "openmmlab"


class Classifier(BaseModel):
    """Two layers, three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))

    def forward(self, x, y, mode):
        """The loss, or predictions beside their labels."""
        out = self.net(x)
        return {"loss": torch.nn.functional.cross_entropy(out, y)} if mode == "loss" else (out.argmax(1), y)


class Accuracy(BaseMetric):
    """Logged as accuracy/top1 [per cent], like MMPretrain's."""

    default_prefix = "accuracy"

    def process(self, _batch, predicted):
        """One batch."""
        self.results.append((predicted[0] == predicted[1]).float().mean().item())

    def compute_metrics(self, results):
        """All of them."""
        return {"top1": 100 * sum(results) / len(results)}


def main() -> None:
    """Five epochs of ten iterations, logged every fourth; fifty iterations, validated every twentieth."""
    run("by_epoch", {"by_epoch": True, "max_epochs": 5, "val_interval": 1})
    run("by_iteration", {"by_epoch": False, "max_iters": 50, "val_interval": 20})


def run(name: str, train: dict[str, object]) -> None:
    """Keep the log alone."""
    torch.manual_seed(0)
    x, y = torch.randn(384, 8), torch.randint(0, 3, (384,))
    x[torch.arange(384), y] += 2.0
    rows = list(zip(x, y, strict=True))
    loader = {"batch_size": 32, "num_workers": 0, "collate_fn": {"type": "default_collate"}}
    sampler = {"type": "DefaultSampler", "shuffle": True}
    with tempfile.TemporaryDirectory() as home:
        Runner(
            Classifier(), home, experiment_name=name,
            train_dataloader={**loader, "dataset": rows[:320], "sampler": sampler},
            val_dataloader={**loader, "dataset": rows[320:], "sampler": {**sampler, "shuffle": False}},
            train_cfg=train, val_cfg={}, val_evaluator=[Accuracy()],
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
            default_hooks={"logger": {"type": "LoggerHook", "interval": 4, "log_metric_by_epoch": train["by_epoch"]}},
            log_processor={"by_epoch": train["by_epoch"]}, randomness={"seed": 0},
        ).train()  # fmt: skip
        (scalars,) = Path(home).rglob("scalars.json")
        HERE.mkdir(exist_ok=True)
        shutil.copy(scalars, HERE / f"{name}.json")


if __name__ == "__main__":
    main()
