"""Keras and Lightning know their own plan, and follow a rate on its way to zero batch by batch."""

from pathlib import Path

import pytest

from tests.client.stub import Answer, Request, stub
from tests.client.test_frameworks import LINEAR_IN_LIGHTNING, advising, job, told
from tests.frameworks import needed


def content(request: Request) -> Answer:
    """What a server says that finds nothing."""
    if not request.path.endswith("/diagnosis"):
        return advising(request)
    return Answer(200, {"through_step": 12, "verdicts": []})


def test_keras_lands_and_a_second_fit_begins_at_the_rate_again(project: str, spool: Path) -> None:
    needed("keras", "torch")
    with stub(content) as serving:
        out = job(
            """
            import keras
            model = keras.Sequential([keras.layers.Dense(3)])
            model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            rates = []
            class Rates(keras.callbacks.Callback):
                def on_train_batch_end(self, batch, logs=None):
                    rates.append(float(self.model.optimizer.learning_rate))
            flown = curvewise.keras.AutopilotCallback(run, allow={"decay_lr"}, timeout_s=20, landing=0.5)
            logs = curvewise.keras.CurvewiseCallback(run)
            for _ in range(2):
                model.fit(x, y, batch_size=64, verbose=0, epochs=4, callbacks=[logs, flown, Rates()])
            assert flown.pilot.planned_steps == 32
            print(*rates)
            run.finish()
            """,
            project, serving.url, spool,
        )  # fmt: skip
    rates = [float(rate) for rate in out.split()]
    down = [0.1 * left / 8 for left in (7, 6, 5, 4, 3, 2, 1, 1)]
    assert rates[:16] == pytest.approx([*[0.1] * 8, *down])
    assert rates[16] == pytest.approx(0.1), "the first plan's end is not the second's"
    assert rates[-1] < 0.02
    assert {one["at_step"] for one in told(serving)} == {8, 20}, "looked at after an epoch"


def test_lightning_lands(project: str, spool: Path) -> None:
    needed("lightning", "torch")
    with stub(content) as serving:
        out = job(
            """
            class Watched(Linear):
                def on_train_batch_end(self, *_):
                    rates.append(self.optimizers().param_groups[0]["lr"])
                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            rates = []
            fit(Watched(), curvewise.lightning.FlyByAutopilot(run, allow={"decay_lr"}, timeout_s=20, landing=0.5))
            print(*rates)
            run.finish()
            """,
            project, serving.url, spool, before=LINEAR_IN_LIGHTNING,
        )  # fmt: skip
    rates = [float(rate) for rate in out.strip().splitlines()[-1].split()]
    assert rates == pytest.approx([*[0.1] * 8, *(0.1 * left / 8 for left in (7, 6, 5, 4, 3, 2, 1, 1))])
    assert [(one["action"], one["at_step"]) for one in told(serving)] == [("decay_lr", 8)]
