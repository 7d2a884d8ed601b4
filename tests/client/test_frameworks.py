"""Jobs of the real frameworks, each in a process of its own as a user writes it: names, steps, epochs and caveats."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client.reading import curves, described, left_in
from tests.client.stub import Answer, Request, Stub, stub
from tests.frameworks import needed

START = """
import sys
import numpy as np
import curvewise_client as curvewise
run = curvewise.start(sys.argv[1], "r", num_classes=3)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(256, 8)).astype("float32"), rng.integers(0, 3, 256)
x[np.arange(256), y] += 2.0
"""
# A module, and four epochs of four batches each with one callback.
LINEAR_IN_LIGHTNING = """
import warnings
import lightning
import torch
warnings.simplefilter("ignore")
class Linear(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 3)
    def training_step(self, batch, _):
        loss = torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss
def fit(module, callback):
    trainer = lightning.Trainer(
        max_epochs=4, logger=curvewise.lightning.CurvewiseLogger(run), callbacks=[callback], accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )
    held = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    trainer.fit(module, torch.utils.data.DataLoader(held, batch_size=64))
    return trainer
"""


def job(code: str, project: str, url: str, spool: Path, *, before: str = "", quiet: bool = True) -> str:
    """Run it -> what it printed. It must end well, and where it is quiet say nothing of ours on stderr."""
    environ = os.environ | {"CURVEWISE_URL": url, "CURVEWISE_SPOOL": str(spool), "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", START + before + textwrap.dedent(code), project],
        env=environ, cwd=spool.parent, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not quiet or "curvewise" not in done.stderr
    assert not left_in(spool)
    return done.stdout


def test_keras(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("keras", "torch")
    job(
        """
        import keras
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, activation="softmax")]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        data = {"x": x[:192], "y": y[:192], "validation_data": (x[192:], y[192:]), "batch_size": 32, "verbose": 0}
        halved = keras.callbacks.LearningRateScheduler(lambda epoch, lr: 0.1 if epoch < 3 else 0.05)
        callback = curvewise.keras.CurvewiseCallback(run)
        history = model.fit(**data, epochs=4, callbacks=[halved, callback]).history
        history2 = model.fit(**data, epochs=6, initial_epoch=4, callbacks=[callback]).history
        run.update(config={name: history[name] + history2[name] for name in history if name in history2})
        run.finish()
        """,
        project, url, spool,
    )  # fmt: skip
    run, found = described(server, project), curves(server, project)
    ends = [6.0 * epoch for epoch in range(1, 7)]  # six batches an epoch
    assert {name: list(curve) for name, curve in found.items()} == dict.fromkeys(
        ["epoch", "lr", "train/accuracy", "train/loss", "val/accuracy", "val/loss"], ends
    )
    for ours, theirs in {"train/loss": "loss", "val/loss": "val_loss", "val/accuracy": "val_accuracy"}.items():
        assert list(found[ours].values()) == pytest.approx(run["config"][theirs], rel=1e-6)
    assert list(found["epoch"].values()) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert list(found["lr"].values()) == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.05])
    assert {curve["name"]: curve["role"] for curve in run["curves"]} == {name: name for name in found}
    assert run["context"]["planned_steps"] == 36
    (caveat,) = run["context"]["caveats"]
    assert caveat.startswith("interval-mean: ")
    assert "half an epoch" in caveat


LIGHTNING = """
    import lightning, torch, warnings, logging
    from lightning.pytorch.callbacks import LearningRateMonitor
    warnings.simplefilter("ignore")
    lightning.seed_everything(0, verbose=False)

    class Classifier(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.save_hyperparameters({"width": 16})
            self.net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
        def loss(self, batch):
            return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        def training_step(self, batch, _):
            loss = self.loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss
        def validation_step(self, batch, _):
            self.log("val_loss", self.loss(batch))
        test_step = validation_step
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    def loader(part):
        data = torch.utils.data.TensorDataset(torch.tensor(x[part]), torch.tensor(y[part]))
        return torch.utils.data.DataLoader(data, 32, num_workers=WORKERS)

    logger = curvewise.lightning.CurvewiseLogger(run)
    trainer = lightning.Trainer(
        max_epochs=3, logger=logger, log_every_n_steps=1, callbacks=[LearningRateMonitor()], accelerator="cpu",
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(Classifier(), loader(slice(0, 192)), loader(slice(192, 256)))
    run.finish()
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_lightning(server: httpx.Client, url: str, project: str, spool: Path, workers: int) -> None:
    """With workers, which are forked from the job, as without."""
    needed("lightning", "torch")
    job(LIGHTNING.replace("WORKERS", str(workers)), project, url, spool)
    run, found = described(server, project), curves(server, project)
    assert list(found["train_loss_step"]) == [float(step) for step in range(18)]
    assert list(found["val_loss"]) == list(found["train_loss_epoch"]) == [5.0, 11.0, 17.0]
    assert list(found["epoch"].values()) == [step // 6 for step in range(18)]
    assert set(found["lr-SGD"].values()) == {0.1}
    assert {curve["name"]: curve["role"] for curve in run["curves"]} == {
        "epoch": "epoch", "lr-SGD": "lr", "train_loss_epoch": "train/loss", "train_loss_step": "train/loss",
        "val_loss": "val/loss",
    }  # fmt: skip
    assert run["config"] == {"width": 16}


TRANSFORMERS = """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed
    set_seed(0)
    rows = [{"input_ids": t, "labels": t} for t in torch.randint(0, 20, (80, 1)).expand(80, 8).clone()]
    model = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=8, n_embd=16, n_layer=1, n_head=2))
    arguments = TrainingArguments(
        "out", logging_steps=5, eval_strategy="steps", eval_steps=10, per_device_train_batch_size=8, report_to=[],
        use_cpu=True, disable_tqdm=True, save_strategy="no", max_steps=30, OPTIONS
    )
    callback = curvewise.transformers.CurvewiseCallback(run)
    Trainer(model, arguments, train_dataset=rows[:64], eval_dataset=rows[64:], callbacks=[callback]).train()
    run.finish()
"""


def test_transformers(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("transformers", "torch", "accelerate")
    job(TRANSFORMERS.replace("OPTIONS", "learning_rate=1e-2"), project, url, spool)
    run, found = described(server, project), curves(server, project)
    logged, evaluated = [5.0, 10.0, 15.0, 20.0, 25.0, 30.0], [10.0, 20.0, 30.0]
    assert list(found["train/loss"]) == list(found["lr"]) == list(found["epoch"]) == logged
    assert list(found["val/loss"]) == evaluated
    assert found["epoch"][20.0] == 2.5
    assert found["lr"][30.0] < found["lr"][5.0] <= 1e-2
    roles = {curve["name"]: curve["role"] for curve in run["curves"]}
    assert {name: roles[name] for name in ("train/loss", "val/loss", "lr", "epoch")} == {
        "train/loss": "train/loss", "val/loss": "val/loss", "lr": "lr", "epoch": "epoch"
    }  # fmt: skip
    assert roles["summary/train_loss"] is None  # the mean over the whole training is no point of the curve
    assert run["context"]["planned_steps"] == 30
    assert [caveat.partition(":")[0] for caveat in run["context"]["caveats"]] == ["interval-mean", "non-finite-hidden"]


def test_transformers_that_diverges_unfiltered(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("transformers", "torch", "accelerate")
    options = "learning_rate=1e30, logging_nan_inf_filter=False, max_grad_norm=0"
    job(TRANSFORMERS.replace("OPTIONS", options).replace("logging_steps=5", "logging_steps=1"), project, url, spool)
    assert "NaN" in curves(server, project)["train/loss"].values()
    assert described(server, project)["context"]["caveats"] == []


def test_xgboost(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("xgboost", "sklearn")
    said = job(
        """
        import json, xgboost
        train, val = xgboost.DMatrix(x[:192], y[:192]), xgboost.DMatrix(x[192:], y[192:])
        params = {"objective": "multi:softprob", "num_class": 3, "eval_metric": "mlogloss"}
        options = {"evals": [(train, "train"), (val, "val")], "verbose_eval": False}
        callbacks = [curvewise.xgboost.CurvewiseCallback(run)]
        result = {}
        booster = xgboost.train(params, train, 10, callbacks=callbacks, evals_result=result, **options)
        xgboost.train(params, train, 5, xgb_model=booster, callbacks=callbacks, **options)
        run.finish()
        by_class = curvewise.start(sys.argv[1], "by class", num_classes=3)
        names = {"validation_0": "train", "validation_1": "val"}
        callback = curvewise.xgboost.CurvewiseCallback(by_class, names=names)
        model = xgboost.XGBClassifier(n_estimators=6, callbacks=[callback])
        model.fit(x[:192], y[:192], eval_set=[(x[:192], y[:192]), (x[192:], y[192:])], verbose=False)
        by_class.finish()
        print(json.dumps(result["val"]["mlogloss"]))
        """,
        project, url, spool,
    )  # fmt: skip
    found = curves(server, project)
    assert list(found["val/mlogloss"]) == list(found["train/mlogloss"]) == [float(step) for step in range(1, 16)]
    assert list(found["val/mlogloss"].values())[:10] == pytest.approx([float(v) for v in said.strip("[]\n").split(",")])
    assert {c["name"]: c["role"] for c in described(server, project)["curves"]} == {
        "train/mlogloss": "train/loss", "val/mlogloss": "val/loss"
    }  # fmt: skip
    assert {c["name"]: c["points"] for c in described(server, project, "by class")["curves"]} == {
        "train/mlogloss": 6, "val/mlogloss": 6
    }  # fmt: skip


def test_a_plain_pytorch_loop(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("torch")
    job(
        """
        import torch
        net = torch.nn.Linear(8, 3)
        optimiser = torch.optim.SGD(net.parameters(), 0.1)
        xs, ys = torch.tensor(x), torch.tensor(y)
        for step in range(50):
            loss = torch.nn.functional.cross_entropy(net(xs), ys)
            optimiser.zero_grad(); loss.backward(); optimiser.step()
            accuracy = (net(xs).argmax(1) == ys).float().mean()
            half = loss.detach().to(torch.bfloat16)
            run.log(step, {"train/loss": loss, "train/accuracy": accuracy, "lr": 0.1, "half": half})
        run.finish()
        """,
        project, url, spool,
    )  # fmt: skip
    found = curves(server, project)
    assert {name: len(curve) for name, curve in found.items()} == dict.fromkeys(
        ["train/loss", "train/accuracy", "lr", "half"], 50
    )
    assert found["train/loss"][49.0] < found["train/loss"][0.0]


def test_partial_fit(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    needed("sklearn")
    job(
        """
        from sklearn.linear_model import SGDClassifier
        from sklearn.metrics import log_loss
        model = SGDClassifier(loss="log_loss", random_state=0)
        for epoch in range(8):
            model.partial_fit(x[:192], y[:192], classes=[0, 1, 2])
            train, val = (log_loss(y[part], model.predict_proba(x[part])) for part in (slice(192), slice(192, 256)))
            run.log(epoch, {"train/loss": train, "val/loss": val})
        run.finish()
        """,
        project, url, spool,
    )  # fmt: skip
    found: dict[str, Any] = curves(server, project)
    assert list(found["train/loss"]) == list(found["val/loss"]) == [float(epoch) for epoch in range(8)]


@pytest.mark.parametrize("framework", ["keras", "lightning", "transformers"])
def test_training_stops_when_it_is_asked_to_and_advised(
    server: httpx.Client, url: str, project: str, spool: Path, framework: str
) -> None:
    """A run whose loss has become NaN is advised to stop; only the callback that was asked to stop does."""
    needed(framework, "torch")
    code = {
        "keras": """
            import keras, time
            model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
            model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
            pause = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: run.diagnosis())
            callback = curvewise.keras.CurvewiseCallback(run, stop=STOP)
            print(len(model.fit(x, y, verbose=0, epochs=20, callbacks=[pause, callback]).epoch))
        """,
        "lightning": """
            import lightning, torch
            class Net(lightning.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = torch.nn.Linear(8, 3)
                def training_step(self, batch, _):
                    loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
                    self.log("train_loss", loss)
                    return loss
                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), 0.1)
            stopping = [curvewise.lightning.StopWhenAdvised(run)] if STOP else []
            data = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
            trainer = lightning.Trainer(
                max_epochs=20, callbacks=stopping, accelerator="cpu", enable_checkpointing=False, log_every_n_steps=1,
                logger=curvewise.lightning.CurvewiseLogger(run), enable_progress_bar=False,
            )
            trainer.fit(Net(), torch.utils.data.DataLoader(data, 256))
            print(trainer.current_epoch)
        """,
        "transformers": """
            import torch, time
            from transformers import TrainerCallback, Trainer, TrainingArguments
            class Net(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.net = torch.nn.Linear(8, 3)
                def forward(self, x, labels):
                    return {"loss": torch.nn.functional.cross_entropy(self.net(x), labels)}
            class Pause(TrainerCallback):
                def on_log(self, *_, **__): run.diagnosis()
            arguments = TrainingArguments(
                "out", logging_steps=1, report_to=[], use_cpu=True, disable_tqdm=True, save_strategy="no", max_steps=20,
            )
            callback = curvewise.transformers.CurvewiseCallback(run, stop=STOP)
            rows = [{"x": torch.tensor(a), "labels": int(b)} for a, b in zip(x, y)]
            trainer = Trainer(Net(), arguments, train_dataset=rows, callbacks=[Pause(), callback])
            trainer.train()
            print(trainer.state.global_step)
        """,
    }[framework]
    before = """
        for step in range(30):
            run.log(step / 1000, {"train/loss": 1.0 if step < 20 else float("nan")})
        assert run.should_stop(timeout_s=20).action == "stop"
    """
    done = {
        stop: int(job(textwrap.dedent(before) + textwrap.dedent(code).replace("STOP", str(stop)) + "run.finish()\n",
                      f"{project}{stop}", url, spool).split()[-1])
        for stop in (True, False)
    }  # fmt: skip
    assert done[False] == 20
    assert done[True] < 5


def advising(request: Request) -> Answer:
    """What a server says that finds a plateau in whatever it has seen."""
    if not request.path.endswith("/diagnosis"):
        return Answer()
    decay = {"text": "Decay.", "action": "decay_lr", "args": {"factor": 0.1}}
    found = {"code": "CW002", "rule": "decay_needed", "verdict": "finding", "severity": "warning", "confidence": 0.9}
    return Answer(200, {"through_step": 12, "verdicts": [{**found, "summary": "", "recommendations": [decay]}]})


def told(serving: Stub) -> list[dict[str, Any]]:
    """The actions that the job told of."""
    return [json.loads(request.body) for request in serving.requests if "/actions/" in request.path]


def test_keras_on_autopilot(project: str, spool: Path) -> None:
    needed("keras", "torch")
    with stub(advising) as serving:
        out = job(
            """
            import keras
            model = keras.Sequential([keras.layers.Dense(3)])
            model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            allow = {"decay_lr", "continue"}
            flown = curvewise.keras.AutopilotCallback(run, allow=allow, timeout_s=20, hold=1, landing=None)
            logs = curvewise.keras.CurvewiseCallback(run)
            model.fit(x, y, batch_size=64, verbose=0, epochs=3, callbacks=[logs, flown])
            model.fit(x, y, batch_size=64, verbose=0, epochs=2, callbacks=[logs, flown])
            print(float(model.optimizer.learning_rate), len(flown.pilot.acts))
            schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
            model.compile(keras.optimizers.SGD(schedule), "mse")
            print(run.autopilot(model.optimizer, allow={"decay_lr"})._steering)
            run.finish()
            """,
            project, serving.url, spool, quiet=False,
        )  # fmt: skip
    rate, acts, refused = out.split()
    assert (float(rate), int(acts), refused) == (pytest.approx(0.01), 1, "None")
    assert [(one["action"], one["code"]) for one in told(serving)] == [("decay_lr", "CW002")]


def test_lightning_on_autopilot_under_a_schedule_that_sets_the_rate_itself(project: str, spool: Path) -> None:
    needed("lightning", "torch")
    with stub(advising) as serving:
        out = job(
            """
            class Scheduled(Linear):
                def configure_optimizers(self):
                    optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
                    return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0)]
            flown = curvewise.lightning.FlyByAutopilot(run, allow={"decay_lr"}, timeout_s=20, hold=1)
            trainer = fit(Scheduled(), flown)
            print(trainer.optimizers[0].param_groups[0]["lr"], len(flown.pilot.acts))
            run.finish()
            """,
            project, serving.url, spool, before=LINEAR_IN_LIGHTNING,
        )  # fmt: skip
    rate, acts = out.split()[-2:]
    assert (float(rate), int(acts)) == (pytest.approx(0.01), 1)
    assert [(one["action"], one["code"]) for one in told(serving)] == [("decay_lr", "CW002")]
