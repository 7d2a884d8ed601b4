"""The example does what docs/search.md says of it: a short walk through a real server, and its arithmetic."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import seven_steps as benchmark
from app.demo.server import running_server
from examples.digits import (
    BATCH,
    CLASSES,
    FAN_IN,
    PER_EPOCH,
    SMALL_HEAD,
    TRAIN,
    WRONG,
    Digits,
    initial_network,
    load,
    train,
)
from examples.seven_steps import SEARCH, changes, walk

MANY = 24  # runs: enough for steps 1 to 4, whose runs are short


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    with running_server() as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="module")
def data() -> Digits:
    return load()


def test_the_split_is_what_the_page_says(data: Digits) -> None:
    sizes = [split.labels.size for split in (data.train, data.val, data.test)]
    assert sizes == [TRAIN, 397, 400]
    assert sum(sizes) == 1797
    assert all(set(split.labels.tolist()) == set(range(CLASSES)) for split in (data.train, data.val, data.test))
    images = np.concatenate([split.images for split in (data.train, data.val, data.test)])
    assert images.shape == (1797, 64)


def test_what_is_wrong_at_first_is_wrong(data: Digits) -> None:
    def first_loss(initialisation: str) -> float:
        net = initial_network(64, initialisation, 0)
        return net.loss_and_accuracy(data.val.images, data.val.labels)[0]

    assert first_loss("") > 10 * math.log(CLASSES)
    for way in (SMALL_HEAD, FAN_IN, f"{SMALL_HEAD}+{FAN_IN}"):
        assert first_loss(way) < 1.6 * math.log(CLASSES)
    before = train(data, WRONG, {"seed": 0}, 5 * PER_EPOCH)
    assert before.test_accuracy < 0.3


def test_a_training_obeys_the_settings_of_a_proposal(data: Digits) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    settings = {"sample_size": 50, "stop_at_accuracy": 1.0, "weight_decay": 0, "initialisation": FAN_IN, "seed": 3}
    outcome = train(data, {**WRONG, "lr": 0.05}, settings, 500, lambda step, said: logged.append((step, dict(said))))
    assert outcome.updates < 500
    assert logged[-1] == (outcome.updates, {"train/accuracy": 1.0})
    rates: list[float] = []
    ramp = {"ramp_from": 1e-4, "ramp_to": 1.0, "initialisation": FAN_IN}
    train(data, WRONG, ramp, 9, lambda _step, said: rates.append(said["lr"]))
    assert rates == pytest.approx(np.geomspace(1e-4, 1.0, 9))
    decayed: list[float] = []
    train(data, {**WRONG, "lr": 0.2}, {"schedule": "linear"}, 10, lambda _step, said: decayed.append(said["lr"]))
    assert decayed == pytest.approx(0.2 * (1 - np.arange(10) / 10))


def test_the_same_seed_is_the_same_training(data: Digits) -> None:
    config, settings = {**WRONG, "lr": 0.1}, {"seed": 5, "initialisation": FAN_IN}
    assert train(data, config, settings, 2 * PER_EPOCH) == train(data, config, settings, 2 * PER_EPOCH)
    assert BATCH * PER_EPOCH <= TRAIN


def test_a_walk_gets_from_a_wrong_start_to_a_model_that_works(
    server: httpx.Client, data: Digits, tmp_path: Path
) -> None:
    said: list[str] = []
    url = str(server.base_url).rstrip("/")
    done = walk(url, data, seed=0, project="walk", spool=tmp_path, say=said.append, most_runs=MANY)
    assert len(done.outcomes) == MANY
    assert {1, 2, 3, 4} <= set(done.runs_of_step)
    chosen = done.outcomes[done.chosen]
    assert chosen.test_accuracy > 0.85
    # The first look saw the wrong start, and every run since the second has another one.
    first, *others = done.made.values()
    assert "initialisation" not in first["settings"]
    assert all("initialisation" in made["settings"] for made in others)
    lines = list(changes(done))
    assert len(lines) == len(done.runs_of_step)
    assert "initialisation the job's own -> " in lines[0]
    assert sum("lr " in line for line in lines) >= 2
    steps = server.get(f"/api/v1/projects/walk/searches/{SEARCH}").json()["steps"]
    assert [step["status"] for step in steps[:3]] == ["done"] * 3
    assert said[0].startswith("step 1, ")


def test_random_search_makes_as_many_updates_as_it_may(data: Digits) -> None:
    result = benchmark.random_search(data, 0, 2 * 465 + 100, [FAN_IN], benchmark.TOLD)
    assert (result.runs, result.updates) == (3, 2 * 465 + 100)
    assert result.test_accuracy > 0.5


def test_the_difference_is_paired() -> None:
    def result(side: str, seed: int, loss: float) -> benchmark.Result:
        return benchmark.Result(
            side=side, seed=seed, runs=1, updates=10, val_loss=loss, test_loss=loss, test_accuracy=0.9, again=loss
        )

    sides = {benchmark.WALK: 0.1, benchmark.DRAWN: 0.3, benchmark.TOLD: 0.2}
    results = [result(side, seed, loss + seed) for seed in range(3) for side, loss in sides.items()]
    lines = benchmark.table(results).splitlines()
    assert lines[-2].startswith("| random search | -0.2000 (-0.2000 to -0.2000) |")
    assert lines[-1].startswith("| random search, initialisation told | -0.1000 (-0.1000 to -0.1000) |")


def test_the_page_has_the_table_of_ten_seeds() -> None:
    root = Path(__file__).parents[1]
    lines = (root / "benchmarks" / "data" / "seven_steps.jsonl").read_text().splitlines()
    results = [benchmark.Result(**json.loads(line)) for line in lines]
    assert len({one.seed for one in results}) == 10
    assert benchmark.table(results) in (root / "docs" / "search.md").read_text()
