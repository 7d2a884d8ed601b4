"""Writes openmmlab/: the JSON logs of MMEngine, counting epochs and counting iterations, and of MMCV before it.

python -m venv V && V/bin/pip install 'mmengine==0.10.7' 'torch==2.13.0' 'setuptools<70' wheel
V/bin/pip install --no-build-isolation 'mmcv==1.7.2'
V/bin/python write_openmmlab.py
"""

import logging
import shutil
import sys
import tempfile
import types
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

sys.modules["torchvision"] = types.ModuleType("torchvision")  # MMCV imports it for checkpoints of others
sys.modules["torchvision"].__version__ = "none"

import mmcv.runner  # noqa: E402

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
    run_mmcv()


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


class Trained(torch.nn.Linear):
    """What MMCV's runner calls: a batch's loss and what to log of it."""

    def train_step(self, batch, optimizer, **_):
        """One batch."""
        del optimizer
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
        return {"loss": loss, "log_vars": {"loss": loss.item()}, "num_samples": len(batch[0])}

    val_step = train_step


def run_mmcv() -> None:
    """Four epochs of ten iterations logged every fourth, validated after each; `iter` begins anew with each epoch."""
    torch.manual_seed(0)
    x, y = torch.randn(384, 8), torch.randint(0, 3, (384,))
    x[torch.arange(384), y] += 2.0
    loaders = [
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[part], y[part]), 32)
        for part in (slice(0, 320), slice(320, None))
    ]
    model = Trained(8, 3)
    with tempfile.TemporaryDirectory() as home:
        runner = mmcv.runner.EpochBasedRunner(
            model, optimizer=torch.optim.SGD(model.parameters(), 0.1), work_dir=home, max_epochs=4,
            logger=logging.getLogger("mmcv"), meta={"env_info": "text", "seed": 0, "exp_name": "tiny"},
        )  # fmt: skip
        log = {"interval": 4, "hooks": [{"type": "TextLoggerHook"}]}
        runner.register_training_hooks({"policy": "fixed"}, {}, None, log)
        runner.run(loaders, [("train", 1), ("val", 1)])
        (written,) = Path(home).glob("*.log.json")
        shutil.copy(written, HERE / "mmcv.log.json")


if __name__ == "__main__":
    main()
