"""The README's commands work as pasted, and it says nothing that is not so."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.api.app import create_app
from app.demo.replay import diagnoses, recorded_runs, stream
from app.demo.server import running_server
from app.rules.catalogue import CATALOGUE
from app.rules.rule import Rule
from app.settings import PREFIX, Settings
from loop import block, fly

README = (Path(__file__).parents[1] / "README.md").read_text()
SETTINGS = Settings()


def test_it_opens_with_the_two_commands() -> None:
    commands = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    assert commands[:2] == [
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/curvewise demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest",
    ]


def test_the_curl_examples_work_as_pasted(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    with running_server() as address:
        script = block.replace("http://127.0.0.1:8000", address)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"accepted":6' in done.stdout.replace(" ", "")
    assert '"rule":"exploding"' in done.stdout.replace(" ", "")
    assert "| **CW008 exploding**" in done.stdout


def test_predictions_are_saved_and_sent_as_pasted(tmp_path: Path) -> None:
    section = README.split("## After training")[1].split("\n## ")[0]
    (saved,), (sent,) = (re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("python", "bash"))
    with running_server() as address:
        for run in ("r1", "r2"):
            assert httpx.put(f"{address}/api/v1/projects/mnist/runs/{run}").status_code == 201
        subprocess.run([sys.executable, "-c", saved], cwd=tmp_path, check=True, timeout=60)
        script = sent.replace("http://127.0.0.1:8000", address)
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"kind":"probabilities","examples":40,"classes":3' in done.stdout
    assert "val/loss was not logged: log it at every checkpoint" in done.stdout
    assert "the predictions of one checkpoint, step 4200, are there" in done.stdout


def test_the_loop_finds_acts_and_ends_lower_as_it_says() -> None:
    code, pasted = block()
    assert len(code.splitlines()) <= 20
    with running_server() as address:
        printed = fly(code, address)
        actions = httpx.get(f"{address}/api/v1/projects/readme/runs/flown/actions").raise_for_status().json()["items"]
    val = {int(step): float(loss) for step, loss in re.findall(r"^ *(\d+)  val (\d\.\d\d)", printed, re.MULTILINE)}
    said = {int(step): float(loss) for step, loss in re.findall(r"^ *(\d+)  val (\d\.\d\d)", pasted, re.MULTILINE)}
    assert val[3000] < 0.7 * val[1500]
    assert said[3000] == pytest.approx(val[3000], rel=0.2), "not to the digit: products are rounded as the machine does"
    assert [act["code"] for act in actions] == re.findall(r"CW\d+", pasted) == re.findall(r"CW\d+", printed)


def test_every_endpoint_is_listed() -> None:
    paths = {path for path in create_app(SETTINGS).openapi()["paths"] if path not in README}
    assert not paths


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_every_rule_is_listed(rule: Rule) -> None:
    assert f"| {rule.code} | {rule.name} |" in README


def test_every_setting_is_listed_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        default = "none" if field.default == "" else f"`{field.default}`"
        assert re.search(rf"`{PREFIX}{name.upper()}` \| {re.escape(default)}", README), name


def test_the_pasted_demo_shows_the_findings_of_today() -> None:
    pasted = README.split("<!-- demo output -->")[1].split("<!-- end of demo output -->")[0]
    with running_server() as address:
        stream(address, recorded_runs(), 1000, lambda *_: None)
        found = diagnoses(address)
    today = [(diagnosis.run, finding.code) for diagnosis in found for finding in diagnosis.findings]
    assert re.findall(r"^ (mlp-\S+) .*\n (CW\d+)", pasted, re.MULTILINE) == today
    rows = [row for row in re.split(r"^ ─+$", pasted, flags=re.MULTILINE) if re.search(r"^ CW\d+", row, re.MULTILINE)]
    column = pasted.split("what to do")[0].rsplit("\n", 1)[1]
    advice = [" ".join(" ".join(line[len(column) :].split()) for line in row.strip("\n").split("\n")) for row in rows]
    firsts = [finding.recommendations[0].text for diagnosis in found for finding in diagnosis.findings]
    assert [said.split(" (Follows")[0].strip() for said in advice] == firsts
    healthy = [diagnosis.run for diagnosis in found if not diagnosis.findings]
    assert re.findall(r"^ (mlp-\S+)\n nothing found", pasted, re.MULTILINE) == healthy
