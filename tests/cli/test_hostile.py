"""Whatever strangers call things, each report and each command puts it out as text: by a real parser of each format.

The formats are those that the command offers and the modules those of the room of reports, so that a new one is fed as
well, or fails for having no parser.
"""

import os
import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import app.reports
from app.api import formats
from app.checks.check import Check
from app.checks.target import Target
from app.cli import outputs
from app.cli.outputs import Wanted
from app.cli.targets import Subject
from app.curves.curve import Curve
from app.reports import json, markdown, pictures, table
from app.reports.chart import report_chart
from app.reports.words import plain
from app.storage.database import Database, make_engine
from tests.checked import checked, hostile
from tests.cli.conftest import Run
from tests.hostile import NAMES, TEXTS
from tests.parsers import as_html, as_json, as_junit, as_line, as_markdown, as_sarif, as_svg
from tests.reports.test_annotations import read as read_annotations
from tests.reports.test_code_quality import read as read_code_quality


def as_code_quality(body: bytes) -> list[str]:
    read_code_quality(body.decode())
    return as_json(body)


def as_openmetrics(body: bytes) -> list[str]:
    families = text_string_to_metric_families(body.decode())
    labels = [value for family in families for sample in family.samples for value in sample.labels.values()]
    return [value.replace("\N{FULLWIDTH NUMBER SIGN}", "#") for value in labels]


def as_annotations(body: bytes) -> list[str]:
    return [value for command in read_annotations(body.decode()) for value in command.values()]


CHECKS: Mapping[str, Callable[[bytes], list[str]]] = {
    "junit": as_junit,
    "sarif": as_sarif,
    "gitlab-codequality": as_code_quality,
    "openmetrics": as_openmetrics,
    "github-annotations": as_annotations,
    "markdown": as_markdown,
    "json": as_json,
    "github-summary": as_markdown,
    "html": as_html,
}
_CURVES = {text: Curve(text, np.arange(3.0), np.ones(3)) for text in TEXTS[:8]}
# A module of reports -> (what it says of a check, how that is read); None: fed as a format of `check` above.
REPORTS: Mapping[str, tuple[Callable[[Check], str], Callable[[bytes], list[str]]] | None] = {
    **dict.fromkeys(("annotations", "check_json", "check_markdown", "code_quality", "junit", "openmetrics", "sarif")),
    "html": None,
    "json": (lambda one: json.render(one.diagnosis), as_json),
    "markdown": (lambda one: markdown.render(one.diagnosis), as_markdown),
    "table": (lambda one: table.render(one.diagnosis, 200) + table.render_many([one.diagnosis] * 2, 200), as_line),
}
ALONE = [(name, *way) for name, way in REPORTS.items() if way is not None]


def shown(text: str) -> str:
    return " ".join(plain(text).split())


def test_every_format_of_a_check_has_a_parser() -> None:
    assert set(CHECKS) == set(outputs.FORMATS)


def test_every_module_that_renders_a_report_is_fed() -> None:
    modules = [found.name for found in pkgutil.iter_modules(app.reports.__path__)]
    assert len(modules) > 20
    rendering = {name for name in modules if hasattr(import_module(f"app.reports.{name}"), "render")}
    assert rendering == set(REPORTS)
    assert set(get_args(formats.Format)) <= rendering | {"svg"}


@pytest.mark.parametrize("form", CHECKS)
def test_a_check_is_told_in_texts(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = hostile()[::5] if form == "html" else hostile()[::2] if "summary" in form else hostile()
    # GitHub shows ten annotations of a kind, and so no more are written.
    at_once = 4 if form == "github-annotations" else len(checks)
    texts: list[str] = []
    for at in range(0, len(checks), at_once):
        (tmp_path / "report").unlink(missing_ok=True)
        found = [(one, subject(one)) for one in checks[at : at + at_once]]
        outputs.write(found, [Wanted(form, tmp_path / "report")], "nightly")
        texts += [" ".join(text.split()) for text in CHECKS[form]((tmp_path / "report").read_bytes())]
    for one in checks:
        raw = " ".join(one.name.replace("\udc80", "?").split())
        assert any(shown(one.name) in text or raw in text for text in texts), one.name
    for line in as_line(capsys.readouterr().out.encode()):
        assert not line.startswith("::")
        assert "##[" not in line
        assert "##vso[" not in line


def subject(one: Check) -> Subject:
    target = Target(name=one.name, identity=one.identity, location=one.name)
    return Subject(target, one.diagnosis, {}, None, lambda: _CURVES if one.name == TEXTS[0] else {}, {})


@pytest.mark.parametrize(("name", "render", "read"), ALONE, ids=[name for name, *_ in ALONE])
def test_a_diagnosis_is_told_in_texts(
    name: str, render: Callable[[Check], str], read: Callable[[bytes], list[str]]
) -> None:
    for text, one in zip(TEXTS, hostile(), strict=True):
        if name == "json" and "\udc80" in text:
            continue  # which no name holds that is stored or read, and JSON cannot say
        told = render(one).encode(errors="replace")
        assert any(
            shown(text)[:40] in " ".join(part.split()) or text in part or text.replace("\udc80", "?") in part
            for part in read(told)
        ), text


def test_names_of_curves_are_texts_of_a_picture() -> None:
    curves = {f"train/{text}": Curve(f"train/{text}", np.arange(3.0), np.ones(3)) for text in NAMES}
    roles = {name: ("train/loss", "val/loss")[at] for at, name in enumerate(list(curves)[:2])}
    for one in hostile()[::6]:
        as_svg(pictures.svg(report_chart(one.diagnosis, curves, roles=roles)).encode())
    as_svg(pictures.svg(report_chart(checked("mlp-cosine").diagnosis, curves, roles=roles)).encode())


def test_folders_of_any_name_are_read_imported_and_exported_and_nothing_else_is_touched(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CURVEWISE_DATABASE_URL", f"sqlite:///{tmp_path}/c.db")
    fit = [text for text in TEXTS if not {"/", "\0"} & set(text) and len(os.fsencode(text)) < 200]
    made = [text for text in fit if not text.startswith(".")]  # which hides a folder
    for text in made:
        (tmp_path / "logs" / text).mkdir()
        rows = "\n".join(f"{step},{3 - step / 10},{text.replace(',', '')!a}" for step in range(20))
        (tmp_path / "logs" / text / "metrics.csv").write_text(f"step,train_loss,note\n{rows}\n")
    told = [call("diagnose", "logs"), call("import", "logs", "--project", "p"), call("export", "out.db")]
    told += [call("check", "logs"), call("audit"), call("token", "list")]
    assert [one.returncode for one in told[:3]] == [0, 0, 0]
    for one in told:
        as_line(one.stdout.encode())
        as_line(one.stderr.encode())
    assert {found.name for found in tmp_path.iterdir()} <= {"logs", "c.db", "c.db-wal", "c.db-shm", "out.db"}
    assert {found.name for found in (tmp_path / "logs").iterdir()} == set(made)
    database = Database(make_engine(f"sqlite:///{tmp_path}/out.db"))
    with database.reading() as connection:
        kept = {row[0] for row in connection.exec_driver_sql("SELECT name FROM runs")}
    database.close()
    assert len(kept) == len(made)
    assert len(kept & set(made)) > len(made) // 2  # the others had what no name may hold
