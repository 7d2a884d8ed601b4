"""`curvewise diagnose FILE`, as a user calls it."""

import json
from pathlib import Path

import pytest

from app.demo.replay import recorded_runs
from tests.cli.conftest import Run, Start


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """A recorded run that overfits, as the CSV that its job would have written."""
    run = next(run for run in recorded_runs() if run.name == "mlp-300-samples")
    lines = ["step,loss,val_loss,note"]
    lines += [
        f"{s:g},{v},," for s, v in zip(run.curves["train/loss"].steps, run.curves["train/loss"].values, strict=True)
    ]
    lines += [f"{s:g},,{v}," for s, v in zip(run.curves["val/loss"].steps, run.curves["val/loss"].values, strict=True)]
    path = tmp_path / "metrics.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_table_names_the_finding_and_says_what_was_read(call: Run, metrics: Path) -> None:
    done = call("diagnose", str(metrics))
    assert done.returncode == 0
    assert "overfitting" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "loss as train/loss, val_loss as val/loss" in done.stderr


def test_json_holds_the_facts_that_were_given(call: Run, metrics: Path) -> None:
    done = call("diagnose", str(metrics), "--format", "json", "--num-classes", "10", "--state", "failed")
    document = json.loads(done.stdout)
    assert document["state"] == "failed"
    assert document["through_step"] == 3000
    by_rule = {verdict["rule"]: verdict for verdict in document["verdicts"]}
    assert by_rule["overfitting"]["verdict"] == "finding"
    assert by_rule["wrong_initial_loss"]["verdict"] == "clear"
    assert call("diagnose", str(metrics), "--format", "json").stdout != done.stdout


def test_markdown(call: Run, metrics: Path) -> None:
    assert "| **CW005 overfitting**" in call("diagnose", str(metrics), "--format", "markdown").stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"", "empty"), (b"a\0b", "binary"), (b"step,loss\n1,2\n2,x\n3,1\n", ":3: loss is 'x'")],
)
def test_unreadable_files_exit_2_with_one_line(call: Run, tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    done = call("diagnose", str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_escape_sequences_in_names_do_not_reach_the_terminal(call: Run, tmp_path: Path) -> None:
    path = tmp_path / "evil.csv"
    path.write_text("step,loss,\x1b]0;owned\x07\n1,2,3\n2,1,2\n")
    done = call("diagnose", str(path))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "owned" in done.stderr


def test_a_pipe_is_read_whole(start: Start, metrics: Path) -> None:
    process = start("diagnose", "/dev/stdin", "--format", "json")
    out, _ = process.communicate(metrics.read_text(), timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["through_step"] == 3000


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan"])
def test_planned_steps_must_be_meant(call: Run, metrics: Path, value: str) -> None:
    done = call("diagnose", str(metrics), "--planned-steps", value)
    assert done.returncode == 2
    assert "above zero" in done.stderr
