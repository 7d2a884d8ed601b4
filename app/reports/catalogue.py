"""The catalogue of rules, for people: docs/rules.md is this, rendered from the rules themselves."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from app.rules.rule import Need, Rule

_INTRODUCTION = """\
# Rules

Catalogue {version}. Generated from the rules by `curvewise rules --format markdown`; do not edit.

| code | rule | what it finds |
| --- | --- | --- |
"""


def layout(rules: Sequence[Rule]) -> RenderableType:
    """One line a rule."""
    table = Table(header_style="bold")
    for title in ("code", "rule", "finds", "needs"):
        table.add_column(title, overflow="fold")
    for rule in rules:
        table.add_row(rule.code, rule.name, _first_line(rule), "\n".join(worded_need(need) for need in rule.needs))
    return table


def to_json(rules: Sequence[Rule], version: str) -> str:
    """Every rule with its documentation, needs, and params as JSON Schema."""
    document = {
        "catalogue": version,
        "rules": [
            {
                "code": rule.code,
                "name": rule.name,
                "doc": rule.doc.strip(),
                "needs": [{"curve": need.curve, "min_points": need.min_points} for need in rule.needs],
                "params": rule.params.model_json_schema(),
            }
            for rule in rules
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def to_markdown(rules: Sequence[Rule], version: str) -> str:
    """A page: the table of rules, then a section each with its docstring's headings, needs and params."""
    table = "".join(
        f"| [{rule.code}](#{rule.code.lower()}-{rule.name}) | `{rule.name}` | {_first_line(rule)} |\n" for rule in rules
    )
    return _INTRODUCTION.format(version=version) + table + "".join(_section(rule) for rule in rules)


def _section(rule: Rule) -> str:
    needs = "; ".join(worded_need(need) for need in rule.needs)
    return f"\n## {rule.code} {rule.name}\n\n{_body(rule)}\n\n**Needs** {needs}\n\n{_params(rule)}"


def _body(rule: Rule) -> str:
    """The docstring's first line, then what stands under each of its headings; formulas keep their lines."""
    parts = [_first_line(rule)]
    for heading, text in sections(rule.doc):
        parts.append(f"**{heading}**")
        parts.append(f"```text\n{text}\n```" if heading == "Statistic" else _escape(text))
    return "\n\n".join(parts)


def sections(doc: str) -> Iterator[tuple[str, str]]:
    """A rule's docstring after its first line: each heading with the text under it."""
    sections: dict[str, list[str]] = {}
    heading = None
    for line in doc.strip().splitlines()[1:]:
        if line and not line[0].isspace():
            heading = line
            sections[heading] = []
        elif heading:
            sections[heading].append(line)
    for name, lines in sections.items():
        yield name, textwrap.dedent("\n".join(lines)).strip()


def _params(rule: Rule) -> str:
    fields = list(params_of(rule))
    if not fields:
        return "It has no params.\n"
    rows = "".join(f"| `{name}` | {default} | {bounds} | {_escape(text)} |\n" for name, default, bounds, text in fields)
    return "| param | default | bounds | meaning |\n| --- | --- | --- | --- |\n" + rows


def params_of(rule: Rule) -> Iterator[tuple[str, str, str, str]]:
    """Name, default, bounds and meaning of each param."""
    properties: dict[str, dict[str, Any]] = rule.params.model_json_schema().get("properties", {})
    signs = {"exclusiveMinimum": "> ", "minimum": ">= ", "exclusiveMaximum": "< ", "maximum": "<= "}
    for name, schema in properties.items():
        bounds = ", ".join(f"{sign}{schema[key]:g}" for key, sign in signs.items() if key in schema)
        yield name, f"{schema['default']:g}", bounds, schema.get("description", "")


def _first_line(rule: Rule) -> str:
    return _escape(rule.doc.strip().splitlines()[0])


def worded_need(need: Need) -> str:
    """A curve, and how many points of it."""
    return need.curve if need.min_points == 1 else f"{need.curve}, at least {need.min_points} points"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
