"""`curvewise diagnose FILE`, as a user calls it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.demo.replay import recorded_runs
from tests.cli.conftest import Run, Start

DATA = Path(__file__).parents[1] / "importers" / "data"
WANDB = DATA / "wandb" / "offline-run-20260101_000000-killed" / "run-killed.wandb"


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


def test_a_folder_of_many_runs_is_a_table_and_a_page_and_notes(call: Run) -> None:
    folder = DATA / "mlflow"
    table = call("diagnose", str(folder))
    assert table.returncode == 0
    for name in ("good", "exploded", "no step"):
        assert name in table.stdout
    assert "CW008 exploding" in table.stdout
    assert "note: exploded, no step, exploded~2 and 1 more: MLflow: read loss as train/loss" in table.stderr
    page = json.loads(call("diagnose", str(folder / "store.sqlite"), "--format", "json").stdout)
    assert page["next"] is None
    # The log told how each run ended.
    assert {item["run"]: item["state"] for item in page["items"]} == {
        "good": "finished",
        "exploded": "failed",
        "no step": "finished",
    }
    assert call("diagnose", str(folder), "--format", "markdown").stdout.count("### Curvewise: ") == 6


def test_a_folder_of_one_run_is_told_in_full_with_what_became_what_and_what_to_beware_of(call: Run) -> None:
    done = call("diagnose", str(DATA / "lightning" / "csv"))
    assert done.stdout.startswith("version_0, through step 47, finished")
    (mapping,) = [line for line in done.stderr.splitlines() if line.startswith("note: Lightning CSVLogger: ")]
    assert "train_loss_step as train/loss" in mapping
    assert "not used: train_loss_epoch (train_loss_step is the train/loss)" in mapping
    assert "caveat: train_loss_epoch are means over each epoch" in done.stderr
    assert (
        json.loads(call("diagnose", str(DATA / "lightning" / "csv"), "--format", "json").stdout)["run"] == "version_0"
    )


def test_what_is_damaged_is_told_beside_what_is_not(call: Run, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    shutil.copytree(DATA / "timm", folder)
    (folder / "run-x.wandb").write_bytes(WANDB.read_bytes()[:50])
    done = call("diagnose", str(folder))
    assert done.returncode == 0
    assert "left out: " in done.stderr
    assert "run-x.wandb: no number was logged" in done.stderr
    assert call("diagnose", str(tmp_path / "tmp")).returncode == 2


def test_a_report_and_pictures_are_written_beside_what_is_printed(call: Run, metrics: Path, tmp_path: Path) -> None:
    report, svg, png = (tmp_path / name for name in ("report.html", "curves.svg", "curves.png"))
    report.write_text("an old report")
    done = call("diagnose", str(metrics), "--html", str(report), "--svg", str(svg), "--png", str(png))
    assert done.returncode == 0
    assert done.stdout == call("diagnose", str(metrics)).stdout
    assert report.read_text().startswith("<!DOCTYPE html>")
    assert "CW005 overfitting" in report.read_text()
    assert "best: step 250" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")


def test_many_runs_make_one_report_and_no_picture(call: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert call("diagnose", str(DATA / "mlflow"), "--html", str(report)).returncode == 0
    assert report.read_text().count('<section id="run-') == 6
    done = call("diagnose", str(DATA / "mlflow"), "--svg", str(tmp_path / "x.svg"))
    assert done.returncode == 2
    assert "a picture is of one run, and 6 were read" in done.stderr
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("option", ["--html", "--svg", "--png"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(
    call: Run, metrics: Path, tmp_path: Path, option: str
) -> None:
    before = metrics.read_bytes()
    for file, says in (
        (tmp_path / "none" / "x", "there is no folder"),
        (tmp_path, "is a folder"),
        (metrics, "is the log that is read"),
    ):
        done = call("diagnose", str(metrics), option, str(file))
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stdout == ""
    assert metrics.read_bytes() == before


def test_facts_that_a_log_does_not_hold_are_told_by_options(call: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,train/loss\n" + "".join(f"{step},{0.1 / (1 + step / 50)}\n" for step in range(300)))

    def verdict(*options: str) -> dict[str, Any]:
        done = call("diagnose", str(log), "--format", "json", *options)
        assert done.returncode == 0, done.stderr
        return next(one for one in json.loads(done.stdout)["verdicts"] if one["code"] == "CW007")

    assert verdict("--num-classes", "2")["verdict"] == "finding"
    assert verdict("--class-priors", "0.98,0.02", "--dataset-size", "500", "--pretrained", "none")["verdict"] == "clear"
    assert verdict("--target-variance", "0.1")["verdict"] == "clear"
    assert verdict()["reason"] == "num_classes is not known"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--class-priors", "0.5,0.4"), "together 1"),
        (("--class-priors", "a,b"), "together 1"),
        (("--class-priors", "0.5,0.5", "--num-classes", "3"), "num_classes is 3"),
        (("--pretrained", "x" * 201), "200 characters"),
        (("--target-variance", "0"), "above zero"),
    ],
)
def test_facts_that_cannot_be_meant_are_refused(call: Run, tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    (tmp_path / "log.csv").write_text("step,train/loss\n0,2.3\n1,2.2\n")
    done = call("diagnose", str(tmp_path / "log.csv"), *options)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())
