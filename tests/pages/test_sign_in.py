"""A person pastes a token into a page, in a browser, and sees what it sees."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from app.settings import Settings
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.tokens import Tokens
from tests.api.conftest import serving


def test_signing_in_and_out(browser: Browser, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sign-in.db"
    upgrade(make_engine(url))
    database = Database(make_engine(url))
    token, _ = Tokens(database).create("read", ["mine"])
    admin, _ = Tokens(database).create("admin", None)
    database.close()
    with serving(Settings(database_url=url, require_token=True)) as client:
        for project in ("mine", "theirs"):
            run = f"/api/v1/projects/{project}/runs/r"
            client.put(run, headers={"Authorization": f"Bearer {admin}"}).raise_for_status()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{client.base_url}/projects/mine")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Token").fill("cw_no_token")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("lets nobody in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="mine")).to_be_visible()
        expect(page.get_by_role("link", name="r", exact=True)).to_be_visible()
        (cookie,) = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert page.evaluate("() => document.cookie") == ""
        page.goto(f"{client.base_url}/")
        expect(page.get_by_role("link", name="mine")).to_be_visible()
        expect(page.get_by_role("link", name="theirs")).to_have_count(0)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        assert context.cookies() == []
        page.goto(f"{client.base_url}/projects/mine")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        context.close()
