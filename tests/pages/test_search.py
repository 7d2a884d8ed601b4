"""A search in a real browser: the seven steps, what comes next, how configurations stand, and what matters."""

import json
from typing import Any
from urllib.parse import quote

from playwright.sync_api import expect

from tests.pages.looking import Logged, Watched, wait_until_drawn

SEARCH = "/projects/searched/searches/rates"


def test_the_seven_steps_and_what_comes_next_stand_at_the_top(desk: Watched) -> None:
    page = desk.open(SEARCH)
    steps = page.get_by_role("navigation", name="The seven steps").get_by_role("link")
    expect(steps).to_have_count(7)
    expect(steps.first).to_contain_text("initial loss")
    expect(steps.first).to_contain_text("done")
    expect(page.get_by_text("open, next")).to_have_count(1)
    steps.nth(3).click()
    expect(page.locator("#step-4")).to_be_in_viewport()
    page.get_by_text("As JSON that a job can run").click()
    proposed = json.loads(page.locator(".next code").first.text_content() or "")
    shown = page.locator(".proposals tbody th").all_text_contents()
    assert [one["run"] for one in proposed] == shown
    assert proposed[0]["config"].keys() == {"lr", "weight_decay", "net"}


def test_every_picture_is_drawn_and_says_what_it_shows(desk: Watched) -> None:
    page = desk.open(SEARCH)
    figures = page.locator("[data-shape]")
    expect(figures).to_have_count(2 + 3)
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator("canvas")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("img", name="lines across 3 parameters")).to_be_visible()
    expect(page.get_by_role("img", name="val/loss of 11 configurations over lr.")).to_be_visible()
    expect(page.locator("[data-says]")).to_contain_text("Over 12 configurations lr")


def test_configurations_are_ranked_and_lead_to_their_runs_and_back(desk: Watched) -> None:
    page = desk.open(SEARCH)
    rows = page.locator(".ranking tbody tr")
    expect(rows).to_have_count(11)  # the one that diverged is told of in step 4
    expect(rows.first).to_contain_text("not told apart")  # of each there is one seed
    rows.first.get_by_role("link").click()
    expect(page.locator(".facts")).to_contain_text("rates, step 4")
    page.locator(".facts").get_by_role("link", name="rates").click()
    expect(page.locator("h1")).to_have_text("rates")


def test_searches_are_found_from_the_project(phone: Watched) -> None:
    page = phone.open("/projects/searched")
    page.get_by_role("link", name="Searches for hyper-parameters").click()
    expect(page.locator(".searches tbody th")).to_have_text(["begun", "rates"])


def test_hostile_names_are_text_and_32_parameters_fit_a_phone(desk: Watched, phone: Watched, logged: Logged) -> None:
    project, name = "<img src=x onerror=alert(1)>", '"><script>alert(2)<\\script>{{ 7 * 7 }}'
    names = ['a"b\\"c', "datum['a']", "<svg onload=alert(3)>", "n" * 200]
    space: dict[str, Any] = {one: {"kind": "uniform", "low": 0, "high": 1} for one in names}
    space["\u202egnp"] = {"kind": "choice", "options": ["<b>", None, True, '\\"']}
    project_path = quote(project, safe="")
    path = f"{project_path}/searches/{quote(name, safe='')}"
    made = logged.client.put(f"/api/v1/projects/{path}", json={"space": space, "metric": names[0]})
    assert made.status_code == 201, made.text
    config = {**dict.fromkeys(names, 0.5), "\u202egnp": "<b>"}
    logged.open(project, "r", search=name, search_step=4, config=config)
    logged.send(project, "r", {names[0]: ([0, 1, 2], [3, 2, 1])})
    logged.finish(project, "r")
    page = desk.open(f"/projects/{path}")
    assert page.locator("h1").text_content() == name
    for figure in page.locator("[data-shape]").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator("canvas")).to_be_visible(timeout=60_000)
    run = desk.open(f"/projects/{project_path}/runs/r?metric={quote(names[0])}")
    wait_until_drawn(run)
    many = {**space, **{f"parameter_{number}": {"kind": "uniform", "low": 0, "high": 1} for number in range(27)}}
    logged.client.put(f"/api/v1/projects/{path}", json={"space": many}).raise_for_status()
    assert phone.open(f"/projects/{path}").evaluate("() => document.documentElement.scrollWidth") <= 390


def test_a_search_that_counts_no_epochs_shows_what_comes_next(desk: Watched, logged: Logged) -> None:
    path = "/api/v1/projects/searched/searches/updates"
    logged.client.put(path, json={"space": {"lr": {"kind": "choice", "options": [0.1, 0.2]}}}).raise_for_status()
    page = desk.open("/projects/searched/searches/updates")
    expect(page.locator("h1")).to_have_text("updates")
    expect(page.locator("td.length").first).to_contain_text(" steps")
