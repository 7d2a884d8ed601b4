"""What is printed, drawn and pasted of a schedule is the schedule."""

import csv
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from app.curves.curve import FloatArray
from app.reports import pictures, schedule_code, schedules
from app.schedules.kinds import KINDS, Parameters
from app.schedules.make import course, parsed
from tests.frameworks import framework
from tests.schedules.drawn import drawn

Code = Callable[[str, Parameters], str]


def values_of(kind: str, p: Parameters) -> FloatArray:
    return course(kind, np.arange(p.steps, dtype=np.float64), p)


def pasted(code: str) -> dict[str, Any]:
    """The names that a snippet defines, where nothing else is."""
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


@pytest.mark.parametrize("code", [schedule_code.torch, schedule_code.keras], ids=["torch", "keras"])
@settings(deadline=None, max_examples=60)
@given(made=drawn())
def test_a_pasted_function_gives_the_values(code: Code, made: tuple[str, Parameters]) -> None:
    kind, p = made
    rate = pasted(code(kind, p))["learning_rate"]
    # Past the end as well, where a scheduler asks once more.
    t = np.arange(p.steps + 3, dtype=np.float64)
    assert [rate(step) for step in range(t.size)] == pytest.approx(course(kind, t, p).tolist(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("kind", KINDS)
def test_lambda_lr_gives_the_values(kind: str) -> None:
    torch = framework("torch")
    p = parsed(kind, lr=0.1, steps=40, warmup=5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, pasted(schedule_code.torch(kind, p))["factor_of"])
    seen = []
    for _ in range(p.steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert seen == pytest.approx(values_of(kind, p).tolist(), rel=1e-12)


# Keras copies its tensors in a way that numpy 2 tells it not to.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("kind", ["cosine", "step"])
def test_keras_scheduler_gives_the_values(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    framework("torch")
    keras = framework("keras")
    p = parsed(kind, lr=0.1, steps=6, warmup=2)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    scheduler = keras.callbacks.LearningRateScheduler(pasted(schedule_code.keras(kind, p))["learning_rate"])
    x = np.zeros((4, 1), np.float32)
    history = model.fit(x, x, epochs=p.steps, callbacks=[scheduler], verbose=0)
    seen = history.history["learning_rate"]
    assert seen == pytest.approx(values_of(kind, p).tolist(), rel=1e-6, abs=1e-9)  # Keras keeps single precision


@settings(deadline=None, max_examples=40)
@given(made=drawn())
def test_it_is_drawn_whole(made: tuple[str, Parameters]) -> None:
    kind, p = made
    values = values_of(kind, p)
    text = schedules.text(kind, p, values)
    drawing = [line[12:] for line in text.splitlines() if line[11:12] == "|"]
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[at : at + 1] or " ") for line in drawing) for at in range(min(60, p.steps))]
    shown = values[np.rint(np.linspace(0, p.steps - 1, min(60, p.steps))).astype(int)]
    assert heights == [min(math.ceil(rate / p.lr * 80), 80) for rate in shown]
    assert max(map(len, text.splitlines()[3:])) <= 80
    rows = list(csv.DictReader(schedules.to_csv(values).splitlines()))
    assert [float(row["lr"]) for row in rows] == values.tolist()
    assert [int(row["step"]) for row in rows] == list(range(p.steps))


@pytest.mark.parametrize("kind", ["inverse_sqrt", "one_cycle"])
def test_the_picture_shows_it(kind: str) -> None:
    p = parsed(kind, lr=0.1, steps=20_000)
    spec = schedules.chart(kind, p, values_of(kind, p))
    points = spec["data"]["values"]
    assert len(points) < 2100
    assert points[0]["step"] == 0
    assert points[-1]["step"] == 19_999
    assert all(point["lr"] == values_of(kind, p)[point["step"]] for point in points[::50])
    assert kind.replace("_", " ") in pictures.svg(spec)


def test_a_cut_is_no_slope() -> None:
    p = parsed("step", lr=0.1, steps=20_000, every=7_001)
    points = {point["step"] for point in schedules.chart("step", p, values_of("step", p))["data"]["values"]}
    assert {7000, 7001, 14_001, 14_002} <= points
