"""`curvewise rules`, and the page made by it."""

import json
from pathlib import Path

from app.rules.catalogue import CATALOGUE
from tests.cli.conftest import Run

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
