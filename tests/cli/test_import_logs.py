"""`curvewise import` of logs, into a database and into a server that runs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.server_process import process, wait_until_ready

DATA = Path(__file__).parents[1] / "importers" / "data"
RUNS = "/api/v1/projects/p/runs"


def test_a_folder_of_runs_goes_into_the_database_once(call: Run, database_url: str) -> None:
    folder = DATA / "mlflow" / "mlruns"
    done = call("import", str(folder), "--project", "p", "--database-url", database_url)
    assert (done.returncode, done.stdout) == (0, "3 runs are in project p, 69 points of them new\n")
    again = call("import", str(folder), "--project", "p", "--database-url", database_url)
    assert again.stdout == "3 runs are in project p, 0 points of them new\n"
    with process(database_url) as (_, client):
        wait_until_ready(client)
        found = {run["run"]: run for run in client.get(RUNS).json()["items"]}
        diagnosis = client.get(f"{RUNS}/exploded/diagnosis").json()
    assert {name: run["context"]["state"] for name, run in found.items()} == {
        "good": "finished",
        "exploded": "failed",
        "no step": "finished",
    }
    assert found["good"]["config"] == {"lr": "0.1", "width": "16"}
    assert found["good"]["tags"] == {"team": "vision"}
    assert {curve["name"]: curve["role"] for curve in found["good"]["curves"]} == {
        "train/loss": "train/loss",
        "val_loss": "val/loss",
        "lr": "lr",
    }
    assert diagnosis["verdicts"][0]["rule"] == "exploding"


def test_what_a_server_is_sent_is_what_diagnose_judges(call: Run, tmp_path: Path) -> None:
    log = DATA / "keras" / "training.csv"
    with process(f"sqlite:///{tmp_path}/c.db") as (_, client):
        wait_until_ready(client)
        done = call("import", str(log), "--project", "p", "--as", "r", "--url", str(client.base_url))
        assert (done.returncode, done.stdout) == (0, "1 runs are in project p, 32 points of them new\n")
        run = client.get(f"{RUNS}/r").json()
        served = client.get(f"{RUNS}/r/diagnosis").json()
    assert run["context"]["state"] == "finished"
    assert any("Keras" in caveat for caveat in run["context"]["caveats"])
    here = json.loads(call("diagnose", str(log), "--format", "json").stdout)
    assert served["verdicts"] == here["verdicts"]


def test_a_long_log_goes_in_pieces_and_nothing_is_coerced(call: Run, tmp_path: Path) -> None:
    log = tmp_path / "long.csv"
    rows = [f"{step},{'nan' if step == 7 else 1 / (1 + step)},{'inf' if step == 9 else ''}" for step in range(25_000)]
    log.write_text("\n".join(["step,loss,val_loss", *rows]) + "\n")
    with process(f"sqlite:///{tmp_path}/c.db") as (_, client):
        wait_until_ready(client)
        assert call("import", str(log), "--project", "p", "--url", str(client.base_url)).returncode == 0
        curves = client.get(f"{RUNS}/long/curves").json()["curves"]
        assert len(curves["loss"]["steps"]) == 25_000
        assert curves["loss"]["values"][7] == "NaN"
        assert curves["val_loss"] == {"steps": [9.0], "values": ["Infinity"]}
        assert call("import", str(log), "--project", "p", "--url", str(client.base_url)).stdout.endswith(
            " 0 points of them new\n"
        )


def test_a_log_of_another_job_under_the_same_name_is_the_next_attempt(call: Run, tmp_path: Path) -> None:
    log, database = tmp_path / "r.csv", f"sqlite:///{tmp_path}/c.db"
    log.write_text("step,loss\n1,3\n2,2\n3,1\n")
    assert call("import", str(log), "--project", "p", "--database-url", database).returncode == 0
    log.write_text("step,loss\n1,5\n2,4\n")
    done = call("import", str(log), "--project", "p", "--database-url", database)
    assert "note: r was begun anew since it was imported: it is attempt 2 now" in done.stderr
    with process(database) as (_, client):
        wait_until_ready(client)
        assert client.get(f"{RUNS}/r/curves").json()["curves"]["loss"] == {"steps": [1.0, 2.0], "values": [5.0, 4.0]}


def test_names_that_a_store_does_not_take_are_told(call: Run, tmp_path: Path) -> None:
    log = tmp_path / "r.jsonl"
    log.write_text(json.dumps({"step": 1, "loss": 1.0, "a\x07b": 2.0, "c" * 300: 3.0}) + "\n")
    here = call("import", str(log), "--project", "p", "--database-url", f"sqlite:///{tmp_path}/c.db")
    assert here.returncode == 0
    with process(f"sqlite:///{tmp_path}/d.db") as (_, client):
        wait_until_ready(client)
        there = call("import", str(log), "--project", "p", "--url", str(client.base_url))
    for done in (here, there):
        refused = [line for line in done.stderr.splitlines() if line.startswith("refused: r: ")]
        assert len(refused) == 2
        assert any("control characters" in line for line in refused)
        assert any("1 to 250 characters" in line for line in refused)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("{csv}",), "say into which --project"),
        (("{csv}", "--project", "p", "--project", "q"), "say into which --project"),
        (("{csv}", "--project", "a/b"), "one part of a path"),
        (("{csv}", "--project", "p", "--as", "a/b"), "one part of a path"),
        (("{folder}", "--project", "p", "--as", "r"), "these are 3"),
        (("{csv}", "--project", "p", "--url", "http://h", "--database-url", "sqlite:///x.db"), "not both"),
        (("{csv}", "--project", "p", "--url", "h:8000"), "no address of a server"),
        (("{empty}", "--project", "p"), "empty"),
        (("{nothing}", "--project", "p"), "there is no file"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.setenv("CURVEWISE_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    places = {"csv": DATA / "timm/summary.csv", "folder": DATA / "mlflow/mlruns", "empty": tmp_path / "empty.csv"}
    places["empty"].write_text("")
    done = call("import", *(one.format(**places, nothing=tmp_path / "nothing") for one in arguments))
    assert done.returncode in {1, 2}
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_an_export_and_an_mlflow_database_are_told_apart(call: Run, tmp_path: Path) -> None:
    database, export = f"sqlite:///{tmp_path}/c.db", tmp_path / "export"
    store = str(DATA / "mlflow" / "store.sqlite")
    assert call("import", store, "--project", "p", "--database-url", database).stdout.startswith(
        "3 runs are in project p"
    )
    assert call("export", str(export), "--database-url", database).returncode == 0
    other = f"sqlite:///{tmp_path}/other.db"
    assert call("import", str(export), "--url", "http://127.0.0.1:1").returncode == 2
    assert call("import", str(export), "--database-url", other).stdout.startswith("1 projects with 3 runs")
    refused = call("diagnose", str(export))
    assert (refused.returncode, "one of Curvewise: import or serve it" in refused.stderr) == (2, True)


def test_a_server_that_is_not_there_is_told(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.import_logs.PATIENCE_S", 0.5)
    done = call("import", str(DATA / "timm/summary.csv"), "--project", "p", "--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "http://127.0.0.1:1 does not take this now" in done.stderr.splitlines()[-1]


def test_a_server_of_another_kind_is_told(call: Run, tmp_path: Path) -> None:
    with process(f"sqlite:///{tmp_path}/c.db") as (_, client):
        wait_until_ready(client)
        url = str(client.base_url.join("/docs"))
        done = call("import", str(DATA / "timm/summary.csv"), "--project", "p", "--url", url)
    assert done.returncode == 1
    assert "404" in done.stderr.splitlines()[-1]
