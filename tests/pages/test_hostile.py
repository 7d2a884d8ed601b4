"""Names, tags and configs that strangers chose are text, whatever they contain."""

from urllib.parse import quote

from playwright.sync_api import expect

from tests.hostile import NAMES
from tests.pages.looking import Logged, Watched, wait_until_drawn

PROJECT = "<img src=x onerror=alert(1)> & 'co' \"%2F\""
TAG = '"><script>alert(2)</script>'


def test_names_are_text_wherever_they_stand(desk: Watched, phone: Watched, logged: Logged) -> None:
    names = [*NAMES, "n" * 200, "a%2Fb%252F", "\u202egnp.exe", "{{ 7 * 7 }}"]
    for name in dict.fromkeys(names):
        logged.open(PROJECT, name, config={TAG: {name: "</script>"}}, tags={TAG: name}, commit=name[:50])
        logged.send(PROJECT, name, {"train/loss": ([0, 1, 2], [3, 2, 1]), TAG: ([0, 1], [1, 2])})
    page = desk.open("/projects/" + quote(PROJECT, safe=""))
    assert page.locator("h1").text_content() == PROJECT
    assert page.locator("h1 *").count() == 1  # the isolation of its direction, and nothing that the name brought
    shown = page.locator(".runs tbody th > a").all_text_contents()
    assert set(shown) == set(names)
    for name in ("<script>alert(1)</script>", "n" * 200, "a%2Fb%252F", "\u202egnp.exe"):
        if name not in shown:  # one with a slash is no name
            continue
        page.goto(desk.address + "/projects/" + quote(PROJECT, safe=""))
        page.locator(".runs tbody th > a").nth(shown.index(name)).click()
        assert page.locator("h1").text_content() == name
        expect(page.locator(".facts")).to_contain_text("</script>")
        wait_until_drawn(page)
    small = phone.open("/projects/" + quote(PROJECT, safe=""))
    assert small.evaluate("() => document.documentElement.scrollWidth") <= 390
    small.locator(".runs tbody th > a", has_text="n" * 200).click()
    wait_until_drawn(small)
    assert small.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_hostile_runs_are_compared_as_text(desk: Watched, logged: Logged) -> None:
    runs = ['"><img src=x onerror=alert(1)>', "'; DROP TABLE runs; --"]
    for name in runs:
        logged.open("compared", name, config={"<b>": name})
        logged.send("compared", name, {"train/loss": ([0, 1, 2], [3, 2, 1])})
    page = desk.open("/projects/compared/compare?" + "&".join(f"run={quote(name)}" for name in runs))
    wait_until_drawn(page)
    assert page.locator("table.compare thead th").all_text_contents()[:2] == runs
    expect(page.get_by_role("rowheader", name="<b>")).to_be_visible()


def test_a_filter_shows_what_was_typed_as_text(desk: Watched) -> None:
    page = desk.open("/projects/demo?text=" + quote('"><script>alert(1)</script>'))
    expect(page.get_by_label("Name holds")).to_have_value('"><script>alert(1)</script>')
    expect(page.get_by_text("No run is like that")).to_be_visible()
