"""Pages as they are opened: what stands on them, filtered, sorted, paged, compared."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.looking import Logged, Watched, wait_until_drawn


def names(page: Page) -> list[str]:
    """The runs in the table, in its order."""
    return page.locator(".runs tbody th > a").all_inner_texts()


def test_projects_lead_to_runs_and_runs_to_a_run(desk: Watched) -> None:
    page = desk.open("/")
    page.get_by_role("link", name="demo", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("demo")
    assert len(names(page)) == 12
    page.get_by_role("link", name="mlp-300-samples").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mlp-300-samples")
    wait_until_drawn(page)
    assert page.locator("[data-canvas] canvas").evaluate("c => c.width > 400 && c.height > 200")


def test_a_run_shows_its_findings_first_each_with_a_gain_and_an_action_to_copy(desk: Watched) -> None:
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = desk.open("/projects/demo/runs/mlp-300-samples")
    finding = page.get_by_role("article", name="Overfitting")
    expect(finding).to_contain_text("Expected gain")
    expect(finding).to_contain_text("Keep the checkpoint of step 250.")
    finding.get_by_role("button", name="Copy").click()
    expect(finding.get_by_role("button", name="Copied")).to_be_visible()
    said = '{"action": "stop", "args": {"best_step": 250, "earliest_step": 250}}'
    assert page.evaluate("navigator.clipboard.readText()") == said
    finding.get_by_text("Evidence").first.click()
    rise = finding.get_by_role("row", name=re.compile("^val rise [0-9]"))
    expect(rise).to_contain_text("0.06")  # its limit
    headings = page.locator("#audit h2").all_inner_texts()
    assert [heading.splitlines()[0] for heading in headings] == ["What was found", "Checked and fine"]


def test_what_could_not_be_judged_says_what_to_log(desk: Watched, logged: Logged) -> None:
    logged.open("open", "no-classes")
    logged.send("open", "no-classes", {"loss": (list(range(60)), [2.3 * 0.95**i for i in range(60)])})
    page = desk.open("/projects/open/runs/no-classes")
    unjudged = page.locator(".group", has_text="Could not be judged")
    expect(unjudged).to_contain_text("num_classes")
    expect(unjudged).to_contain_text("So that it can be:")
    expect(page.locator(".roles")).to_contain_text("train/loss")  # what `loss` was taken for


def test_facts_of_a_run_stand_on_its_page(desk: Watched) -> None:
    page = desk.open("/projects/demo/runs/mlp-cosine")
    facts = page.locator(".facts")
    for text in ("optimizer.momentum", "0.9", "team", "Planned steps", "3000", "val/loss"):
        expect(facts).to_contain_text(text)


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("Finding", {"label": "Exploding"}, ["mlp-rate-3.0"]),
        ("State", {"label": "running"}, []),
        ("At least so severe", {"label": "error"}, ["mlp-rate-1e-6", "mlp-rate-3.0"]),
    ],
)
def test_runs_are_filtered_by_what_was_found(desk: Watched, field: str, value: dict[str, str], left: list[str]) -> None:
    page = desk.open("/projects/demo")
    page.get_by_label(field, exact=True).select_option(**value)
    page.get_by_role("button", name="Filter").click()
    assert sorted(names(page)) == left
    if not left:
        expect(page.get_by_text("No run is like that")).to_be_visible()
    page.get_by_role("link", name="Show all").first.click()
    assert len(names(page)) == 12


def test_runs_are_filtered_by_tag_text_and_time(desk: Watched) -> None:
    page = desk.open("/projects/demo")
    page.get_by_label("Name holds").fill("RATE")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert sorted(names(page)) == ["mlp-rate-0.06-b8", "mlp-rate-1e-6", "mlp-rate-3.0"]
    page.get_by_label("Tag", exact=True).fill("team=vision")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    tagged = names(page)
    assert 0 < len(tagged) < 3
    page.get_by_label("Changed until").fill("2020-01-01")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert names(page) == []


def test_runs_are_sorted_by_a_click_on_the_head_of_a_column(desk: Watched) -> None:
    page = desk.open("/projects/demo")
    page.get_by_role("link", name="Run", exact=True).click()
    assert names(page) == sorted(names(page))
    page.get_by_role("link", name="Run", exact=True).click()
    expect(page.get_by_role("columnheader", name=re.compile("^Run"))).to_have_attribute("aria-sort", "descending")
    assert names(page) == sorted(names(page), reverse=True)
    page.get_by_role("link", name="Findings").click()
    assert set(names(page)[:2]) == {"mlp-rate-1e-6", "mlp-rate-3.0"}  # the errors


def test_several_runs_are_chosen_and_compared(desk: Watched) -> None:
    page = desk.open("/projects/demo")
    button = page.get_by_role("button", name="Compare the chosen runs")
    expect(button).to_be_disabled()
    page.get_by_label("Compare mlp-cosine").check()
    page.get_by_label("Compare mlp-300-samples").check()
    button.click()
    wait_until_drawn(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs side by side")
    expect(page.get_by_role("row", name=re.compile("^Overfitting"))).to_contain_text("info since step 250")
    differing = page.locator("table", has=page.get_by_role("rowheader", name="number"))
    expect(differing.get_by_role("row", name=re.compile("^number"))).to_be_visible()
    assert differing.get_by_role("rowheader", name="optimizer.name").count() == 0  # the same in both
    page.get_by_label("Add a run by its name").fill("mlp-tiny-init")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 runs side by side")


def test_rules_show_the_shape_that_each_recognises(desk: Watched) -> None:
    page = desk.open("/rules#CW009")
    assert page.locator(".rule").count() == 9
    for shape in page.locator("[data-shape]").all():
        shape.scroll_into_view_if_needed()
        expect(shape.locator("canvas")).to_be_visible()
    page.locator("#CW005 summary").click()
    expect(page.locator("#CW005")).to_contain_text("min_gap")


def test_errors_are_pages_to_people_and_documents_to_programs(desk: Watched, logged: Logged) -> None:
    page = desk.open("/projects/nobody")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such project")
    assert "nobody" in page.locator(".lead").inner_text()
    assert any("404" in said for said in desk.wrong)
    desk.wrong.clear()
    reply = logged.client.get("/projects/nobody")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    for path in (
        "/nothing",
        "/projects/demo?severity=awful",
        "/projects/demo/compare?" + "&".join(f"run={n}" for n in range(9)),
    ):
        reply = logged.client.get(path, headers={"Accept": "text/html"})
        assert reply.status_code in (404, 422)
        assert reply.text.startswith("<!doctype html>")
    assert logged.client.get("/api/nothing", headers={"Accept": "text/html"}).json()["status"] == 404
