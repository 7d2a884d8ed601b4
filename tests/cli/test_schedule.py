"""`curvewise schedule`."""

import csv
import json
from pathlib import Path

import pytest

from app.schedules.kinds import KINDS
from app.schedules.make import rates
from tests.cli.conftest import Run

COSINE = ("schedule", "cosine", "--lr", "0.1", "--steps", "100")


def test_every_form_tells_the_values(call: Run) -> None:
    values = rates("cosine", 0.1, 100, warmup=10).tolist()
    asked = (*COSINE, "--warmup", "10", "--format")
    said = json.loads(call(*asked, "json").stdout)
    assert said == {
        "kind": "cosine",
        "parameters": {"lr": 0.1, "steps": 100, "warmup": 10.0, "min_lr": 0.0},
        "values": values,
    }
    assert [float(row["lr"]) for row in csv.DictReader(call(*asked, "csv").stdout.splitlines())] == values
    for form in ("torch", "keras"):
        names: dict[str, object] = {}
        exec(call(*asked, form).stdout, names)
        assert [names["learning_rate"](t) for t in range(100)] == pytest.approx(values)  # type: ignore[operator]
    text = call(*asked, "text").stdout
    assert f"{99:>10}  {values[99]:.6g}" in text
    assert json.loads(call(*asked, "vega").stdout)["mark"]["type"] == "line"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_command(call: Run, kind: str) -> None:
    done = call("schedule", kind, "--lr", "0.1", "--steps", "50", "--format", "json")
    assert json.loads(done.stdout)["values"] == rates(kind, 0.1, 50).tolist()


def test_every_parameter_has_its_option(call: Run) -> None:
    helped = call("schedule", "--help").stdout
    for kind in KINDS.values():
        for name in kind.parameters.model_fields:
            assert f"--{name.replace('_', '-')}" in helped


def test_cuts_at_given_steps(call: Run) -> None:
    asked = "schedule step --lr 1 --steps 6 --factor 0.5 --at 2 --at 5 --format json"
    assert json.loads(call(*asked.split()).stdout)["values"] == [1, 1, 0.5, 0.5, 0.5, 0.25]


def test_pictures_go_to_files(call: Run, tmp_path: Path) -> None:
    for form, begin in {"svg": b"<svg", "png": b"\x89PNG"}.items():
        file = tmp_path / f"cosine.{form}"
        assert call(*COSINE, "--format", form, "-o", str(file)).returncode == 0
        assert file.read_bytes().startswith(begin)


def test_a_png_goes_to_stdout(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb"):
        done = run(*COSINE, "--format", "svg")
    assert (done.returncode, done.stdout[:4]) == (0, "<svg")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("cosine --lr nan --steps 100", "lr: Input should be a finite number"),
        ("cosine --lr -1 --steps 100", "lr: Input should be greater than 0"),
        ("cosine --lr 0.1 --steps 0", "steps: Input should be greater than or equal to 1"),
        ("cosine --lr 0.1 --steps 100000000000", "steps: Input should be less than or equal to 10000000"),
        ("cosine --lr 0.1 --steps 10 --warmup 11", "leaves none of 10"),
        ("cosine --lr 0.1 --steps 10 --factor 0.5", "factor: no such parameter"),
        ("warmup_stable_decay --lr 0.1 --steps 10 --shape zigzag", "shape: Input should be 'linear'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(call: Run, asked: str, says: str) -> None:
    done = call("schedule", *asked.split())
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert says in line


def test_an_unknown_kind_is_told_which_there_are(call: Run) -> None:
    done = call("schedule", "parabola", "--lr", "0.1", "--steps", "10")
    assert done.returncode == 2
    assert "'cosine_restarts'" in done.stderr
