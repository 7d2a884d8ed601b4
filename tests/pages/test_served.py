"""What the server sends to browsers: policies, and files that are kept for good."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.looking import Logged
from tests.server_process import process, wait_until_ready

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize(
    "path", ["/", "/projects/demo", "/projects/demo/runs/mlp-cosine", "/projects/demo/compare", "/rules", "/nothing"]
)
def test_every_page_forbids_what_it_does_not_need(logged: Logged, path: str) -> None:
    reply = logged.client.get(path, headers=HTML)
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|<[^<>]*\s(on\w+|style)=|=\"https?:", reply.text)


def test_files_are_kept_for_good_under_names_that_change_with_them(logged: Logged) -> None:
    page = logged.client.get("/projects/demo/runs/mlp-cosine", headers=HTML).text
    paths = set(re.findall(r'"(/static/[^"]+)"', page))
    assert {path.rpartition("/")[2] for path in paths} >= {"page.css", "run.css", "page.js", "vega.js"}
    for path in paths:
        reply = logged.client.get(path)
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["content-encoding"] == "gzip"
    other = re.sub(r"/static/\w+/", "/static/0123456789abcdef/", min(paths))
    assert logged.client.get(other).status_code == 404
    assert logged.client.get(min(paths).rpartition("/")[0] + "/..%2Fpage.css").status_code == 404


def test_the_chart_script_comes_from_the_installed_package(logged: Logged) -> None:
    page = logged.client.get("/projects/demo/runs/mlp-cosine", headers=HTML).text
    path = re.search(r'"(/static/[^"]+/vega\.js)"', page)
    assert path
    packed = logged.client.send(logged.client.build_request("GET", path[1]), stream=True)
    sent = b"".join(packed.iter_raw())
    assert len(sent) < 400_000
    assert b"vegaEmbed" in gzip.decompress(sent)


def test_an_empty_server_shows_the_lines_that_log_the_first_run_and_they_do(
    browser: Browser, logged: Logged, tmp_path: Path
) -> None:
    with process(f"sqlite:///{tmp_path}/empty.db", "--log-level", "warning", XDG_CACHE_HOME=str(logged.cache)) as (
        _,
        client,
    ):
        wait_until_ready(client)
        address = str(client.base_url).rstrip("/")
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is logged yet")
        shown = page.locator(".copyable code").all_text_contents()
        assert [address in text for text in shown] == [True] * 3
        home = {"CURVEWISE_SPOOL": str(tmp_path / "spool")}
        subprocess.run(["bash", "-e", "-c", shown[0]], check=True, capture_output=True)
        subprocess.run([sys.executable, "-c", shown[1]], check=True, capture_output=True, env=os.environ | home)
        compile(shown[2], "mlflow", "exec")
        page.goto(f"{address}/projects/first")
        assert sorted(page.locator(".runs tbody th > a").all_text_contents()) == ["with-curl", "with-the-client"]
        page.close()
