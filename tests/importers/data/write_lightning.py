"""Writes lightning/: what Lightning's CSVLogger and TensorBoardLogger leave of one small classifier.

python -m venv V && V/bin/pip install 'lightning==2.6.6' 'torch==2.13.0' tensorboard && V/bin/python write_lightning.py
"""

from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

HERE = Path(__file__).parent / "lightning"


class Classifier(lightning.LightningModule):
    """Two layers, three classes; logs a batch's loss and the epoch's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters({"width": 16, "lr": 0.1})
        self.net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))

    def training_step(self, batch, _index):
        """Logs train_loss_step and train_loss_epoch."""
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, _index):
        """Logs val_loss and val_acc, means over the epoch."""
        out = self.net(batch[0])
        self.log("val_loss", torch.nn.functional.cross_entropy(out, batch[1]))
        self.log("val_acc", (out.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        """A step decay."""
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)]


def main() -> None:
    """Train for six epochs of eight batches, logging every second."""
    lightning.seed_everything(0, verbose=False)
    x, y = torch.randn(320, 8), torch.randint(0, 3, (320,))
    x[torch.arange(320), y] += 2.0
    train = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[:256], y[:256]), 32, shuffle=True)
    val = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[256:], y[256:]), 32)
    loggers = [CSVLogger(HERE, name="csv"), TensorBoardLogger(HERE, name="tensorboard")]
    trainer = lightning.Trainer(
        max_epochs=6, logger=loggers, log_every_n_steps=2, callbacks=[LearningRateMonitor()], accelerator="cpu",
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Classifier(), train, val)


if __name__ == "__main__":
    main()
