"""The dashboard and the alerts ask for nothing that the server does not have: parsed as Prometheus and Grafana do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.storage.database import Database, make_engine
from tests.api.conftest import serving
from tests.api.standing import stand

DOCS = Path(__file__).parent.parent / "docs"
DASHBOARD = json.loads((DOCS / "grafana" / "curvewise.json").read_text())
ALERTS = yaml.safe_load((DOCS / "prometheus" / "curvewise-alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [target["expr"] for target in TARGETS if "expr" in target]
TABLES = [target for target in TARGETS if target["datasource"]["type"] == "yesoreyeram-infinity-datasource"]
PROJECT = "a project"

Labels = dict[str, dict[str, set[str]]]  # metric -> label -> values that were seen


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that has seen some of everything."""
    url = f"sqlite:///{tmp_path_factory.mktemp('dashboards')}/d.db"
    with serving(Settings(database_url=url)) as client:
        database = Database(make_engine(url))
        for severity in ("info", "warning", "error"):
            stand(database, PROJECT, severity, "running", ("overfitting", severity, True), commit="9fceb02")
        stand(database, PROJECT, "stalled", "running", stalled=True)
        database.close()
        run = f"/api/v1/projects/{quote(PROJECT)}/runs/posted"
        client.put(run).raise_for_status()
        body = {"curves": {"train/loss": {"steps": [1, -2], "values": [1, 2]}}}
        client.post(f"{run}/points", json=body).raise_for_status()
        assert client.post(f"{run}/points", content="{").status_code == 400
        client.get(f"{run}/diagnosis").raise_for_status()
        yield client


@pytest.fixture(scope="module")
def exported(served: httpx.Client) -> Labels:
    """What is to be had at /metrics."""
    found: Labels = {}
    for family in text_string_to_metric_families(served.get("/metrics").raise_for_status().text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault(sample.name, {}).setdefault(label, set()).add(value)
            found.setdefault(sample.name, {})
    return found


def parsed(expression: str) -> Any:
    """As Prometheus reads it, once Grafana has put in what stands for an interval."""
    return promql.parse(expression.replace("$__rate_interval", "5m"))


def nodes(expression: str, kind: type) -> list[Any]:
    found: list[Any] = []
    promql.walk(parsed(expression), pre_visit=lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def test_there_is_something_to_check() -> None:
    assert len(RULES) >= 6
    assert len(EXPRESSIONS) >= 15
    assert len(TABLES) == 2


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_of_an_expression_is_exported(expression: str, exported: Labels) -> None:
    selectors = nodes(expression, promql.VectorSelector)
    assert selectors
    for selector in selectors:
        assert selector.name in exported
        for matcher in selector.matchers.matchers:
            assert matcher.name in exported[selector.name], matcher.name
    known = {label for selector in selectors for label in exported[selector.name]}
    for aggregate in nodes(expression, promql.AggregateExpr):
        if aggregate.modifier is not None:
            assert set(aggregate.modifier.labels) <= known


@pytest.mark.parametrize("expression", ["curvewise_no_such_metric > 0", "sum by (colour) (curvewise_runs)"])
def test_the_check_sees_what_is_not_exported(expression: str, exported: Labels) -> None:
    with pytest.raises(AssertionError):
        test_every_metric_and_label_of_an_expression_is_exported(expression, exported)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_value_that_is_asked_for_can_be_there(expression: str, exported: Labels) -> None:
    possible = {
        "state": {"running", "stalled", "finished", "failed", "waiting", "delivered", "dead"},
        "severity": {"info", "warning", "error"},
        "status": {"200", "5.."},
        "project": {"$project"},
    }
    for selector in nodes(expression, promql.VectorSelector):
        for matcher in selector.matchers.matchers:
            assert set(matcher.value.split("|")) <= possible[matcher.name]


def test_gauges_from_the_database_are_not_added_up_over_replicas() -> None:
    for expression in EXPRESSIONS:
        for aggregate in nodes(expression, promql.AggregateExpr):
            if isinstance(aggregate.expr, promql.VectorSelector) and aggregate.expr.name != "curvewise_queue_points":
                assert str(aggregate.op) in {"max", "min"}, expression


def test_alerts_say_what_is_wrong_with_labels_that_they_keep(exported: Labels) -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        named = {
            word.rstrip("}").strip()
            for word in rule["annotations"]["summary"].split("$labels.")[1:]
            for word in [word.split()[0]]
        }
        [outer, *_] = nodes(rule["expr"], promql.AggregateExpr)
        kept = set(outer.modifier.labels) if outer.modifier else set()
        assert named <= kept, rule["alert"]
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["url"].split("?")[0].rsplit("/", 1)[1])
def test_every_column_of_a_table_is_what_the_api_answers(table: dict[str, Any], served: httpx.Client) -> None:
    url = table["url"].replace("${project:percentencode}", quote(PROJECT, safe=""))
    assert "$" not in url
    rows = served.get(url).raise_for_status().json()[table["root_selector"]]
    assert len(rows) >= 3
    for column in table["columns"]:
        values = []
        for row in rows:
            value: Any = row
            for key in column["selector"].split("."):
                value = value[key]
            values.append(value)
        kinds = {"string": str, "number": (int, float), "timestamp": str, "timestamp_epoch": int}[column["type"]]
        assert all(value is None or isinstance(value, kinds) for value in values), column
        if column["type"] == "timestamp_epoch":
            assert all(value > 1_000_000_000_000 for value in values)  # milliseconds, not seconds


def test_the_dashboard_can_be_imported_anywhere() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"prometheus", "infinity", "project"}
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        # Data sources by variable: an id of somebody's installation would be nobody else's.
        assert panel["datasource"]["uid"] in {"${prometheus}", "${infinity}"}
    taken = {
        (x, y)
        for p in panels
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    }
    assert len(taken) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in panels)
    assert max(x for x, _ in taken) < 24


def test_the_scrape_example_reads_as_prometheus_configuration() -> None:
    config = yaml.safe_load((DOCS / "prometheus" / "curvewise.yml").read_text())
    assert config["rule_files"] == ["curvewise-alerts.yml"]
    assert config["scrape_configs"][0]["job_name"] == "curvewise"
