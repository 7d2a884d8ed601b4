"""Train each configuration under every policy from the same seeds, report all of it to a server, and keep it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from piloting.flown import Flown, as_record, open_run
from piloting.policies import AUTOPILOT, Policy, policies
from prescribing.configurations import Configuration, draw
from prescribing.tasks import TASKS
from prescribing.training import Checkpoint, Trainer, evaluation_steps

Record = dict[str, Any]
EVALUATIONS, TRAIN_POINTS = 40, 150
# The last was drawn when the autopilot was what it is: nobody had looked at anything of it before.
DRAWN_SEEDS = {1: 20_261_128, 2: 20_261_129, 3: 20_261_130}
KINDS = ("sane", "high constant rate", "little data")


def configurations(updates: int | None = None, drawn: int = 1) -> list[Configuration]:
    """The first that is drawn of each task and kind, all at a rate that a policy may change; the kinds one by one.

    updates: in place of those drawn. drawn: which draw, of DRAWN_SEEDS.
    """
    found: dict[tuple[str, str], Configuration] = {}
    for number in range(10_000):
        c = draw(number, DRAWN_SEEDS[drawn])
        found.setdefault((c.spoiled, c.task), c)
        if all(each in found for each in product(KINDS, TASKS)):
            break
    alike = {"schedule": "constant", "evaluations": EVALUATIONS} | ({"updates": updates} if updates else {})
    return [replace(found[each], **alike) for each in product(KINDS, TASKS)]  # type: ignore[arg-type]


class Kept:
    """What a folder holds: a line of JSON a configuration. What is there is not trained again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "flights.jsonl"
        self.records: dict[str, Record] = {}
        if self._file.exists():
            with self._file.open() as lines:
                self.records = {one["key"]: one for one in map(json.loads, lines)}

    def add(self, record: Record) -> None:
        """On disk when this returns."""
        with self._file.open("a") as lines:
            lines.write(json.dumps(record) + "\n")
        self.records[record["key"]] = record


def conduct(
    kept: Kept, chosen: Sequence[Configuration], seeds: int, url: str, before: Kept | None, *, restores: bool = True
) -> Iterator[str]:
    """Train what is not there yet, and yield its name. before: whose trainings without the autopilot are taken over.

    restores: whether the autopilot is told how to bring a checkpoint back.
    """
    for c in chosen:
        if c.name not in kept.records:
            known = before.records.get(c.name) if before else None
            with TemporaryDirectory(prefix="curvewise-spool-", ignore_cleanup_errors=True) as spool:
                kept.add(compare(c, seeds, url, Path(spool), known, restores=restores))
        yield c.name


def compare(
    c: Configuration, seeds: int, url: str, spool: Path, known: Record | None = None, *, restores: bool = True
) -> Record:
    """One configuration: every policy from every seed, as replicas of one training that share nothing.

    known: a record whose other flights are taken over; only the autopilot flies again.
    """
    names = [AUTOPILOT] if known else [*policies(c.lr, c.updates), AUTOPILOT]
    sides = list(product(names, range(seeds)))
    trainer = Trainer(c, [seed for _, seed in sides])
    passed: list[Checkpoint] = []
    pilots: list[Policy] = []
    for i, (name, seed) in enumerate(sides):
        if name == AUTOPILOT:
            go_back = _restorer(trainer, i, passed) if restores else None
            pilots.append(Flown(c, f"{c.name}-{seed}", url, spool, go_back))
        else:
            pilots.append(policies(c.lr, c.updates)[name])
    flights = [
        _Flight(c, trainer.data.classes, name, seed, pilot) for (name, seed), pilot in zip(sides, pilots, strict=True)
    ]
    flying = [flight for flight in flights if isinstance(flight.policy, Flown)]
    begun = 0
    for step in evaluation_steps(0, c.updates, c.evaluations):
        course = trainer.run(step, lambda step: _rates(flights, step), [step])
        passed.append(trainer.checkpoint().of(range(len(sides) - len(flying), len(sides))))
        for i, flight in enumerate(flights):
            flight.trained(begun, [float(loss[i]) for loss in course.train])
            flight.evaluated(step, *(float(each[0][i]) for each in (course.val, course.val_accuracy, course.test)))
        begun = step
        if all(flight.policy.over for flight in flights):
            break
    for flight in flights:
        flight.report(url, spool)
    return {
        "key": c.name,
        "configuration": c.as_json(),
        "classes": trainer.data.classes,
        "flights": [
            *(one for one in (known or {}).get("flights", ()) if one["policy"] != AUTOPILOT),
            *(flight.as_record() for flight in flights),
        ],
    }


class _Flight:
    """One replica under one policy, until the policy ends it."""

    def __init__(self, c: Configuration, classes: int | None, name: str, seed: int, policy: Policy) -> None:
        self.policy = policy
        self._c, self._classes, self._name, self._seed = c, classes, name, seed
        self._every = math.ceil(c.updates / TRAIN_POINTS)
        self._points: list[tuple[int, dict[str, float]]] = []
        self._steps: list[int] = []
        self._val: list[float] = []
        self._test: list[float] = []

    def trained(self, begin: int, losses: Sequence[float]) -> None:
        """The losses of the updates since `begin`: single batches now and then, or the mean of them."""
        if self.policy.over or not losses:
            return
        if self._c.logged == "mean":
            self._log(begin + len(losses), {"train/loss": float(np.mean(losses))})
            return
        for step, loss in enumerate(losses, begin):
            if step % self._every == 0:
                self._log(step, {"train/loss": loss})

    def evaluated(self, step: int, val: float, accuracy: float, test: float) -> None:
        """Log it, and let the policy see it."""
        if self.policy.over:
            return
        self._steps.append(step)
        self._val.append(val)
        self._test.append(test)
        known = {} if self._classes is None else {"val/accuracy": accuracy}
        self._log(step, {"val/loss": val, "lr": self.policy.rate(max(step - 1, 0)), **known})
        self.policy.evaluated(step, val)

    def report(self, url: str, spool: Path) -> None:
        """What was not reported while it trained; then close the run."""
        if isinstance(self.policy, Flown):
            self.policy.run.finish()
            return
        run = open_run(self._c, f"{self._c.name}-{self._seed}-{self._name.replace(' ', '-')}", url, spool)
        for step, metrics in self._points:
            run.log(step, metrics)
        run.finish()

    def as_record(self) -> Mapping[str, Any]:
        """What came of it. The checkpoint kept: that of the lowest val, for all alike."""
        pilot = self.policy.pilot if isinstance(self.policy, Flown) else None
        return {
            "policy": self._name,
            "seed": self._seed,
            "updates": self._steps[-1],
            "steps": self._steps,
            "val": self._val,
            "test": self._test,
            "named": pilot.best_step if pilot else None,
            "acts": [as_record(act) for act in pilot.acts] if pilot else [],
        }

    def _log(self, step: int, metrics: dict[str, float]) -> None:
        if isinstance(self.policy, Flown):
            self.policy.run.log(step, metrics)
        else:
            self._points.append((step, metrics))


def _rates(flights: Sequence[_Flight], step: int) -> Any:
    """One a replica, along the first of three axes, as the trainer multiplies its updates with it."""
    return np.array([flight.policy.rate(step) for flight in flights], dtype=np.float32)[:, None, None]


def _restorer(trainer: Trainer, replica: int, passed: list[Checkpoint]) -> Any:
    """What brings one replica back to the latest checkpoint from at or before a step."""

    def restore(step: float) -> None:
        before = [each for each in passed if each.step <= step] or passed[:1]
        flown = len(trainer.batches) - before[-1].weights[next(iter(before[-1].weights))].shape[0]
        for name, parameter in trainer.parameters.items():
            parameter.value[replica] = before[-1].weights[name][replica - flown]
            trainer.first[name][replica] = before[-1].first[name][replica - flown]
            trainer.second[name][replica] = before[-1].second[name][replica - flown]

    return restore
