"""Where the reports of `curvewise check` go: files, stdout, and the file that a GitHub job's summary is."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import TextIO

from app.checks.check import Check
from app.cli.targets import Subject
from app.errors import InvalidInput
from app.reports import (
    annotations,
    check_json,
    check_markdown,
    code_quality,
    html,
    junit,
    openmetrics,
    sarif,
)
from app.reports.words import plain

Checked = Sequence[tuple[Check, Subject]]
SUMMARY, SUMMARY_FILE = "github-summary", "GITHUB_STEP_SUMMARY"
_TITLE = re.compile(
    r"[A-Za-z0-9_.]+(?:[- ][A-Za-z0-9_.]+)*"
)  # it stands in a comment of HTML, which ends at two dashes
_LONGEST_TITLE = 50

_RENDER: Mapping[str, Callable[[Sequence[Check], str], str]] = {
    "junit": junit.render,
    "sarif": sarif.render,
    "gitlab-codequality": lambda checks, _: code_quality.render(checks),
    "openmetrics": lambda checks, _: openmetrics.render(checks),
    "github-annotations": lambda checks, _: annotations.render(checks),
    "markdown": check_markdown.render,
    "json": lambda checks, _: check_json.render(checks),
}
FORMATS = (*_RENDER, SUMMARY, "html")


@dataclass(frozen=True)
class Wanted:
    """A report; to stdout when there is no file."""

    form: str
    file: Path | None


def parse(text: str) -> Wanted:
    """FORMAT[=FILE]. Raises InvalidInput."""
    form, equals, file = text.partition("=")
    if form not in FORMATS or (equals and not file):
        raise InvalidInput(f"--format {text!a}: give FORMAT or FORMAT=FILE; the formats are {', '.join(FORMATS)}")
    if form == SUMMARY and not file:
        file = environ.get(SUMMARY_FILE, "")
        if not file:
            raise InvalidInput(f"--format {SUMMARY}: {SUMMARY_FILE} is not set, so say which file: {SUMMARY}=FILE")
    return Wanted(form, Path(file) if file else None)


def check_title(text: str) -> str:
    """What reports call a check. Raises InvalidInput when it cannot stand in all of them."""
    if not _TITLE.fullmatch(text) or len(text) > _LONGEST_TITLE:
        raise InvalidInput(
            f"--name {text!a}: up to {_LONGEST_TITLE} letters, digits, dots and underscores, with single dashes or "
            "spaces between them"
        )
    return text


def write(found: Checked, wanted: Sequence[Wanted], title: str) -> None:
    """All reports, then what came of each run: on stdout, or on stderr where a report has stdout. Raises OSError."""
    checks = [check for check, _ in found]
    for each in wanted:
        if each.form == SUMMARY and each.file is not None:
            _append(each.file, checks, title)
            continue
        text = _html(found) if each.form == "html" else _RENDER[each.form](checks, title)
        if each.file is None:
            sys.stdout.write(text)
        else:
            each.file.write_text(text, "utf-8", newline="\n")
    taken = any(each.file is None for each in wanted)
    _tell(checks, sys.stderr if taken else sys.stdout)


def _append(file: Path, checks: Sequence[Check], title: str) -> None:
    taken = file.stat().st_size if file.exists() else 0
    with file.open("a", encoding="utf-8", newline="\n") as summary:
        summary.write(check_markdown.summary(checks, title, taken=taken))


def _html(found: Checked) -> str:
    roles = {name: role for _, subject in found for name, role in subject.roles.items()}
    runs = [(check.diagnosis, subject.drawn()) for check, subject in found]
    return html.render_many(runs, roles=roles, checks=[check for check, _ in found])


def _tell(checks: Sequence[Check], stream: TextIO) -> None:
    lines = []
    for check in checks:
        lines.append(f"{check.outcome:<12} {check.name}")
        lines += [f"{'':<12} {reason.text}" for reason in check.reasons]
        lines += [
            f"{'':<12} against {c.ref}: {c.reason}" for c in check.comparisons if c.relation in ("same", "better")
        ]
    for line in (*lines, check_markdown.tally(checks)):
        print(_unspoken(plain(line)), file=stream)


def _unspoken(line: str) -> str:
    """A line that no CI system takes for a command: the others begin a line, which no stranger's text does here."""
    return line.replace("##[", "# #[").replace("##vso[", "# #vso[")
