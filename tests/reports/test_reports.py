"""Every format says the same, and none lets a stranger's name out of its cell."""

import json
import math
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from app.demo.replay import recorded_runs
from app.diagnosis import Diagnosis, judge
from app.reports import json as json_report
from app.reports import markdown, table, words
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped

FINDING = Finding(
    code="CW005",
    rule="overfitting",
    severity="warning",
    confidence=0.934,
    summary="val/loss has climbed 14 % above its best since step 1200000",
    onset_step=1_200_000.0,
    span=(1_200_000.0, 2_000_000.0),
    evidence=(Evidence("val_rise", 9.1234, 3.0, "noise units"), Evidence("gap", math.inf, None, "nats")),
    recommendations=(Recommendation("Keep the checkpoint of step 1200000.", "stop", {"best_step": 1_200_000.0}),),
)
DIAGNOSIS = Diagnosis(
    run="r1",
    project="p",
    through_step=2_000_000.0,
    state="finished",
    catalogue="2026.1",
    verdicts=(
        FINDING,
        Clear(code="CW008", rule="exploding"),
        Skipped(code="CW007", rule="wrong_initial_loss", reason="num_classes is not known"),
    ),
)
HOSTILE = "a|b\nc\x1b[31m\udc80<script>`*[x](y)"


@pytest.mark.parametrize("width", [70, 80, 120])
def test_table_says_everything_within_its_width(width: int) -> None:
    text = table.render(DIAGNOSIS, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    parts = (
        "CW005 overfitting",
        "1200000",
        "9.12",
        "93 %",
        "gain",
        '{"action": "stop", "args": {"best_step": 1200000}}',
    )
    rest = ("CW008 exploding", "num_classes is not known", "context.num_classes")
    for part in (*parts, *rest):
        assert part in " ".join(text.split())
    order = ("Findings", "Checked and fine", "Could not be judged")
    assert [line for line in map(str.strip, text.splitlines()) if line in order] == list(order)


def test_table_of_a_run_without_findings() -> None:
    text = table.render(replace(DIAGNOSIS, verdicts=DIAGNOSIS.verdicts[1:]))
    assert "Nothing was found." in text
    assert "what to do" not in text


def test_markdown_is_one_row_a_finding_with_all_columns() -> None:
    rows = [line for line in markdown.render(DIAGNOSIS).splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {row.count("|") for row in rows} == {7}
    assert "val rise 9.12 noise units (limit 3)<br>gap \N{INFINITY} nats" in rows[2]


def test_markdown_escapes_what_would_break_out_of_a_cell() -> None:
    hostile = replace(FINDING, summary=HOSTILE, recommendations=(Recommendation(HOSTILE, "stop", {}),))
    text = markdown.render(replace(DIAGNOSIS, run=HOSTILE, verdicts=(hostile,)))
    row = text.splitlines()[4]
    assert row.replace("\\|", "").count("|") == 7
    assert "<script" not in text.replace("\\<", "")
    assert "\x1b" not in text
    text.encode("utf-8")


def test_table_shows_hostile_names_harmlessly() -> None:
    text = table.render(replace(DIAGNOSIS, run=HOSTILE))
    assert "\x1b" not in text
    assert "a|b c" in text
    text.encode("utf-8")


def test_json_is_strict_and_comes_back_equal() -> None:
    text = json_report.render(DIAGNOSIS)

    def refuse(token: str) -> None:
        raise AssertionError(token)

    document = json.loads(text, parse_constant=refuse)
    assert document["verdicts"][0]["evidence"][1]["value"] == "Infinity"
    assert TypeAdapter(Diagnosis).validate_json(text) == DIAGNOSIS


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1230"), (0.00012345, "0.000123"), (2.5e9, "2.5e+09"), (-3.14159, "-3.14"), (1 / 3, "0.333")],
)
def test_numbers(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.999, "99 %"), (1.0, "100 %"), (0.0, "0 %"), (0.555, "56 %")])
def test_confidence_is_never_rounded_to_certainty(value: float, text: str) -> None:
    assert words.confidence(value) == text


def test_many_runs_share_one_table() -> None:
    for width in (80, 120):
        text = table.render_many([DIAGNOSIS, replace(DIAGNOSIS, run="fine", verdicts=())], width)
        assert max(map(len, text.splitlines())) <= width
        for part in ("r1", "CW005 overfitting", "1200000", "val rise 9.12", "93 %", "fine", "nothing found"):
            assert part in text


def test_markdown_has_the_order_of_the_audit() -> None:
    text = markdown.render(DIAGNOSIS)
    places = [text.index(part) for part in ("| finding", "**Checked and fine**", "**Could not be judged**")]
    assert places == sorted(places)
    assert '`{"action": "stop", "args": {"best_step": 1200000}}`' in text
    assert "CW007 wrong\\_initial\\_loss" not in text
    assert "To log: open the run with context.num_classes" in text


def test_markdown_keeps_an_action_inside_its_code_and_its_cell() -> None:
    hostile = replace(FINDING, recommendations=(Recommendation("x", "reinitialise", {"scheme": HOSTILE}),))
    row = markdown.render(replace(DIAGNOSIS, verdicts=(hostile,))).splitlines()[4]
    assert row.replace("\\|", "").count("|") == 7
    assert row.count("`") == 2


def test_many_runs_tell_once_what_all_of_them_lack() -> None:
    text = " ".join(table.render_many([DIAGNOSIS, replace(DIAGNOSIS, run="r2")]).split())
    assert text.count("context.num_classes") == 1
    assert "in 2 of 2 runs" in text
    assert "Could not be judged" not in table.render_many([replace(DIAGNOSIS, verdicts=DIAGNOSIS.verdicts[:2])])


@pytest.mark.parametrize("width", [40, 80, 200])
def test_table_of_recorded_runs_fits_any_console(width: int) -> None:
    for run in recorded_runs():
        text = table.render(judge(run.curves, run.context), width)
        assert max(map(len, text.splitlines())) <= width
