"""What stands on a chart is in the curves and in the diagnosis, and what it looks like can be seen."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from app.curves.curve import Curve
from app.demo.replay import recorded_runs
from app.diagnosis import Diagnosis, judge
from app.errors import InvalidInput
from app.reports import notes as notes_module
from app.reports.chart import SMOOTHING, chart, compare_chart, report_chart
from app.reports.pictures import png, svg
from app.reports.points import MOST_POINTS, axes, metrics, rows, smoothed, suits_log
from app.reports.shapes import shape, shape_chart
from app.reports.sparkline import sparkline
from app.reports.theme import Theme, config
from app.rules.catalogue import CATALOGUE
from app.rules.context import Context

RUNS = {run.name: run for run in recorded_runs()}
PNG = b"\x89PNG\r\n\x1a\n"


def diagnosed(name: str) -> Diagnosis:
    return judge(RUNS[name].curves, replace(RUNS[name].context, state="finished"))


def drawn(name: str, **options: Any) -> dict[str, Any]:
    return chart(diagnosed(name), RUNS[name].curves, **options)


def made(values: Any, **others: Any) -> Mapping[str, Curve]:
    """A run that logged these losses at steps 0, 1, 2, ...; others by name."""
    curves = {"train/loss": values, **others}
    return {
        name: Curve(name, np.arange(float(len(column))), np.asarray(column, float)) for name, column in curves.items()
    }


def plain(curves: Mapping[str, Curve], **options: Any) -> dict[str, Any]:
    return chart(judge(curves, Context()), curves, **options)


@pytest.mark.parametrize("name", RUNS)
def test_every_recorded_run_is_drawn_with_its_findings_by_name(name: str) -> None:
    picture = svg(report_chart(diagnosed(name), RUNS[name].curves))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    for finding in diagnosed(name).findings:
        assert any(finding.rule in text for text in texts), texts
    assert {"train/loss", "val/loss"} <= set(texts)
    assert "NaN" not in re.sub(r'aria-label="[^"]*"', "", picture)


@pytest.mark.parametrize(
    ("name", "code"), [("mlp-tiny-init", "CW001"), ("mlp-rate-0.06-b8", "CW002"), ("mlp-rate-1e-6", "CW009")]
)
def test_flat_stretches_are_shaded_over_the_span_of_their_finding(name: str, code: str) -> None:
    (span,) = drawn(name)["datasets"]["spans"]
    (finding,) = [finding for finding in diagnosed(name).findings if finding.code == code]
    assert (span["from"], span["to"]) == finding.span
    assert drawn(name)["layer"][0]["mark"]["type"] == "rect"


def test_the_best_step_is_a_ring_on_the_validation_curve() -> None:
    (ring,) = drawn("mlp-300-samples")["datasets"]["best"]
    val = RUNS["mlp-300-samples"].curves["val/loss"]
    assert ring["at"] == 250
    assert ring["value"] == val.values[val.steps == 250]


def test_where_to_go_back_to_after_a_blow_up_is_not_called_best() -> None:
    datasets = drawn("mlp-rate-3.0")["datasets"]
    assert datasets["best"] == []
    assert [mark["text"] for mark in datasets["marks"]] == ["last finite: step 10", "exploding"]


def test_cuts_of_the_rate_are_marked_where_they_were_made() -> None:
    cuts = [mark for mark in drawn("mlp-step-decay")["datasets"]["marks"] if mark["kind"] == "cut"]
    assert [(mark["at"], mark["text"]) for mark in cuts] == [
        (1800.0, "rate \N{MULTIPLICATION SIGN} 0.1"),
        (2550.0, "rate \N{MULTIPLICATION SIGN} 0.1"),
    ]


def test_of_many_cuts_only_the_largest_are_marked() -> None:
    levels = [0.1 * 0.5**k for k in range(10)]
    curves = made(np.linspace(2, 1, 100), lr=np.repeat(levels, 10))
    marks = plain(curves)["datasets"]["marks"]
    assert sum(mark["kind"] == "cut" for mark in marks) == notes_module.MOST_CUTS


def test_the_forecast_ends_where_its_finding_says() -> None:
    (finding,) = diagnosed("mlp-800-updates").findings
    args = finding.recommendations[0].args
    forecast = drawn("mlp-800-updates")["datasets"]["forecast"]
    first, last = forecast[0], forecast[-1]
    assert (first["at"], last["at"]) == (800.0, 1600.0)
    assert first["low"] == first["expected"] == first["high"]
    for edge, gain in (("expected", "expected_gain"), ("low", "gain_high"), ("high", "gain_low")):
        assert 1 - last[edge] / first[edge] == pytest.approx(args[gain], abs=1e-4)
    assert all(row["low"] <= row["expected"] <= row["high"] for row in forecast)
    # It begins where the curve ends.
    assert first["expected"] == pytest.approx(RUNS["mlp-800-updates"].curves["val/loss"].values[-1], rel=0.02)


def test_a_clear_run_carries_no_mark() -> None:
    datasets = drawn("mlp-cosine")["datasets"]
    assert [datasets[name] for name in ("spans", "marks", "best", "forecast")] == [[], [], [], []]


@given(st.lists(st.floats(0, 3000, width=32), max_size=12), st.lists(st.sampled_from("abc"), min_size=12, max_size=12))
def test_labels_of_one_line_do_not_cover_each_other(steps: list[float], letters: list[str]) -> None:
    points = [(step, "onset", letter * 18) for step, letter in zip(steps, letters, strict=False)]
    marks = notes_module._labelled(points, lambda x: x, 3000.0)
    wide, beside = notes_module._LABEL_WIDTH
    taken: dict[int, list[tuple[float, float]]] = {}
    for mark in marks:
        if mark["text"]:
            width = (len(str(mark["text"])) * wide + beside) / notes_module._NARROWEST
            x = float(mark["at"]) / 3000
            taken.setdefault(int(mark["lane"]), []).append(
                (x - width, x) if mark["align"] == "right" else (x, x + width)
            )
    for spans in taken.values():
        ordered = sorted(spans)
        assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(ordered))


def test_a_long_run_is_thinned_and_keeps_its_extremes() -> None:
    values = 2 + np.random.default_rng(0).standard_normal(100_000) / 10
    values[70_001], values[30_003] = 9.0, math.nan
    found = rows(made(values))
    assert len(found) <= MOST_POINTS
    assert {"step": 70_001.0, "value": 9.0}.items() <= next(row for row in found if row["value"] == 9.0).items()
    assert [row["step"] for row in found if "said" in row] == [30_003.0]
    assert len(json.dumps(plain(made(values)))) < 500_000


def test_points_that_are_not_finite_are_said_and_break_the_line() -> None:
    found = rows(made([2.0, math.nan, math.inf, -math.inf, 1.0]))
    assert [row.get("said") for row in found] == [None, "NaN", "Infinity", "-Infinity", None]
    assert [row["value"] for row in found] == [2.0, None, None, None, 1.0]
    json.loads(json.dumps(plain(made([2.0, math.nan, 1.0]))), parse_constant=pytest.fail)


def test_a_run_that_is_never_finite_is_drawn_too() -> None:
    assert svg(plain(made([math.nan] * 5))).startswith("<svg")
    assert svg(plain({})).startswith("<svg")


def test_smoothing_does_not_depend_on_how_often_was_logged() -> None:
    def course(points: int) -> Curve:
        steps = np.linspace(0, 1000, points)
        return smoothed(Curve("train/loss", steps, np.exp(-steps / 300)), 0.9)

    few, many = course(200), course(20_000)
    assert np.interp(few.steps, many.steps, many.values) == pytest.approx(few.values, rel=0.02)


def test_smoothing_takes_noise_away_and_does_not_lag() -> None:
    steps = np.arange(2000.0)
    noisy = Curve(
        "train/loss", steps, np.where(steps < 1000, 2.0, 1.0) + np.random.default_rng(1).standard_normal(2000) / 10
    )
    smooth = smoothed(noisy, 0.98)
    assert smooth.values[:600].std() < 0.02
    crossed = smooth.steps[np.argmax(smooth.values < 1.5)]
    assert abs(crossed - 1000) < 20


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_smoothing_is_a_share(smoothing: float) -> None:
    with pytest.raises(InvalidInput, match="smoothing"):
        rows(made([1.0, 2.0]), smoothing=smoothing)


def test_every_metric_can_be_drawn_by_role_or_by_name() -> None:
    curves = {
        **RUNS["mlp-cosine"].curves,
        "grad_norm": Curve("grad_norm", np.arange(3.0), np.ones(3)),
        "epoch": Curve("epoch", np.arange(3.0), np.arange(3.0)),
        "empty": Curve("empty", np.zeros(0), np.zeros(0)),
    }
    assert metrics(curves) == ("loss", "accuracy", "lr", "grad_norm")
    assert {row["curve"] for row in rows(curves, metric="accuracy")} == {"train/accuracy", "val/accuracy"}
    assert rows(curves, metric="grad_norm")[0]["curve"] == "grad_norm"
    assert metrics({"my curve": Curve("my curve", np.arange(3.0), np.ones(3))}, {"my curve": "train/loss"}) == ("loss",)


def test_epochs_and_time_are_axes_where_they_were_logged() -> None:
    curves = made([3.0, 2.0, 1.0], epoch=[0.0, 0.5, 1.0], _runtime=[100.0, 110.0, 130.0])
    assert axes(curves) == ("step", "epoch", "time")
    assert [row["epoch"] for row in rows(curves)] == [0.0, 0.5, 1.0]
    assert [row["time"] for row in rows(curves)] == [0.0, 10.0, 30.0]
    assert plain(curves, x="time")["layer"][0]["encoding"]["x"]["field"] == "time"
    assert axes(RUNS["mlp-cosine"].curves) == ("step",)
    with pytest.raises(InvalidInput, match="logged no epoch"):
        drawn("mlp-cosine", x="epoch")


def test_marks_stand_on_the_axis_that_is_drawn() -> None:
    curves = {**RUNS["mlp-800-updates"].curves, "epoch": Curve("epoch", np.array([0.0, 800.0]), np.array([0.0, 8.0]))}
    datasets = chart(diagnosed("mlp-800-updates"), curves, x="epoch")["datasets"]
    assert datasets["marks"][0]["at"] == pytest.approx(5.4)
    assert datasets["forecast"][-1]["at"] == pytest.approx(16.0)  # beyond the last epoch, at the pace of the run


def scale_of(spec: dict[str, Any]) -> dict[str, Any]:
    return dict(next(layer["encoding"]["y"]["scale"] for layer in spec["layer"] if layer.get("name") == "raw"))


def test_logarithmic_where_asked_and_symmetric_where_zero_is_in_it() -> None:
    assert scale_of(plain(made([3.0, 0.1]), log_y=True))["type"] == "log"
    assert scale_of(plain(made([3.0, 0.0, -0.5]), log_y=True)) == {"type": "symlog", "constant": 0.5}
    assert scale_of(plain(made([3.0, 0.1])))["type"] == "linear"
    assert suits_log(RUNS["mlp-300-samples"].curves)
    assert not suits_log(RUNS["mlp-2-units"].curves)
    assert not suits_log(made([3.0, 0.0]))


def test_what_hardly_changes_is_not_blown_up_and_what_blew_up_leaves_the_rest_visible() -> None:
    assert scale_of(drawn("mlp-rate-1e-6"))["zero"] is True
    assert scale_of(plain(made([2.0, 1.0])))["zero"] is False
    assert scale_of(plain(made([2.0, 1.0, 1e9])))["domainMax"] == 2000.0


def test_a_comparison_tells_runs_by_colour_and_splits_by_dash() -> None:
    names = ["mlp-cosine", "mlp-step-decay"]
    spec = compare_chart({name: RUNS[name].curves for name in names}, smoothing=SMOOTHING)
    points = spec["datasets"]["points"]
    assert {(row["run"], row["split"]) for row in points} == {(n, s) for n in names for s in ("train", "val")}
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg(spec))
    assert {*names, "train", "val"} <= set(texts)


def test_a_run_without_the_axis_is_left_out_of_a_comparison() -> None:
    runs = {"a": made([2.0, 1.0], epoch=[0.0, 1.0]), "b": made([2.0, 1.0])}
    assert {row["run"] for row in compare_chart(runs, x="epoch")["datasets"]["points"]} == {"a"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out_from_their_ground(theme: Theme) -> None:
    look: Any = config(theme)
    ground = look["background"]
    texts = [look["axis"]["labelColor"], look["legend"]["labelColor"], look["style"]["note"]["color"]]
    assert min(contrast(colour, ground) for colour in texts) >= 4.5
    lines = [*look["range"]["category"], *(look["style"][kind]["color"] for kind in ("onset", "best", "cut"))]
    assert min(contrast(colour, ground) for colour in lines) >= 3


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours #rrggbb [ratio]."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_the_picture_of_a_rule_is_a_run_that_it_finds(rule: Any) -> None:
    found, curves = shape(rule.code)
    assert found.findings[0].code == rule.code
    assert found.findings[0].confidence > 0.5
    assert curves["train/loss"].steps.size == curves["val/loss"].steps.size
    assert rule.name in svg(shape_chart(rule.code))


def test_pictures_have_pixels_and_fetch_nothing() -> None:
    assert png(drawn("mlp-cosine")).startswith(PNG)
    elsewhere = {"data": {"url": "https://example.com/data.json"}, "mark": "point"}
    with pytest.raises(ValueError, match=r"example\.com"):
        svg(elsewhere)


def test_names_of_strangers_are_text_in_a_picture() -> None:
    name = '</text><script>alert(1)</script>"\ud800\x1b'
    curves = {name: Curve(name, np.arange(3.0), np.ones(3)), **made([1.0, 2.0])}
    picture = svg(chart(replace(judge(curves, Context()), run=name), curves, metric=name))
    assert "<script" not in picture
    picture.encode()


def test_specs_compile_without_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    vl_convert.vegalite_to_vega(json.dumps({**drawn("mlp-drop-at-0.08"), "width": 600}), show_warnings=True)
    assert "warn" not in "".join(capfd.readouterr()).lower()


@given(st.lists(st.floats(), max_size=60))
def test_sparklines_hold_only_numbers(values: list[float]) -> None:
    picture = sparkline(values)
    (path,) = re.findall(r' d="([^"]*)"', picture)
    assert re.fullmatch(r"(M[\d.]+ [\d.]+(L[\d.]+ [\d.]+|h\.1)*)*", path), path
    numbers = [float(part) for part in re.findall(r"\d+\.\d+", path.replace("h.1", ""))]
    assert all(0 <= x <= 120 for x in numbers[::2])
    assert all(0 <= y <= 24 for y in numbers[1::2])


def test_a_sparkline_falls_where_its_curve_falls_and_breaks_where_it_is_not_finite() -> None:
    (path,) = re.findall(r' d="([^"]*)"', sparkline([3.0, 2.0, math.nan, 1.0, 0.5]))
    pieces = [[float(y) for y in re.findall(r" ([\d.]+)", piece)] for piece in path.split("M")[1:]]
    assert [len(piece) for piece in pieces] == [2, 2]
    heights = [*pieces[0], *pieces[1]]
    assert heights == sorted(heights)
