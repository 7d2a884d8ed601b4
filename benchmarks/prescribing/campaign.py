"""Train, report to a server, ask for the diagnosis, apply its advice; and keep all of it, so that none is done twice.

A folder holds three kinds of files of JSON lines: `originals` (a configuration's curves and controls), `treatments`
(what an action did to a configuration) and `diagnoses-LABEL` (what the server said, by one state of the rules). What
is there is not done again, so a campaign that was cut off resumes, and one after a change of the rules trains only what
is newly advised.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

import curvewise_client
from prescribing.configurations import Configuration
from prescribing.cures import STANDARD, Original, closing, levels, treat, unchanged
from prescribing.training import Course, evaluation_steps

Record = dict[str, Any]
TRAIN_POINTS = 150  # of a run that logs the loss of single batches


@dataclass
class Kept:
    """What a folder holds. By name, by `treatment_key`, by name."""

    folder: Path
    label: str
    originals: dict[str, Record] = field(default_factory=dict)
    treatments: dict[str, Record] = field(default_factory=dict)
    diagnoses: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind in ("originals", "treatments", "diagnoses"):
            if self._file(kind).exists():
                with self._file(kind).open() as lines:
                    getattr(self, kind).update((one["key"], one) for one in map(json.loads, lines))

    def add(self, kind: str, records: Sequence[Record]) -> None:
        """Keep them on disk, a line each."""
        with self._file(kind).open("a") as lines:
            lines.writelines(json.dumps(one) + "\n" for one in records)
        getattr(self, kind).update((one["key"], one) for one in records)

    def _file(self, kind: str) -> Path:
        return self.folder / (f"diagnoses-{self.label}.jsonl" if kind == "diagnoses" else f"{kind}.jsonl")


@dataclass(frozen=True)
class Work:
    """One configuration and what is known of it."""

    configuration: Configuration
    url: str
    original: Record | None
    diagnosis: Record | None
    treatments: dict[str, Record]
    every: bool  # whether all recommendations are applied, and not only the first
    standard: bool  # whether runs without a warning are given the standard cures


Done = tuple[str, list[Record], list[Record], list[Record]]


def treatment_key(name: str, action: str, args: dict[str, Any]) -> str:
    """What tells a treatment from others: args that only inform, such as an expected gain, do not."""
    informing = {"expected_gain", "gain_low", "gain_high", "earliest_step"}
    if args.get("kind") == "constant":  # the same as the factor says
        informing |= {"kind", "lr"}
    return json.dumps([name, action, {k: v for k, v in sorted(args.items()) if k not in informing}])


def train_original(c: Configuration) -> Record:
    """The run as it is reported, and its controls of other seeds."""
    logged, ending = evaluation_steps(0, c.updates, c.evaluations), closing(0, c.updates)
    course, _ = unchanged(c)
    at = [i for i, step in enumerate(course.steps) if step in set(logged)]
    steps = [course.steps[i] for i in at]
    test = np.array([course.test[i] for i in at])
    curves = {
        "train/loss": _train_curve(c, course, steps),
        "val/loss": (steps, [float(course.val[i][0]) for i in at]),
        "lr": (steps, [c.rate(max(step - 1, 0)) for step in steps]),
    }
    if not np.isnan(course.val_accuracy[0][0]):
        curves["val/accuracy"] = (steps, [float(course.val_accuracy[i][0]) for i in at])
    return {
        "key": c.name,
        "configuration": c.as_json(),
        "classes": c.classes,
        "curves": curves,
        "steps": steps,
        "test": test[:, 1:].T.tolist(),
        "own_test": test[:, 0].tolist(),
        "levels": levels(course, ending)[1:],
    }


def _train_curve(c: Configuration, course: Course, evaluated: list[int]) -> tuple[list[int], list[float]]:
    """Loss of single batches, at most so many; or the mean of those between two evaluations. Step: updates so far."""
    loss = [float(each[0]) for each in course.train]
    if c.logged == "mean":
        pairs = list(pairwise(evaluated))
        return [end for _, end in pairs], [float(np.mean(loss[begin:end])) for begin, end in pairs]
    every = math.ceil(len(loss) / TRAIN_POINTS)
    return list(range(0, len(loss), every)), loss[::every]


def report(record: Record, url: str) -> Record:
    """Log the run with the client as its job would have, finish it, and fetch the diagnosis."""
    c = Configuration(**record["configuration"])
    said = {k: v for k, v in record["configuration"].items() if k not in ("name", "spoiled", "data_seed")}
    classes = record["classes"]
    points: dict[int, dict[str, float]] = {}
    for name, (steps, values) in record["curves"].items():
        for step, value in zip(steps, values, strict=True):
            points.setdefault(step, {})[name] = value
    with TemporaryDirectory(prefix="curvewise-spool-") as spool:
        run = curvewise_client.start(
            "prescriptions",
            c.name,
            num_classes=classes,
            planned_steps=c.updates,
            config=said,
            url=url,
            spool=spool,
            rank=0,
            interval_s=0.2,
            exit_timeout_s=120,
        )
        for step in sorted(points):
            run.log(step, points[step])
        run.finish()
    answer = httpx.get(f"{url}/api/v1/projects/prescriptions/runs/{c.name}/diagnosis", timeout=60)
    answer.raise_for_status()
    diagnosis = answer.json()
    if diagnosis["state"] != "finished" or diagnosis["through_step"] != c.updates:
        raise RuntimeError(f"{c.name}: the server has the run {diagnosis['state']} to {diagnosis['through_step']}")
    return {"key": c.name, "findings": [v for v in diagnosis["verdicts"] if v["verdict"] == "finding"]}


def prescribed(diagnosis: Record, every: bool) -> Iterator[tuple[Record, Record]]:
    """The findings with their first recommendation, or with each."""
    for finding in diagnosis["findings"]:
        for recommendation in finding["recommendations"][: None if every else 1]:
            yield finding, recommendation


def alarming(diagnosis: Record) -> bool:
    """Whether anything was found that is more than information."""
    return any(finding["severity"] != "info" for finding in diagnosis["findings"])


def examine(work: Work) -> Done:
    """All that a configuration asks for and that is not there yet."""
    c = work.configuration
    record = work.original or train_original(c)
    diagnosis = work.diagnosis or report(record, work.url)
    wanted = [(r["action"], r["args"]) for _, r in prescribed(diagnosis, work.every)]
    if work.standard and not alarming(diagnosis):
        wanted += [make(c) for make in STANDARD.values()]
    original = Original(record["steps"], record["test"], record["levels"])
    treated: dict[str, Record] = {}
    for action, args in wanted:
        key = treatment_key(c.name, action, args)
        if key not in work.treatments and key not in treated:
            sides = treat(c, original, action, args)
            treated[key] = {"key": key, "sides": asdict(sides) if sides else None}
    return (
        c.name,
        [] if work.original else [record],
        [] if work.diagnosis else [diagnosis],
        list(treated.values()),
    )


def conduct(
    kept: Kept, configurations: Sequence[Configuration], url: str, *, jobs: int = 1, every: bool, standard: bool
) -> Iterator[str]:
    """Examine each, keep what comes of it, and yield its name. jobs: processes."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read by the processes below: the products are too small to share out
    works = []
    for c in configurations:
        own = json.dumps([c.name])[:-1]
        known = {key: one for key, one in kept.treatments.items() if key.startswith(own)}
        works.append(Work(c, url, kept.originals.get(c.name), kept.diagnoses.get(c.name), known, every, standard))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(examine, work) for work in works]):
            name, originals, diagnoses, treatments = done.result()
            kept.add("originals", originals)
            kept.add("treatments", treatments)
            kept.add("diagnoses", diagnoses)
            yield name
