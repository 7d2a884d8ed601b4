"""Checks as SARIF 2.1.0, for code scanning on GitHub and whatever else reads it.

A result needs a file, so each points at the first line of what trains, or of the log.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from app.checks.check import Check
from app.reports import words
from app.reports.issues import OTHER_RULES, Issue, issues
from app.rules.catalogue import CATALOGUE

MOST_RESULTS = 25_000  # GitHub takes no more a run, and shows the first 5,000
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(checks: Sequence[Check], name: str = "curvewise") -> str:
    """One log of one run. Findings that fail a check are errors; the others have the level of their severity."""
    found = issues(checks)
    left_out = len(found) - MOST_RESULTS
    rules = _rules()
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "Curvewise", "version": version("curvewise"), "rules": rules}},
        "automationDetails": {"id": f"{words.plain(name)}/"},
        "results": [_result(issue, index[issue.rule]) for issue in found[:MOST_RESULTS]],
        "columnKind": "unicodeCodePoints",
    }
    if left_out > 0:
        text = f"{left_out:,} more results, none of them worse, are left out: {MOST_RESULTS:,} are taken."
        run["invocations"] = [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "note", "message": {"text": text}}],
            }
        ]
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return to_json(log, indent=2).decode() + "\n"


def _rules() -> list[dict[str, Any]]:
    known = [(rule.code, rule.name, rule.doc) for rule in CATALOGUE]
    # A rule's id and its name may not be the same word.
    others = [(kind, f"check_{kind}", meaning) for kind, meaning in OTHER_RULES.items()]
    return [
        {
            "id": code,
            "name": _pascal(name),
            "shortDescription": {"text": doc.split("\n", 1)[0]},
            "fullDescription": {"text": doc.split("\n\n", 1)[0]},
            "help": {"text": doc},
        }
        for code, name, doc in (*known, *others)
    ]


def _result(issue: Issue, rule_index: int) -> Mapping[str, Any]:
    return {
        "ruleId": issue.rule,
        "ruleIndex": rule_index,
        "level": "error" if issue.fails else _LEVELS[issue.severity],
        "message": {"text": f"{issue.title}\n{issue.text}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(issue.location)},
                    "region": {"startLine": 1},
                }
            }
        ],
        # GitHub tells results apart by this one, and by the text of the line where a tool gives none: which is the
        # same line for every result here.
        "partialFingerprints": {"primaryLocationLineHash": issue.fingerprint},
    }


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
