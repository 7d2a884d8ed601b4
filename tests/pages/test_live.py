"""A running job as it is seen while it runs."""

import threading
import time

from playwright.sync_api import Page, expect

from tests.pages.cable import Cable
from tests.pages.looking import Logged, Watched, drawn, wait_until_drawn

UPDATES_A_SECOND, SECONDS = 50, 10


def test_points_findings_and_the_end_appear_without_reload(desk: Watched, logged: Logged) -> None:
    logged.open("live", "job", context={"planned_steps": 400})
    logged.send("live", "job", {"train/loss": ([0, 1], [2.3, 2.2])})
    page = desk.open("/projects/live/runs/job")
    wait_until_drawn(page)
    page.evaluate("window.notReloaded = true")
    steps = list(range(2, 200))
    logged.send("live", "job", {"train/loss": (steps, [2.2 * 1.02**s if s < 100 else float("nan") for s in steps])})
    expect(page.locator("[data-last-step]")).to_have_text("199")
    page.wait_for_function("() => Number(document.querySelector('[data-chart]').dataset.points) > 150")
    expect(page.get_by_role("article", name="Exploding")).to_be_visible(timeout=15_000)
    expect(page.locator("[data-announce]")).to_contain_text("New finding: Exploding")
    expect(page.get_by_role("slider", name="Replay")).to_have_attribute("max", "199")
    logged.finish("live", "job")
    expect(page.locator("#standing .state")).to_have_text("finished")
    assert page.evaluate("window.notReloaded")


def test_it_goes_on_after_a_dropped_connection(desk: Watched, logged: Logged) -> None:
    logged.open("live", "dropped")
    logged.send("live", "dropped", {"train/loss": ([0, 1], [2.3, 2.2])})
    with Cable(logged.client.base_url.port or 0).laid() as cable:
        desk.address = f"http://127.0.0.1:{cable.port}"
        page = desk.open("/projects/live/runs/dropped")
        wait_until_drawn(page)
        expect(page.locator("[data-live-says]")).to_have_text("live")
        cable.cut()
        expect(page.locator("[data-live-says]")).to_contain_text("the connection is lost")
        logged.send("live", "dropped", {"train/loss": ([2, 3], [2.1, 2.0])})
        cable.mend()
        expect(page.locator("[data-last-step]")).to_have_text("3", timeout=15_000)
        expect(page.locator("[data-live-says]")).to_have_text("live")
        page.close()
    desk.wrong = [said for said in desk.wrong if "ERR_" not in said and "Failed to fetch" not in said]


def test_many_updates_a_second_make_the_page_neither_larger_nor_slow(desk: Watched, logged: Logged) -> None:
    """Nodes, listeners and heap after ten seconds at 50 updates a second, against what they were after three."""
    logged.open("live", "busy", context={"planned_steps": 100_000})
    logged.send("live", "busy", {"train/loss": (list(range(3000)), [2.3] * 3000)})
    page = desk.open("/projects/live/runs/busy")
    wait_until_drawn(page)
    sent = threading.Event()
    job = threading.Thread(target=_log, args=(logged, sent))
    job.start()
    time.sleep(3)
    before, drawn_before = _sizes(page), drawn(page)
    job.join()
    expect(page.locator("[data-last-step]")).to_have_text(str(2999 + UPDATES_A_SECOND * SECONDS))
    after = _sizes(page)
    assert sent.is_set()
    assert drawn(page) - drawn_before >= 4  # it did follow
    assert after["nodes"] <= before["nodes"] + 30
    assert after["listeners"] <= before["listeners"] + 20
    assert after["heap"] <= 1.3 * before["heap"] + 2_000_000
    assert page.evaluate(_FRAME_MS) < 250  # the page answers


_FRAME_MS = """() => new Promise(done => {
    const begun = performance.now();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun), 0));
})"""


def _log(logged: Logged, sent: threading.Event) -> None:
    begun = time.monotonic()
    for number in range(UPDATES_A_SECOND * SECONDS):
        step = 3000 + number
        logged.send("live", "busy", {"train/loss": ([step], [2.3 * 0.9999**number])})
        time.sleep(max(0.0, begun + (number + 1) / UPDATES_A_SECOND - time.monotonic()))
    if time.monotonic() - begun < 1.5 * SECONDS:
        sent.set()


def _sizes(page: Page) -> dict[str, int]:
    """What the page holds, garbage collected: the least of some looks, one of which may meet an update."""
    session = page.context.new_cdp_session(page)
    looks = []
    for _ in range(5):
        session.send("HeapProfiler.collectGarbage")
        counted = session.send("Memory.getDOMCounters")
        heap = session.send("Runtime.getHeapUsage")
        looks.append((counted["nodes"], counted["jsEventListeners"], int(heap["usedSize"])))
        time.sleep(0.1)
    session.detach()
    nodes, listeners, used = (min(kind) for kind in zip(*looks, strict=True))
    return {"nodes": nodes, "listeners": listeners, "heap": used}
