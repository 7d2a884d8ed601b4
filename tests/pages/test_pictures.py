"""Pictures of the page for the README, as it looks: written where CURVEWISE_WRITE_PICTURES=1 asks for them."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.looking import PICTURES, Logged, wait_until_drawn

MOST_BYTES = 200_000
README = Path(__file__).parents[2] / "README.md"
SHOWN = {
    "run.png": ("/projects/demo/runs/mlp-800-updates", {"width": 1280, "height": 860}, "light"),
    "runs.png": ("/projects/demo", {"width": 1280, "height": 860}, "dark"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_readme_shows_the_page_as_it_looks(browser: Browser, logged: Logged, name: str, tmp_path: Path) -> None:
    path, size, scheme = SHOWN[name]
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(logged.address + path)
    if page.locator("[data-chart]").count():
        wait_until_drawn(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    write = bool(os.environ.get("CURVEWISE_WRITE_PICTURES"))
    picture = (PICTURES if write else tmp_path) / name
    page.screenshot(path=picture)
    page.close()
    for one in (picture, PICTURES / name):
        assert 10_000 < one.stat().st_size < MOST_BYTES
    assert f"docs/images/{name}" in README.read_text()
