"""The report in one file: complete, in the audit's order, safe whatever names hold, and drawn by a real browser."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from app.curves.curve import Curve
from app.demo.replay import recorded_runs
from app.diagnosis import Diagnosis, judge
from app.reports import html
from app.reports.audit import audit
from app.reports.theme import config
from app.rules.context import Context
from app.rules.verdict import Recommendation

RUNS = {run.name: run for run in recorded_runs()}
HOSTILE = "</script></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b\udc80"


def diagnosed(name: str) -> Diagnosis:
    return replace(judge(RUNS[name].curves, replace(RUNS[name].context, state="finished")), run=name, project="demo")


def parsed(text: str) -> Element:
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)  # type: ignore[no-untyped-call]
    return root


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.fixture(scope="module")
def overfitted() -> Element:
    return parsed(html.render(diagnosed("mlp-300-samples"), RUNS["mlp-300-samples"].curves))


def test_it_has_the_order_of_the_audit_and_says_what_it_says(overfitted: Element) -> None:
    assert [text_of(h) for h in overfitted.iter("h3")] == ["Findings", "Checked and fine"]
    (found,) = audit(diagnosed("mlp-300-samples")).findings
    (item,) = [li for li in overfitted.iter("li") if li.get("class", "").startswith("finding")]
    said = text_of(item)
    for part in (found.gain, found.action, found.finding.summary, "99 % sure", "info CW005 overfitting", "gap 0.998"):
        assert part in said
    fine = text_of(next(dl for dl in overfitted.iter("dl") if dl.get("class") == "fine"))
    for one in audit(diagnosed("mlp-300-samples")).fine:
        assert one.says in fine


def test_what_could_not_be_judged_comes_last_with_what_to_log() -> None:
    curves = RUNS["mlp-cosine"].curves
    root = parsed(html.render(judge(curves, Context(state="finished")), curves))
    assert [text_of(h) for h in root.iter("h3")] == ["Findings", "Checked and fine", "Could not be judged"]
    assert "Nothing was found." in text_of(root)
    assert "To log: open the run with context.num_classes" in text_of(root)


def test_it_needs_nothing_else(overfitted: Element) -> None:
    for element in overfitted.iter():
        for name in ("src", "href", "action", "srcset"):
            assert (element.get(name) or "data:").startswith(("data:", "#"))
    assert not list(overfitted.iter("link"))


def test_its_policy_allows_its_own_scripts_and_styles_by_their_hashes(overfitted: Element) -> None:
    (policy,) = [m.get("content", "") for m in overfitted.iter("meta") if m.get("http-equiv")]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == ["'none'"]
    assert "unsafe" not in policy
    scripts = [s.text or "" for s in overfitted.iter("script") if s.get("type") is None]
    assert rules["script-src"] == [hashed(text) for text in scripts]
    assert rules["style-src"] == [hashed(style.text or "") for style in overfitted.iter("style")]


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def hostile() -> tuple[Diagnosis, Mapping[str, Curve]]:
    run = RUNS["mlp-300-samples"]
    (finding,) = diagnosed(run.name).findings
    bad = replace(
        finding, rule=HOSTILE, summary=HOSTILE, recommendations=(Recommendation(HOSTILE, "stop", {"x": HOSTILE}),)
    )
    diagnosis = replace(diagnosed(run.name), run=HOSTILE, project=HOSTILE, verdicts=(bad,))
    return diagnosis, {**run.curves, HOSTILE: Curve(HOSTILE, np.arange(3.0), np.ones(3))}


def test_names_of_strangers_stay_text() -> None:
    text = html.render(*hostile())
    root = parsed(text)
    assert len([s for s in root.iter("script") if s.get("type") is None]) == 2
    assert {img.get("src", "")[:5] for img in root.iter("img")} == {"data:"}
    assert "alert(1)" in text_of(next(root.iter("h1")))
    text.encode()


def test_several_runs_stand_one_below_the_other() -> None:
    names = ["mlp-cosine", "mlp-rate-3.0"]
    root = parsed(html.render_many([(diagnosed(name), RUNS[name].curves) for name in names]))
    assert [text_of(h) for h in root.iter("h2")] == [f"demo/{name}" for name in names]
    links = [(a.get("href"), text_of(a)) for a in root.iter("a")]
    assert links == [("#run-0", "demo/mlp-cosine"), ("#run-1", "demo/mlp-rate-3.0")]


def test_a_run_that_logged_nothing_has_a_report() -> None:
    root = parsed(html.render(judge({}, Context()), {}))
    assert not list(root.iter("figure"))
    assert "Nothing was found." in text_of(root)


class Watched:
    """A page that remembers what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.wrong.append(request.url) if is_elsewhere(request.url) else None)
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))


def is_elsewhere(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


DESK, PHONE = ViewportSize(width=1000, height=800), ViewportSize(width=390, height=800)


@pytest.fixture(params=["light", "dark", "phone"])
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """By day, by night, and on a phone by night; whatever an error was fails the test."""
    night: Any = "light" if request.param == "light" else "dark"
    context = browser.new_context(
        viewport=PHONE if request.param == "phone" else DESK, color_scheme=night, offline=True
    )
    watched = Watched(context.new_page())
    yield watched
    context.close()
    assert not watched.wrong


def test_a_browser_draws_it_offline_under_its_own_policy(opened: Watched, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(*hostile()), encoding="utf-8")
    page = opened.page
    page.goto(path.as_uri())
    page.wait_for_selector(".shown .chart svg")
    look: Any = config("light" if page.evaluate("matchMedia('(prefers-color-scheme: light)').matches") else "dark")
    ink = "getComputedStyle(document.querySelector('.chart svg .role-axis-label text')).fill"
    assert page.evaluate(ink) == rgb(look["axis"]["labelColor"])
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == rgb(look["background"])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator("figure img").first.is_visible()
    page.get_by_text("Other curves").click()
    until(page, "document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length")
    page.get_by_role("button", name="Copy").first.click()
    assert page.locator("button.copy").first.inner_text() in ("Copied", "Selected")
    assert "stop" in page.evaluate("window.getSelection().toString()")


def until(page: Page, holds: str) -> None:
    """Wait for an expression to hold. The policy forbids the `eval` by which the browser would wait for it itself."""
    for _ in range(200):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(holds)


def rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


def test_points_tell_their_numbers_and_a_zoom_is_undone_by_a_double_click(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(diagnosed("mlp-800-updates"), RUNS["mlp-800-updates"].curves), encoding="utf-8")
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(".shown .chart svg")
    ticks = "[...document.querySelectorAll('.chart svg .role-axis-label text')].map((t) => t.textContent).sort().join()"
    before = page.evaluate(ticks)
    box = page.locator(".chart svg").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -600)
    until(page, f"{ticks} !== {json.dumps(before)}")
    page.mouse.dblclick(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    until(page, f"{ticks} === {json.dumps(before)}")
    page.locator(".chart svg .mark-symbol path").nth(40).hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert re.search(r"loss.*step.*value", page.locator("#vg-tooltip-element").inner_text(), re.DOTALL)
    context.close()


def test_without_scripts_the_picture_stays(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(diagnosed("mlp-2-units"), RUNS["mlp-2-units"].curves), encoding="utf-8")
    context = browser.new_context(viewport=DESK, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("figure img").first.is_visible()
    box = page.locator("figure img").first.bounding_box()
    assert box
    assert box["height"] > 200
    context.close()
