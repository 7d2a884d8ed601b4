"""The chart of a run: how it is drawn, zoomed into and replayed, by mouse and by keyboard."""

import json

from playwright.sync_api import Page, expect

from tests.pages.looking import Logged, Watched, wait_until_drawn

LONG_STEPS = 12_000
RUN = "/projects/demo/runs/mlp-300-samples"


def spec_of(page: Page, path: str) -> dict[str, object]:
    found: dict[str, object] = page.evaluate("async path => (await (await fetch(path)).json()).spec", path)
    return found


def test_the_chart_follows_its_options_and_so_does_the_address(desk: Watched) -> None:
    page = desk.open(RUN)
    wait_until_drawn(page)
    page.get_by_label("Scale").select_option(label="logarithmic")
    wait_until_drawn(page, 2)
    page.get_by_label("Metric").select_option(label="accuracy")
    wait_until_drawn(page, 3)
    page.get_by_label("Smoothing").focus()
    page.keyboard.press("PageUp")
    wait_until_drawn(page, 4)
    assert "log=1" in page.url
    assert "metric=accuracy" in page.url
    assert "smoothing=0.1" in page.url
    again = desk.open(page.url.removeprefix(desk.address))
    wait_until_drawn(again)
    expect(again.get_by_label("Metric")).to_have_value("accuracy")
    expect(again.get_by_label("Scale")).to_have_value("1")


def test_findings_are_drawn_and_raw_points_stand_behind_smoothed_ones(desk: Watched) -> None:
    page = desk.open(RUN)
    spec = spec_of(page, f"{RUN}/chart?smoothing=0.9")
    texts = json.dumps(spec["datasets"])
    assert "overfitting" in texts
    assert "best" in texts
    rows = [row for row in spec["datasets"]["points"] if row["curve"] == "train/loss"]
    assert any(abs(row["value"] - row["smooth"]) > 1e-3 for row in rows)
    assert [row["value"] for row in rows] == [
        row["value"] for row in spec_of(page, f"{RUN}/chart")["datasets"]["points"] if row["curve"] == "train/loss"
    ]


def test_a_run_is_drawn_over_epochs_where_it_logged_them(desk: Watched, logged: Logged) -> None:
    steps = list(range(100))
    logged.open("axes", "epochs")
    logged.send(
        "axes", "epochs", {"loss": (steps, [2 * 0.97**s for s in steps]), "epoch": (steps, [s / 10 for s in steps])}
    )
    logged.finish("axes", "epochs")
    page = desk.open("/projects/axes/runs/epochs")
    wait_until_drawn(page)
    assert page.get_by_label("Along").locator("option").all_inner_texts() == ["steps", "epochs"]
    page.get_by_label("Along").select_option(label="epochs")
    wait_until_drawn(page, 2)
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[data-zoomed]")).to_have_text("epoch 2.475 to 7.425")


def test_zooming_loads_the_points_of_the_stretch_as_they_were_logged(desk: Watched, logged: Logged) -> None:
    steps = list(range(LONG_STEPS))
    logged.open("long", "zoomed")
    logged.send("long", "zoomed", {"train/loss": (steps, [2.0 + (s % 7) / 10 - s / LONG_STEPS for s in steps])})
    logged.finish("long", "zoomed")
    page = desk.open("/projects/long/runs/zoomed")
    wait_until_drawn(page)
    assert int(page.get_attribute("[data-chart]", "data-points") or 0) <= 4000  # of 12,000
    for _ in range(5):
        page.get_by_role("button", name="Zoom in").click()
    # 375 steps are seen, and as many loaded on either side; every one of them is there.
    page.wait_for_function("() => Number(document.querySelector('[data-chart]').dataset.points) < 1200")
    assert int(page.get_attribute("[data-chart]", "data-points") or 0) >= 375
    page.get_by_role("button", name="All").click()
    page.wait_for_function("() => Number(document.querySelector('[data-chart]').dataset.points) > 1200")


def test_a_wheel_scrolls_the_page_and_with_control_zooms(desk: Watched) -> None:
    page = desk.open(RUN)
    wait_until_drawn(page)
    page.locator("[data-canvas] canvas").hover()
    page.mouse.wheel(0, 120)
    page.wait_for_function("() => scrollY > 0")
    expect(page.locator("[data-zoomed]")).to_have_text("")
    page.evaluate("scrollTo(0, 0)")
    page.locator("[data-canvas] canvas").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    expect(page.locator("[data-zoomed]")).to_contain_text("step")


def test_the_scrubber_replays_the_run_by_keyboard_and_comes_back(desk: Watched) -> None:
    page = desk.open(RUN)
    wait_until_drawn(page)
    expect(page.get_by_role("article", name="Overfitting")).to_be_visible()
    scrub = page.get_by_role("slider", name="Replay")
    scrub.focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".asof")).to_contain_text("As it stood at step 1")
    expect(page.get_by_role("article", name="Overfitting")).to_have_count(0)
    expect(scrub).to_be_focused()
    assert "at_step=1" in page.url
    rows = spec_of(page, page.url.replace("?", "/chart?"))["datasets"]["points"]
    assert max(row["step"] for row in rows) <= 150
    again = desk.open(page.url.removeprefix(desk.address))
    expect(again.locator(".asof")).to_contain_text("As it stood at step 1")
    page.get_by_role("button", name="Now").click()
    expect(page.get_by_role("article", name="Overfitting")).to_be_visible()
    expect(page.locator(".asof")).to_have_count(0)


def test_a_point_tells_its_numbers_under_the_pointer(desk: Watched) -> None:
    page = desk.open("/projects/demo/runs/mlp-cosine")
    wait_until_drawn(page)
    box = page.locator("[data-canvas] canvas").bounding_box()
    assert box is not None
    tip = page.locator(".tip")
    for across in range(100, 500, 2):  # along a line that the falling curve must cross
        page.mouse.move(box["x"] + across, box["y"] + 300)
        if tip.is_visible():
            break
    expect(tip).to_contain_text("curve")
    expect(tip).to_contain_text("/loss")


def test_the_numbers_stand_in_a_table_for_whoever_does_not_see_the_chart(desk: Watched) -> None:
    page = desk.open(RUN)
    page.get_by_text("The numbers as a table").click()
    table = page.get_by_role("table", name="Values of mlp-300-samples by step")
    expect(table.get_by_role("columnheader", name="val/loss")).to_be_visible()
    assert 20 < table.get_by_role("row").count() <= 62


def test_a_page_without_scripts_still_shows_a_picture_and_takes_options(desk: Watched, logged: Logged) -> None:
    context = desk.context.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{desk.address}{RUN}?at_step=2000")
    picture = page.locator("img.still")
    expect(picture).to_be_visible()
    reply = logged.client.get(picture.get_attribute("src"))
    assert reply.headers["content-type"].startswith("image/svg+xml")
    page.get_by_label("Scale").select_option(label="logarithmic")
    page.get_by_role("button", name="Draw").click()
    assert "log=1" in page.url
    context.close()


def test_what_the_job_did_is_told_and_drawn_where_it_did_it(desk: Watched, logged: Logged) -> None:
    steps = list(range(200))
    logged.open("acting", "decayed")
    logged.send("acting", "decayed", {"train/loss": (steps, [1.0 + (s % 7) / 50 for s in steps])})
    said = {"at_step": 120, "action": "decay_lr", "code": "CW002", "text": "Cut it to a tenth <b>.", "by": "me"}
    path = "/api/v1/projects/acting/runs/decayed/actions/1"
    logged.client.put(path, json=said).raise_for_status()
    page = desk.open("/projects/acting/runs/decayed")
    wait_until_drawn(page)
    expect(page.locator("ol.done li")).to_have_count(1)
    expect(page.locator("ol.done")).to_contain_text("Cut it to a tenth <b>.")
    expect(page.locator("ol.done")).to_contain_text("Step 120 · by me · for CW002")
    marks = spec_of(page, "/projects/acting/runs/decayed/chart")["datasets"]["marks"]
    assert [(mark["at"], mark["text"]) for mark in marks if mark["kind"] == "done"] == [(120, "me: decay_lr")]
    logged.client.put(path, json=said | {"undone_at_step": 150}).raise_for_status()
    page.reload()
    expect(page.locator("ol.done")).to_contain_text("taken back at step 150")
    marks = spec_of(page, "/projects/acting/runs/decayed/chart?at_step=140")["datasets"]["marks"]
    assert [mark["at"] for mark in marks if mark["kind"] == "done"] == [120]
