"""Pages that everybody can use: by axe, by keyboard, at the width of a phone."""

from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.pages.looking import Watched

PATHS = {
    "projects": "/",
    "runs": "/projects/demo",
    "run": "/projects/demo/runs/mlp-300-samples",
    "diverged": "/projects/demo/runs/mlp-rate-3.0?at_step=500",
    "compare": "/projects/demo/compare?run=mlp-cosine&run=mlp-300-samples",
    "rules": "/rules",
    "numbers": "/projects/demo/runs/mlp-cosine/numbers",
    "api": "/docs",
    "sign in": "/login",
    "searches": "/projects/searched/searches",
    "no searches": "/projects/demo/searches",
    "search": "/projects/searched/searches/rates",
    "search without runs": "/projects/searched/searches/begun",
}
SERIOUS = {"serious", "critical"}


def open_fully(pages: Watched, path: str) -> Page:
    page = pages.open(path)
    for figure in page.locator("[data-chart], [data-shape]").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator("canvas")).to_be_visible()
    page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    return page


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_axe_finds_nothing_serious_by_day_or_by_night_and_a_phone_need_not_scroll_sideways(
    desk: Watched, path: str
) -> None:
    page = open_fully(desk, path)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert violations(page) == []


def test_an_error_is_a_page_that_axe_finds_nothing_serious_on(desk: Watched) -> None:
    page = desk.open("/projects/nobody")
    assert violations(page) == []
    desk.wrong.clear()  # the browser calls a 404 an error


def test_the_first_tab_leads_to_the_content_and_focus_is_seen(desk: Watched) -> None:
    page = desk.open("/projects/demo")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_headings_name_the_parts_of_a_run_in_order(desk: Watched) -> None:
    page = desk.open(PATHS["run"])
    levels = [int(tag[1]) for tag in page.eval_on_selector_all("h1,h2,h3", "all => all.map(one => one.tagName)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    chart = page.get_by_role("img", name="overfitting")
    expect(chart).to_be_visible()
