"""What a job logs arrives as it was, and nothing that it does wrong costs more than itself."""

import math
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

import curvewise_client as curvewise
from tests.client.reading import curves, described, known, left_in
from tests.server_process import free_port


class Tensor:
    """What a framework's tensor offers: its elements by item(), which only one of them can be."""

    def __init__(self, *elements: Any) -> None:
        self.elements = elements
        self.shape = (len(elements),)

    def item(self) -> Any:
        if len(self.elements) != 1:
            raise RuntimeError("a Tensor with several elements cannot be converted to Scalar")
        return self.elements[0]


def test_the_lines_of_the_readme(server: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURVEWISE_URL", url)
    readme = (Path(__file__).parents[2] / "client" / "README.md").read_text()
    first, second, third = (block.split("```")[0] for block in readme.split("```python\n")[1:])
    names: dict[str, Any] = {}
    exec(first.replace("run.finish()", ""), names)
    exec(second, names)
    names["run"].finish()
    run = described(server, "mnist", "r1")
    assert known(run["context"]) == {"num_classes": 10, "planned_steps": 12000.0, "state": "finished"}
    assert run["config"] == {"lr": 0.1}
    assert {curve["name"]: curve["points"] for curve in run["curves"]} == {"train/loss": 12000, "lr": 12000}
    flown: dict[str, Any] = {"optimizer": SimpleNamespace(lr=0.1)}
    with curvewise.start("mnist", "flown", planned_steps=50) as flown["run"]:
        exec(third, flown)
    assert flown["step"] == 49


def test_the_lines_of_the_projects_readme(server: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURVEWISE_URL", url)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    block = readme.split("## From a training job")[1].split("```python\n")[1].split("```")[0]
    exec(block, {})
    assert {curve["points"] for curve in described(server, "mnist", "r2")["curves"]} == {1000}
    for name in ("URL", "TOKEN", "SPOOL", "DISABLED"):
        assert f"`CURVEWISE_{name}" in readme


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (0.1, 0.1),
        (3, 3.0),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (5e-324, 5e-324),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.int64(7), 7.0),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (Tensor(0.25), 0.25),
        (Decimal("0.5"), 0.5),
    ],
)
def test_a_number_is_stored_as_it_is(
    server: httpx.Client, url: str, project: str, spool: Path, value: Any, stored: Any
) -> None:
    with curvewise.start(project, "r", url=url, spool=spool) as run:
        run.log(1, {"x": value})
    assert curves(server, project) == {"x": {1.0: stored}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "None is not a number"),
        ("0.5", "the string '0.5' is not a number"),
        (True, "a boolean is not a metric"),
        (np.bool_(True), "a boolean is not a metric"),
        (np.zeros(3), "a ndarray of shape (3,) is not one number"),
        (Tensor(1.0, 2.0), "a Tensor of shape (2,) is not one number"),
        ([1.0], "a list is not a number"),
        ({"loss": 1.0}, "a dict is not a number"),
        (1j, "a complex is not a number"),
        (2**53 + 1, "does not hold this integer exactly"),
        (10**400, "does not hold this integer exactly"),
    ],
)
def test_a_bad_value_costs_itself_and_one_warning(
    server: httpx.Client,
    url: str,
    project: str,
    spool: Path,
    caplog: pytest.LogCaptureFixture,
    value: Any,
    reason: str,
) -> None:
    with curvewise.start(project, "r", url=url, spool=spool) as run:
        for step in range(3):
            run.log(step, {"bad": value, "loss": 0.5})
    assert curves(server, project) == {"loss": {0.0: 0.5, 1.0: 0.5, 2.0: 0.5}}
    (said,) = caplog.messages
    assert "'bad'" in said
    assert reason in said


@pytest.mark.parametrize("name", ["", "x" * 251, "a\nb", "\ud800", 3, None, "step"])
def test_a_bad_name_costs_itself(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture, name: Any
) -> None:
    with curvewise.start("names", f"r{abs(hash(repr(name)))}", url=url, spool=spool) as run:
        run.log(1, {name: 1.0, "loss": 0.5})
    assert curves(server, "names", run.name) == {"loss": {1.0: 0.5}}
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("step", [-1, math.nan, math.inf, None, "1", True, 2**53 + 2, [1]])
def test_a_bad_step_costs_the_call(
    server: httpx.Client, url: str, project: str, spool: Path, caplog: pytest.LogCaptureFixture, step: Any
) -> None:
    with curvewise.start("steps", f"r{abs(hash(repr(step)))}", url=url, spool=spool) as run:
        run.log(step, {"loss": 1.0})
        run.log(2, {"loss": 0.5})
    assert curves(server, "steps", run.name) == {"loss": {2.0: 0.5}}
    assert len(caplog.messages) == 1


def test_steps_may_be_numbers_of_any_library_and_the_last_value_wins(
    server: httpx.Client, url: str, project: str, spool: Path
) -> None:
    with curvewise.start(project, "r", url=url, spool=spool) as run:
        run.log(np.int64(3), {"a": 1.0, "b": 1.0})
        run.log(0.5, {"a": 2.0})
        run.log(3, {"a": 3.0})
        run.log(3, {"b": 4.0, "a": 5.0})
        run.log(2**53, {"a": 6.0})
    assert curves(server, project) == {"a": {0.5: 2.0, 3.0: 5.0, 2.0**53: 6.0}, "b": {3.0: 4.0}}


@pytest.mark.parametrize("metrics", [None, 3, [("loss", 1.0)], {}])
def test_what_are_no_metrics_cost_themselves(
    server: httpx.Client, url: str, project: str, spool: Path, metrics: Any
) -> None:
    with curvewise.start("nothing", f"r{abs(hash(repr(metrics)))}", url=url, spool=spool) as run:
        run.log(1, metrics)
        run.log(2, {"loss": 0.5})
    assert curves(server, "nothing", run.name) == {"loss": {2.0: 0.5}}


def test_threads_log_at_once(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, interval_s=0.01)

    def work(number: int) -> None:
        for step in range(3000):
            run.log(step, {f"loss_{number}": float(step), "shared": 1.0})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish(timeout_s=30)
    found = curves(server, project)
    assert set(found) == {"shared", *(f"loss_{number}" for number in range(6))}
    assert all(len(curve) == 3000 for curve in found.values())
    assert found["loss_3"] == {float(step): float(step) for step in range(3000)}


def test_more_than_a_segment_while_it_is_sent(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    metrics = {f"m{number}": number / 3 for number in range(10)}
    run = curvewise.start(project, "r", url=url, spool=spool, interval_s=0.01)
    for step in range(40_000):
        run.log(step, metrics)
    run.finish(timeout_s=60)
    assert {curve["points"] for curve in described(server, project)["curves"]} == {40_000}
    assert not left_in(spool)


def test_facts_are_said_and_added_to(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    config = {"lr": np.float32(0.5), "path": Path("data"), "layers": (1, 2), "drop": math.nan, 3: "three"}
    tags: Any = {"team": "vision", "seed": 3}
    with curvewise.start(
        project, "r", url=url, spool=spool, config=config, tags=tags, commit="9fceb02", caveats=["a"]
    ) as run:
        run.log(1, {"loss": 1.0})
        run.update(num_classes=10, planned_steps=np.int64(500), schedule="cosine", caveats=["b", "a"])
        run.update(class_priors=np.full(10, 0.1), target_variance=2.5, dataset_size=1797, pretrained="resnet50")
        run.update(wrong=1)
    found = described(server, project)
    assert known(found["context"]) == {
        "num_classes": 10, "planned_steps": 500.0, "state": "finished", "schedule": "cosine", "caveats": ["a", "b"],
        "class_priors": [0.1] * 10, "target_variance": 2.5, "dataset_size": 1797, "pretrained": "resnet50",
    }  # fmt: skip
    assert found["config"] == {"lr": 0.5, "path": "data", "layers": [1, 2], "drop": "NaN", "3": "three"}
    assert (found["tags"], found["commit"]) == ({"team": "vision", "seed": "3"}, "9fceb02")


def test_a_run_that_fails_says_so(server: httpx.Client, url: str, project: str, spool: Path) -> None:
    with pytest.raises(ZeroDivisionError), curvewise.start(project, "r", url=url, spool=spool) as run:
        run.log(1, {"loss": 1 / 0})
    assert described(server, project)["context"]["state"] == "failed"
    run.log(2, {"loss": 1.0})  # left out, with a warning
    run.finish()


@pytest.mark.parametrize(
    ("ending", "state"), [("", "finished"), ("raise ValueError", "failed"), ("run.finish('failed')", "failed")]
)
def test_a_script_that_ends_closes_its_run(
    server: httpx.Client, url: str, project: str, spool: Path, ending: str, state: str
) -> None:
    script(f"run.log(1, {{'loss': 1.0}})\n{ending}", project, url, spool)
    assert described(server, project)["context"]["state"] == state
    assert curves(server, project) == {"loss": {1.0: 1.0}}
    assert not left_in(spool)


@pytest.mark.parametrize("within_s", [0.5, 5.0])
def test_the_exit_is_bounded(project: str, spool: Path, within_s: float) -> None:
    with deaf() as url:
        began = time.monotonic()
        said = script("run.log(1, {'loss': 1.0})", project, url, spool, f"exit_timeout_s={within_s}")
        assert within_s < time.monotonic() - began < within_s + 2.5
    assert said.count("curvewise-client sync") == 1


@contextmanager
def deaf() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def script(lines: str, project: str, url: str, spool: Path, arguments: str = "") -> str:
    """What a job of these lines, with a `run`, said on stderr."""
    start = f"run = curvewise.start({project!r}, 'r', url={url!r}, spool={str(spool)!r}, {arguments})"
    code = f"import curvewise_client as curvewise\n{start}\n{textwrap.dedent(lines)}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env={**os.environ}
    )
    return done.stderr


def test_disabled_by_the_environment(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURVEWISE_DISABLED", "1")
    off(curvewise.start("p", "r", url=f"http://127.0.0.1:{free_port()}", spool=spool), spool)


def off(run: curvewise.Run, spool: Path) -> None:
    """Every call does nothing."""
    threads = threading.active_count()
    run.log(1, {"loss": 1.0})
    run.update(num_classes=3)
    assert run.diagnosis() is None
    assert run.advice() == []
    assert run.should_stop() is None
    assert not run.flush()
    run.finish()
    assert not spool.exists()
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("environ", "logs"),
    [
        ({"RANK": "0"}, True),
        ({"RANK": "1"}, False),
        ({"RANK": "0", "SLURM_PROCID": "3"}, True),
        ({"OMPI_COMM_WORLD_RANK": "2"}, False),
        ({"PMI_RANK": "2"}, False),
        ({"SLURM_PROCID": "1"}, False),
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"RANK": "8", "LOCAL_RANK": "0"}, False),
        ({"RANK": "none"}, True),
    ],
)
def test_only_rank_zero_logs(
    url: str, project: str, spool: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], logs: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    run = curvewise.start("ranks", "r", url=url, spool=spool)
    if logs:
        assert spool.exists()
        run.finish()
    else:
        off(run, spool)
    told = curvewise.start("ranks", "r", url=url, spool=spool, rank=0)
    assert told.project == "ranks"
    told.finish()


@pytest.mark.parametrize(
    "arguments",
    [{"url": "localhost:8000"}, {"url": "ftp://x"}, {"attempt": 0}, {"attempt": "third"}, {"project": "a\nb"}],
)
def test_what_cannot_be_meant_is_said_and_logs_nothing(
    spool: Path, caplog: pytest.LogCaptureFixture, arguments: dict[str, Any]
) -> None:
    off(curvewise.start(**{"project": "p", "run": "r", "spool": spool, **arguments}), spool)
    assert len(caplog.messages) == 1
    assert "this run is not logged" in caplog.text


def test_a_copy_is_the_same_run_and_a_pickle_has_no_token(url: str, project: str, spool: Path) -> None:
    run = curvewise.start(project, "r", url=url, spool=spool, token="s3cret")
    assert deepcopy({"callback": run})["callback"] is run
    assert b"s3cret" not in pickle.dumps(run)
    run.finish()
