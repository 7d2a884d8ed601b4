"""Badges: the worst of a project's latest runs, as a picture that everybody can read and as shields.io takes it."""

from collections.abc import Iterator
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest

from app.reports.badge import Badge, Stand, badge, shields, svg, unknown
from app.settings import Settings
from app.storage.database import Database, make_engine
from tests.api.conftest import serving
from tests.api.standing import stand

SVG = "{http://www.w3.org/2000/svg}"
SHIELDS_FIELDS = {"schemaVersion", "label", "message", "color", "isError", "cacheSeconds"}
OVERFITTING, EXPLODING, GOING = ("overfitting", "warning"), ("exploding", "error"), ("keep_training", "info")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Database]]:
    """A client of a server, and its database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('badges')}/b.db"
    with serving(Settings(database_url=url)) as client:
        database = Database(make_engine(url))
        yield client, database
        database.close()


def one(*found: tuple[str, str], state: str = "finished", stalled: bool = False, judged: bool = True) -> Stand:
    return Stand(state=state, stalled=stalled, judged=judged, findings=found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runs", "message", "tone"),
    [
        ([], "no runs", "unknown"),
        ([one()], "nothing found", "good"),
        ([one(judged=False)], "not judged yet", "unknown"),
        ([one(judged=False), one()], "nothing found", "good"),
        ([one(GOING)], "keep_training", "info"),
        ([one(OVERFITTING), one()], "overfitting", "warning"),
        ([one(OVERFITTING), one(OVERFITTING)], "overfitting", "warning"),
        ([one(GOING, OVERFITTING)], "overfitting and 1 more", "warning"),
        ([one(GOING, OVERFITTING), one(EXPLODING)], "exploding and 2 more", "error"),
        ([one(state="failed")], "run failed", "error"),
        ([one(OVERFITTING, state="failed")], "run failed", "error"),
        ([one(EXPLODING, state="failed")], "exploding", "error"),
        ([one(state="running", stalled=True)], "run stalled", "warning"),
        ([one(GOING, state="running", stalled=True)], "run stalled", "warning"),
        ([one(OVERFITTING, state="running", stalled=True)], "overfitting", "warning"),
    ],
)
def test_the_worst_is_shown(runs: list[Stand], message: str, tone: str) -> None:
    drawn = badge("p", runs)
    assert (drawn.message, drawn.tone, drawn.is_error) == (message, tone, False)


def test_of_one_rule_only_what_it_found_is_shown() -> None:
    runs = [one(OVERFITTING, EXPLODING, state="failed")]
    assert badge("p", runs, "overfitting") == Badge("overfitting", "overfitting", "warning", "p")
    assert badge("p", runs, "underfitting") == Badge("underfitting", "nothing found", "good", "p")


@pytest.mark.parametrize("tone", ["error", "warning", "info", "good", "unknown"])
def test_white_text_can_be_read_on_every_colour(tone: str) -> None:
    root = ElementTree.fromstring(svg(Badge("l", "m", tone, "p")))  # type: ignore[arg-type]
    for fill in (rect.get("fill") for rect in root.iter(f"{SVG}rect")):
        if fill is not None:
            channels = [int(fill[at : at + 2], 16) / 255 for at in (1, 3, 5)]
            linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
            luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
            assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG 2, level AA


@pytest.mark.parametrize("name", ["mnist", "<script>alert(1)</script>", "\"'&]]>", "\ufffe\uffff", "\U0001f525é"])
def test_the_picture_says_in_words_what_it_shows_whatever_the_project_is_called(name: str) -> None:
    root = ElementTree.fromstring(svg(badge(name, [one(OVERFITTING)])))
    title = root.findtext(f"{SVG}title")
    assert title == root.get("aria-label")
    assert title == f"{name.replace(chr(0xFFFE), chr(0xFFFD)).replace(chr(0xFFFF), chr(0xFFFD))}: overfitting"
    assert root.get("role") == "img"
    assert [text.text for text in root.iter(f"{SVG}text")] == ["learning curves", "overfitting"]
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{t}" for t in ("svg", "title", "clipPath", "rect", "g", "text")
    }


def test_shields_gets_what_it_asks_for() -> None:
    told = shields(badge("p", [one(EXPLODING)]))
    assert told.keys() == SHIELDS_FIELDS
    assert (told["schemaVersion"], told["message"], told["color"], told["isError"]) == (1, "exploding", "red", False)
    assert shields(unknown("no such project", "p"))["isError"] is True


def test_the_latest_runs_of_the_main_branch_count(served: tuple[httpx.Client, Database]) -> None:
    client, database = served
    project = uuid4().hex

    def message(**query: str) -> str:
        told: dict[str, str] = client.get(f"/badge/{project}.json", params=query).json()
        return told["message"]

    found = {"exploding": ("exploding", "error", True), "overfitting": ("overfitting", "warning", True)}
    stand(database, project, "a", "finished", found["exploding"])
    assert message() == "exploding"
    stand(database, project, "b", "finished")  # nobody names a branch: the newest
    assert message() == "nothing found"
    stand(database, project, "c", "finished", found["overfitting"], tags={"branch": "main"}, commit="1")
    stand(database, project, "d", "finished", tags={"branch": "main"}, commit="1")
    stand(database, project, "e", "finished", found["exploding"], tags={"branch": "wild"}, commit="2")
    assert message() == "overfitting"  # of its commit's two runs the worse one
    assert message(branch="wild") == "exploding"
    assert message(branch="none") == "no runs"
    assert message(run="a") == "exploding"
    assert message(run="a", rule="CW005") == "nothing found"
    assert message(run="none") == "no such run"
    stand(database, project, "f", "running", ("overfitting", "warning", False), tags={"branch": "master"}, commit="3")
    assert message() == "nothing found"  # what has not fired is not told


def test_a_project_that_is_not_there_has_a_badge_that_says_so(client: httpx.Client) -> None:
    name = uuid4().hex
    picture = client.get(f"/badge/{name}.svg")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/svg+xml")
    assert "no such project" in picture.text
    assert client.get(f"/badge/{name}.json").json()["isError"] is True
    assert client.get(f"/badge/{name}.svg?rule=overfiting").status_code == 422


def test_a_badge_is_kept_until_it_changes(served: tuple[httpx.Client, Database]) -> None:
    client, database = served
    project = "a.b 100%?"
    path = "/badge/a.b%20100%25%3F.svg"
    stand(database, project, "a", "finished")
    first = client.get(path)
    assert ElementTree.fromstring(first.text).findtext(f"{SVG}title") == f"{project}: nothing found"
    assert first.headers["Cache-Control"] == "max-age=60"
    assert first.headers["Content-Security-Policy"] == "default-src 'none'"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    stand(database, project, "b", "finished", ("overfitting", "warning", True))
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
