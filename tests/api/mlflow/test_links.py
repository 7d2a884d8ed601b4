"""The links that MLflow's clients print lead to the pages here, in a real browser where there is one."""

import os
import shutil
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

API = "/mlflow/api/2.0/mlflow"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        told = f"none of {', '.join(_BROWSERS)} is installed"
        (pytest.fail if os.environ.get("CURVEWISE_TEST_BROWSER") else pytest.skip)(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()


@pytest.fixture
def run(server: httpx.Client) -> dict[str, str]:
    """A run whose names want care in a path: its experiment, its id, and where its page is."""
    name = f"/team a/{uuid4().hex}"
    experiment = server.post(f"{API}/experiments/create", json={"name": name}).json()["experiment_id"]
    said = {"experiment_id": experiment, "run_name": "r #1?"}
    made = server.post(f"{API}/runs/create", json=said).json()["run"]["info"]["run_id"]
    project = f"%3Ateam%20a%3A{name.rpartition('/')[2]}"
    return {"experiment": experiment, "id": made, "page": f"/projects/{project}/runs/r%20%231%3F"}


def test_an_id_leads_to_the_page_behind_any_prefix(server: httpx.Client, run: dict[str, str]) -> None:
    for path, page in (
        (f"/mlflow/runs/{run['id']}", run["page"]),
        (f"/mlflow/experiments/{run['experiment']}", run["page"].partition("/runs/")[0]),
    ):
        reply = server.get(path)
        assert reply.status_code == 302
        assert reply.headers["location"] == f"../..{page}"
        assert server.get(path, follow_redirects=True).status_code == 200


def test_an_unknown_id_says_so(server: httpx.Client) -> None:
    for path in (f"/mlflow/runs/{'0' * 32}", "/mlflow/experiments/999999999"):
        reply = server.get(path)
        assert (reply.status_code, reply.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_printed_link_leads_to_the_run(
    server: httpx.Client, tracking_uri: str, run: dict[str, str], browser_page: Page
) -> None:
    base = str(server.base_url).rstrip("/")
    experiment = f"{tracking_uri}/#/experiments/{run['experiment']}"
    for link, page in (
        (f"{experiment}/runs/{run['id']}", run["page"]),
        (f"{experiment}/runs/{run['id']}/model-metrics", run["page"]),
        (experiment, run["page"].partition("/runs/")[0]),
    ):
        browser_page.goto("about:blank")
        browser_page.goto(link)
        browser_page.wait_for_url(f"{base}{page}*")
    browser_page.goto("about:blank")
    browser_page.goto(f"{tracking_uri}/#/models")
    browser_page.wait_for_url(lambda url: "/mlflow" not in url)
