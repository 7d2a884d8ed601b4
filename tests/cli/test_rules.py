"""`curvewise rules`, and the page made by it."""

import json
import subprocess
from pathlib import Path

import pytest

from app.rules.catalogue import CATALOGUE
from tests.cli.conftest import COMMAND, Run

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_what_the_command_prints(call: Run) -> None:
    printed = call("rules", "--format", "markdown").stdout
    assert PAGE.read_text() == printed, "stale: run `curvewise rules --format markdown > docs/rules.md`"


def test_table_and_json_list_every_rule(call: Run) -> None:
    table, document = call("rules").stdout, json.loads(call("rules", "--format", "json").stdout)
    assert [rule["code"] for rule in document["rules"]] == [rule.code for rule in CATALOGUE]
    assert all(rule.code in table for rule in CATALOGUE)


def test_version_and_help(call: Run) -> None:
    assert call("--version").stdout.startswith("curvewise ")
    helped = call("--help").stdout
    for command in ("serve", "diagnose", "demo", "migrate", "rules"):
        assert command in helped


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("form", ["table", "json"])
def test_output_that_cannot_be_written_is_one_line(environ: dict[str, str], form: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "rules", "--format", form],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["curvewise: [Errno 28] No space left on device"]
