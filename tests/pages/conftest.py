"""One real server process with runs in it, and one real Chromium to look at them."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

import chromium
from app.demo.replay import recorded_runs
from tests.pages.looking import Logged, Watched
from tests.pages.searched import fill_searches
from tests.server_process import process, wait_until_ready

MUST = "CURVEWISE_TEST_BROWSER"  # set: no browser is a failure, not a skip
_HELD_S = 0.5  # until a finding fires
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """A server process with the demo's runs in project `demo`."""
    home = tmp_path_factory.mktemp("pages")
    settings = {
        "XDG_CACHE_HOME": str(home),
        "CURVEWISE_FINDING_HOLD_S": str(_HELD_S),
        "CURVEWISE_MAX_BODY_BYTES": str(32 * 1024 * 1024),
    }
    with process(f"sqlite:///{home}/pages.db", "--log-level", "warning", **settings) as (_, client):
        wait_until_ready(client)
        job = Logged(client, home)
        client.get("/")  # the chart script begins to be made
        for number, run in enumerate(recorded_runs()):
            job.open(
                "demo",
                run.name,
                context={"num_classes": run.context.num_classes, "planned_steps": run.context.planned_steps},
                config={"optimizer": {"name": "sgd", "momentum": 0.9}, "number": number},
                tags={"team": "vision" if number % 2 else "audio"},
                commit=f"{number:07x}",
            )
            job.send("demo", run.name, {name: (c.steps.tolist(), c.values.tolist()) for name, c in run.curves.items()})
            job.finish("demo", run.name)
        fill_searches(job, "searched")
        job.wait_for_chips("demo", 9)  # the nine that were spoiled on purpose
        yield job


# Not for longer than a module: while one is open, the main thread counts as running an event loop, and neither a second
# one nor asyncio.run() can be had in it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says that there is none."""
    if (found := chromium.installed()) is None:
        reason = (
            f"no browser is installed: none of {', '.join(chromium.NAMES)} is on the path (apt-get install chromium)"
        )
        if os.environ.get(MUST):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(chromium.FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def desk(browser: Browser, logged: Logged) -> Iterator[Watched]:
    """Pages at a desk by day; the test fails when a script did, a policy was broken, or a request left the server."""
    yield from watched(browser, logged)


@pytest.fixture
def phone(browser: Browser, logged: Logged) -> Iterator[Watched]:
    """The same on a phone."""
    yield from watched(browser, logged, viewport=PHONE)


@pytest.fixture
def night(browser: Browser, logged: Logged) -> Iterator[Watched]:
    """The same at a desk by night."""
    yield from watched(browser, logged, color_scheme="dark")


def watched(browser: Browser, logged: Logged, **options: object) -> Iterator[Watched]:
    context = browser.new_context(**{"viewport": DESK, "color_scheme": "light", **options})
    context.set_default_timeout(15_000)
    pages = Watched(context, logged.address)
    yield pages
    context.close()
    assert pages.wrong == []
