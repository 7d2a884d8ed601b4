"""`curvewise check`, as a pipeline calls it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.cli import outputs
from app.demo.server import running_server
from tests.cli.conftest import Run
from tests.cli.recorded import send, store, write
from tests.hostile import NAMES

WANDB = Path(__file__).parents[1] / "importers/data/wandb/offline-run-20260101_000000-killed/run-killed.wandb"
SHA, NEXT_SHA = "9fceb02d0ae598e95dc970b74767f19372d61af8", "1a410efbd13591db07496601ebc7a059dd55cfe9"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, and no setting of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CURVEWISE_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with the history of a project: two jobs on main, a release, a branch."""
    with running_server() as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        for number, recorded in enumerate(["mlp-drop-at-0.08", "mlp-cosine", "mlp-step-decay"]):
            tags = {"branch": "main", "job": "mlp"} | ({"release": "v1"} if number == 0 else {})
            send(client, "mnist", f"main-{number}", recorded, tags=tags, commit=f"{number}" * 40)
        send(client, "mnist", "other-job", "mlp-800-updates", tags={"branch": "main", "job": "short"}, commit="3" * 40)
        send(client, "mnist", "failed", "mlp-rate-3.0", "failed", tags={"branch": "main", "job": "mlp"})
        send(client, "mnist", "good", "mlp-warmup-linear", tags={"branch": "fix", "job": "mlp"}, commit=SHA)
        script = {"branch": "fix", "job": "mlp", "script": "src/train.py"}
        send(client, "mnist", "bad", "mlp-300-samples", tags=script, commit=NEXT_SHA)
        send(client, "mnist", "again", "mlp-rate-3.0", tags=script, commit=NEXT_SHA)
        send(client, "mnist", "goes-on", "mlp-warmup-linear", "running")
        send(client, "mnist", "later", "mlp-2-units", tags={"branch": "main", "job": "mlp"}, commit="4" * 40)
        yield url


@pytest.mark.parametrize(
    ("recorded", "code", "says"),
    [
        ("mlp-warmup-linear", 0, "pass         log.csv\n1 passed\n"),
        ("mlp-rate-3.0", 1, "CW008 exploding (error): train/loss is NaN"),
        ("mlp-300-samples", 0, "pass"),
    ],
)
def test_a_log_passes_or_fails(call: Run, here: Path, recorded: str, code: int, says: str) -> None:
    write(here / "log.csv", recorded)
    done = call("check", "log.csv")
    assert (done.returncode, done.stdout.count("log.csv")) == (code, 1)
    assert says in done.stdout


def test_what_fails_is_said_by_the_user(call: Run, here: Path) -> None:
    write(here / "log.csv", "mlp-300-samples")
    assert call("check", "log.csv", "--fail-on", "overfitting:warning").returncode == 1
    assert call("check", "log.csv", "--fail-on", "exploding,CW009").returncode == 0
    write(here / "log.csv", "mlp-rate-3.0")
    assert call("check", "log.csv", "--fail-on", "none").returncode == 0
    asked = call("check", "log.csv", "--fail-on", "wrong_initial_loss")
    assert asked.returncode == 3
    assert "CW007 wrong_initial_loss could not judge" in asked.stdout


def test_too_little_to_judge_asks_for_a_look(call: Run, here: Path) -> None:
    (here / "log.csv").write_text("step,lr\n1,0.1\n2,0.1\n")
    done = call("check", "log.csv")
    assert done.returncode == 3
    assert "no rule could judge: " in done.stdout


def test_facts_that_the_log_does_not_tell(call: Run, here: Path) -> None:
    write(here / "log.csv", "mlp-warmup-linear")
    assert call("check", "log.csv", "--state", "running").returncode == 3
    assert call("check", "log.csv", "--state", "failed").returncode == 1
    assert "1 failed" in call("check", "log.csv", "--state", "failed").stdout


def test_a_folder_is_all_its_runs(call: Run, here: Path) -> None:
    (here / "logs" / "a").mkdir(parents=True)
    write(here / "logs" / "a" / "metrics.csv", "mlp-warmup-linear")
    (here / "logs" / "b").mkdir()
    write(here / "logs" / "b" / "metrics.csv", "mlp-rate-3.0")
    done = call("check", "logs")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    (here / "logs" / "run-x.wandb").write_bytes(WANDB.read_bytes()[:50])
    damaged = call("check", "logs")
    assert damaged.returncode == 2, "what cannot be read must not pass for a run that is fine"
    assert "run-x.wandb: no number was logged" in damaged.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no/such"], "there is no database curvewise.db"),
        (["nothing"], "neither PROJECT/RUN nor PROJECT@COMMIT"),
        (["a/b/c"], "neither PROJECT/RUN nor PROJECT@COMMIT"),
        (["p@"], "neither PROJECT/RUN nor PROJECT@COMMIT"),
        (["x" * 5000], "neither PROJECT/RUN nor PROJECT@COMMIT"),
        (["p/r", "--url", "http://127.0.0.1:1", "--database-url", "sqlite:///x.db"], "not both"),
        (["p/r", "--url", "ftp://x"], "no address of a server"),
        (["log.csv", "--fail-on", "overfit"], "no rule 'overfit'"),
        (["log.csv", "--format", "yaml"], "the formats are junit, sarif"),
        (["log.csv", "--format", "junit="], "the formats are junit, sarif"),
        (["log.csv", "--format", "github-summary"], "GITHUB_STEP_SUMMARY is not set"),
        (["log.csv", "--format", "junit=no/folder/x.xml"], "no/folder/x.xml"),
        (["log.csv", "--name", "a--b"], "single dashes"),
        (["log.csv", "--baseline", "main"], "PROJECT@main"),
        (["log.csv", "--baseline", "table.json"], "not a report of `curvewise check"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_2(call: Run, here: Path, arguments: list[str], says: str) -> None:
    write(here / "log.csv", "mlp-warmup-linear")
    (here / "table.json").write_text('{"form": "curvewise-check/1"}')
    done = call("check", *arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("\u2502", " ").split())


def test_a_defect_of_the_check_is_no_failed_run(call: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outputs, "write", broken)
    done = call("check", str(write(here / "log.csv", "mlp-warmup-linear")))
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ("mnist/good", 0, "pass         mnist/good"),
        ("mnist/again", 1, "CW008"),
        ("mnist/failed", 1, "the job failed before it was done"),
        ("mnist/goes-on", 3, "the run still goes on"),
        (f"mnist@{SHA}", 0, "1 passed"),
        (f"mnist@{NEXT_SHA}", 1, "1 failed, 1 passed"),
        (f"mnist@{NEXT_SHA[:8]}", 1, "1 failed, 1 passed"),
    ],
)
def test_runs_and_commits_on_a_server(call: Run, server: str, target: str, code: int, says: str) -> None:
    done = call("check", target, "--url", server)
    assert (done.returncode, done.stderr) == (code, "")
    assert says in done.stdout


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("mnist/nobody", "no run 'nobody'"),
        ("nobody/r", "no project 'nobody'"),
        ("mnist@abcdef1", "is of commit 'abcdef1'"),
        ("nobody@abcdef1", "no project 'nobody'"),
    ],
)
def test_what_is_not_on_the_server_is_2(
    call: Run, server: str, monkeypatch: pytest.MonkeyPatch, target: str, says: str
) -> None:
    monkeypatch.setenv("CURVEWISE_URL", server)
    done = call("check", target)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("target", "ref", "code", "says"),
    [
        # Neither the run that failed, nor another job's, nor the one that was opened later.
        ("mnist/good", "main", 0, "against main: val/loss 0.1429 against 0.1283 is as good"),
        ("mnist/bad", "main", 1, "against main (mnist/main-2): val/loss 1.633 against 0.1283 is worse"),
        ("mnist/bad", "release", 1, "(mnist/main-0)"),
        ("mnist/good", "release", 0, "better than the baseline beyond noise"),
        ("mnist/good", "release=v1", 0, "better than the baseline beyond noise"),
        ("mnist/good", "release=v2", 3, "there is no run yet that 'release=v2' names"),
        ("mnist/good", "branch=main", 0, "measured on 3 runs"),
        ("mnist/good", "1" * 40, 0, "against 0.1449"),
        ("mnist/good", "mnist/main-1", 0, "against 0.1449"),
        ("mnist/again", f"{NEXT_SHA[:7]}", 1, "there is no run yet"),
        ("mnist/main-0", "main", 3, "there is no run yet that 'main' names"),
        ("mnist/later", "main", 1, "worse than the baseline beyond noise"),
        ("log.csv", "mnist@main", 0, "0.1429 against 1.702 is better"),
        ("log.csv", "mnist@release", 0, "better"),
    ],
)
def test_baselines_on_a_server(call: Run, server: str, here: Path, target: str, ref: str, code: int, says: str) -> None:
    write(here / "log.csv", "mlp-warmup-linear")
    done = call("check", target, "--url", server, "--baseline", ref)
    assert says in done.stdout
    assert done.returncode == code


def test_several_baselines_all_count(call: Run, server: str) -> None:
    done = call("check", "mnist/good", "--url", server, "--baseline", "release", "--baseline", "main")
    assert done.returncode == 0
    assert done.stdout.count("against") == 4
    missing = call("check", "mnist/good", "--url", server, "--baseline", "mnist/nobody")
    assert missing.returncode == 2


def test_a_log_and_a_report_are_baselines_too(call: Run, here: Path) -> None:
    write(here / "log.csv", "mlp-300-samples")
    write(here / "before.csv", "mlp-step-decay")
    write(here / "close.csv", "mlp-warmup-linear")
    assert call("check", "before.csv", "close.csv", "--format", "json=before.json").returncode == 0
    assert call("check", "log.csv", "--baseline", "before.csv").returncode == 1
    same = call("check", "before.csv", "--baseline", "before.json")
    assert same.returncode == 0
    assert "+0.0 noise units" in same.stdout
    other = call("check", "log.csv", "--baseline", "before.json")
    assert other.returncode == 2
    assert "none of its 2 runs is 'log.csv'" in other.stderr
    call("check", "before.csv", "--format", "json=one.json")
    assert call("check", "log.csv", "--baseline", "one.json").returncode == 1
    (here / "many").mkdir()
    write(here / "many" / "a.csv", "mlp-cosine")
    write(here / "many" / "b.csv", "mlp-step-decay")
    many = call("check", "log.csv", "--baseline", "many")
    assert (many.returncode, "holds 2 runs" in many.stderr) == (2, True)


def test_a_database_is_read_as_a_server_is(call: Run, database_url: str) -> None:
    store(database_url, "p", "r0", "mlp-step-decay", tags={"branch": "main"}, commit="0" * 40)
    store(database_url, "p", "r1", "mlp-300-samples", commit=SHA)
    assert call("check", "p/r0", "--database-url", database_url).returncode == 0
    done = call("check", f"p@{SHA}", "--database-url", database_url, "--baseline", "main", "--format", "html=r.html")
    assert done.returncode == 1
    assert "against main (p/r0): val/loss 1.633 against 0.1283" in done.stdout
    assert "p/r1" in Path("r.html").read_text()
    assert call("check", "p/r2", "--database-url", database_url).returncode == 2


def test_one_command_writes_every_format(call: Run, server: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    files = [f"{form}={form}.out" for form in outputs.FORMATS if form != "github-summary"]
    formats = [argument for each in (*files, "github-summary") for argument in ("--format", each)]
    done = call("check", f"mnist@{NEXT_SHA}", "--url", server, "--baseline", "main", *formats)
    assert done.returncode == 1
    assert "1 passed" not in done.stdout
    for form in outputs.FORMATS:
        text = (here / ("summary.md" if form == "github-summary" else f"{form}.out")).read_text()
        assert "CW008" in text or form == "openmetrics", form
    sarif = json.loads((here / "sarif.out").read_text())
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in sarif["runs"][0]["results"]
    }
    assert uris == {"src/train.py"}, "the tag `script` says where"
    quality = call(
        "check", "mnist/again", "--url", server, "--format", "gitlab-codequality", "--location", "conf/a.yml"
    )
    assert json.loads(quality.stdout)[0]["location"]["path"] == "conf/a.yml"
    assert "1 failed" in quality.stderr, "stdout is the report's"


def test_a_summary_is_appended(call: Run, here: Path) -> None:
    write(here / "log.csv", "mlp-rate-3.0")
    (here / "summary.md").write_text("# Before\n")
    for _ in range(2):
        call("check", "log.csv", "--format", "github-summary=summary.md", "--name", "nightly run")
    text = (here / "summary.md").read_text()
    assert text.startswith("# Before\n\n## nightly run: 1 failed\n")
    assert text.count("## nightly run") == 2


def test_where_a_log_is_not_below_the_working_directory(call: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "log.csv", "mlp-rate-3.0")
    (here / "repository").mkdir()
    monkeypatch.chdir(here / "repository")
    done = call("check", str(here / "log.csv"), "--format", "gitlab-codequality")
    assert json.loads(done.stdout)[0]["location"]["path"] == "log.csv"


def test_names_of_strangers_command_no_pipeline(
    call: Run, server: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with httpx.Client(base_url=server, timeout=30, trust_env=False) as client:
        for name in NAMES:
            tags = {"job": name, "script": name}
            send(client, "strangers", name, "mlp-800-updates", "failed", tags=tags, commit="5" * 40)
        for name in NAMES[::4]:
            send(client, name, name, "mlp-800-updates", "failed")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    files = [argument for form in outputs.FORMATS[:7] for argument in ("--format", f"{form}={form}.out")]
    done = call("check", "strangers@5555555", "--url", server, "--format", "github-summary", *files)
    assert done.returncode == 1
    assert done.stdout.endswith(f"{len(NAMES)} failed\n")
    for line in (done.stdout + done.stderr).splitlines():
        assert not line.startswith("::")
        assert "##[" not in line
        assert "##vso[" not in line
    assert JUnitXml.fromstring((here / "junit.out").read_bytes()).failures == len(NAMES)
    families = list(text_string_to_metric_families((here / "openmetrics.out").read_text()))
    assert len(families[0].samples) == len(NAMES)
    for name in NAMES[::4]:
        one = call("check", "--url", server, "--", f"{name}/{name}")
        assert (one.returncode, "the job failed" in one.stdout) == (1, True), name
