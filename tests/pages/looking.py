"""Both sides of the page: a job that logs, and somebody who looks."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

Columns = Mapping[str, tuple[Sequence[float], Sequence[float]]]
PICTURES = Path(__file__).parents[2] / "docs" / "images"


class Logged:
    """A job's side of the server: opens runs, sends points."""

    def __init__(self, client: httpx.Client, cache: Path) -> None:
        """cache: the directory that keeps the chart script, made once."""
        self.client = client
        self.cache = cache
        self.address = str(client.base_url).rstrip("/")

    def path(self, project: str, run: str) -> str:
        return f"/api/v1/projects/{quote(project, safe='')}/runs/{quote(run, safe='')}"

    def open(self, project: str, run: str, **facts: object) -> None:
        self.client.put(self.path(project, run), json=facts).raise_for_status()

    def send(self, project: str, run: str, curves: Columns) -> None:
        body = {"curves": {name: {"steps": steps, "values": values} for name, (steps, values) in curves.items()}}
        # The standard encoder writes NaN and infinities as bare tokens, which httpx's does not.
        content, kind = json.dumps(body), {"Content-Type": "application/json"}
        self.client.post(f"{self.path(project, run)}/points", content=content, headers=kind).raise_for_status()

    def finish(self, project: str, run: str) -> None:
        self.client.post(f"{self.path(project, run)}/finish").raise_for_status()

    def wait_for_chips(self, project: str, least: int) -> None:
        """Until the table shows so many findings: the monitor has judged the runs."""
        for _ in range(300):
            if self.client.get(f"/projects/{quote(project, safe='')}").text.count('class="chip ') >= least:
                return
            time.sleep(0.1)
        pytest.fail(f"{least} findings of {project} were not shown in 30 s")


class Watched:
    """Pages of one context, and whatever went wrong in them."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.wrong: list[str] = []

    def open(self, path: str) -> Page:
        """The page at this path of the server."""
        page = self.context.new_page()
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._foreign(request.url))
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(self.address + path)
        return page

    def _foreign(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.wrong.append(f"asked for {url}")


def wait_until_drawn(page: Page, times: int = 1) -> None:
    """Until the chart has been drawn so often."""
    page.wait_for_function("n => Number(document.querySelector('[data-chart]').dataset.drawn ?? 0) >= n", arg=times)


def drawn(page: Page) -> int:
    """How often the chart has been drawn."""
    return int(page.get_attribute("[data-chart]", "data-drawn") or 0)
