"""Runs are found by what is known of them, page by page, on both databases alike."""

import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from sqlalchemy import insert, update

from app import listing
from app.errors import InvalidInput, UnknownProject, UnknownRun
from app.listing import RunFilter, SortBy
from app.storage import runs, standings
from app.storage.database import Database
from app.storage.standings import Held, StoredStanding
from app.storage.tables import runs as run_table

BEGAN = datetime(2026, 1, 31, 9, tzinfo=UTC)
TAGS = [
    {"team": "vision", "odd,": 'a"b\\'},
    {"team": "Vision"},
    {"team": "vision", "x": "\x00é"},
    {"x": '{"team":"vision"}'},
    {},
]


@pytest.fixture
def filled(database: Database) -> Database:
    """Runs r00 to r19 of project p, one an hour; every fifth has no standing yet."""
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        other, _ = runs.lock_project(connection, "other")
        connection.execute(insert(run_table), [row(home.id, number) for number in range(20)])
        connection.execute(insert(run_table), [row(other.id, number) for number in range(3)])
        for run in runs.list_runs(connection, home.id, limit=99, after=None):
            if (number := int(run.name[1:])) % 5:
                made = standing(run.id, number)
                assert standings.save(connection, [made]) == {run.id}
                standings.save_held(connection, run.id, made.held.values())
    return database


def row(project_id: int, number: int) -> dict[str, object]:
    return {
        "project_id": project_id,
        "name": f"r{number:02}",
        "context": "{}",
        "config": "{}",
        "tags": json.dumps(TAGS[number % 5], separators=(",", ":")),
        "state": "running" if number % 2 else "finished",
        "attempt": 1,
        "revision": 3,
        "created_at": BEGAN + timedelta(hours=number),
        "updated_at": BEGAN + timedelta(hours=number // 2),
    }


def standing(run_id: int, number: int) -> StoredStanding:
    fired = Held(
        code="CW005" if number % 2 else "CW002",
        rule="overfitting" if number % 2 else "decay_needed",
        severity="error" if number % 3 == 0 else "warning",
        confidence=0.9,
        onset_step=3.0,
        summary="it climbs",
        first_seen_at=BEGAN,
        fired_at=BEGAN if number % 4 else None,  # the others have not held for long enough
    )
    return StoredStanding(
        run_id=run_id,
        turn=1,
        revision=3 if number != 11 else 2,  # r11 was heard of since it stalled
        attempt=1,
        basis="",
        judged_at=BEGAN,
        due_at=None,
        state="running" if number % 2 else "finished",
        stalled_since=BEGAN if number in {1, 11} else None,
        through_step=float(number // 3),
        sequence=0,
        heard_at=BEGAN,
        gaps=[],
        sparkline_curve="val/loss",
        sparkline=[2.0, float("nan"), 1.0],
        held={fired.code: fired},
    )


def names(database: Database, **wanted: object) -> list[int]:
    found = listing.find_runs(database, "p", RunFilter(**wanted))  # type: ignore[arg-type]
    assert found.next is None
    return [int(one.run[1:]) for one in found.rows]


def has_fired(number: int) -> bool:
    return number % 5 != 0 and number % 4 != 0


def test_runs_are_found_by_what_is_known_of_them(filled: Database) -> None:
    fired = [n for n in range(20) if has_fired(n)]
    assert names(filled) == list(range(20))
    assert names(filled, severity="info") == fired
    assert names(filled, severity="error") == [n for n in fired if n % 3 == 0]
    assert names(filled, findings=["overfitting"]) == [n for n in fired if n % 2]
    assert names(filled, findings=["CW002", "overfitting"]) == fired
    assert names(filled, findings=["CW002"], severity="error") == [n for n in fired if n % 2 == 0 and n % 3 == 0]
    assert names(filled, findings=["CW001"]) == []
    assert names(filled, state="finished") == [n for n in range(20) if n % 2 == 0]
    assert names(filled, state="stalled") == [1]
    assert names(filled, state="running") == [n for n in range(3, 20) if n % 2]
    assert names(filled, state="failed") == []
    assert names(filled, text="R0") == list(range(10))
    assert names(filled, text="%") == names(filled, text="_") == []
    assert names(filled, since=BEGAN + timedelta(hours=8), until=BEGAN + timedelta(hours=9)) == [16, 17]
    assert names(filled, severity="error", text="r1", state="running") == [n for n in fired if n % 6 == 3 and n > 9]


def test_tags_are_taken_letter_by_letter(filled: Database) -> None:
    assert names(filled, tags=[("team", "vision")]) == [n for n in range(20) if n % 5 in {0, 2}]
    assert names(filled, tags=[("team", "Vision")]) == [n for n in range(20) if n % 5 == 1]
    assert names(filled, tags=[("odd,", 'a"b\\')]) == [n for n in range(20) if n % 5 == 0]
    assert names(filled, tags=[("team", "vision"), ("x", "\x00é")]) == [n for n in range(20) if n % 5 == 2]
    assert names(filled, tags=[("team", "visio")]) == names(filled, tags=[("eam", "vision")]) == []
    assert names(filled, tags=[("", "")]) == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", get_args(SortBy))
def test_pages_make_the_whole_in_order_however_many_are_equal(filled: Database, sort: SortBy, descending: bool) -> None:
    def key(number: int) -> object:
        known = number % 5 != 0
        rank = (3 if number % 3 == 0 else 2) if has_fired(number) else 0
        step = number // 3 if known else -1
        return {"name": 0, "created": number, "updated": number // 2, "severity": rank, "through_step": step}[sort]

    expected = sorted(range(20), key=lambda number: (key(number), number), reverse=descending)
    for limit in (1, 3, 20):
        found, after = [], None
        while True:
            wanted = RunFilter(sort=sort, descending=descending, limit=limit, after=after)
            page = listing.find_runs(filled, "p", wanted)
            assert len(page.rows) <= limit
            found += [int(one.run[1:]) for one in page.rows]
            if (after := page.next) is None:
                break
        assert found == expected


def test_a_row_carries_what_a_table_shows(filled: Database) -> None:
    fresh, stalled, fine, heard = (
        next(one for one in listing.find_runs(filled, "p", RunFilter()).rows if one.run == name)
        for name in ("r00", "r01", "r04", "r11")
    )
    assert (fresh.state, fresh.standing) == ("finished", listing.Standing())
    assert (stalled.state, stalled.context_state, stalled.standing.stalled_since) == ("stalled", "running", BEGAN)
    assert [(one.code, one.severity, one.fired_at) for one in stalled.standing.findings] == [
        ("CW005", "warning", BEGAN)
    ]
    assert (fine.state, fine.standing.findings, fine.standing.through_step) == ("finished", (), 1.0)
    assert (heard.state, heard.standing.stalled_since) == ("running", None)
    assert stalled.tags == {"team": "Vision"}
    first, middle, last = stalled.standing.sparkline
    assert (first, middle != middle, last) == (2.0, True, 1.0)
    assert listing.standing_of(filled, "p", "r01") == stalled.standing


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"findings": ["nonsense"]}, "no rule 'nonsense'"),
        ({"limit": 0}, "limit"),
        ({"since": datetime(2026, 1, 1)}, "time zone"),
        ({"since": datetime.fromisoformat("0001-01-01T00:00:00+14:00")}, "out of range"),
        ({"text": "a\nb"}, "control character"),
        ({"sort": "severity", "after": "r00"}, "sorted by severity"),
        ({"sort": "severity", "after": f"{10**30}/r00"}, "sorted by severity"),
        ({"sort": "through_step", "after": "nan/r00"}, "sorted by through_step"),
        ({"sort": "updated", "after": "2026/r00"}, "sorted by updated"),
        ({"sort": "created", "after": "2026-01-01T00:00:00/r00"}, "time zone"),
        ({"sort": "name", "after": "3/r00"}, "sorted by name"),
        ({"after": ""}, "0 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused(filled: Database, wanted: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        listing.find_runs(filled, "p", RunFilter(**wanted))  # type: ignore[arg-type]


def test_what_is_not_there_is_named(filled: Database) -> None:
    with pytest.raises(UnknownProject, match="'q'"):
        listing.find_runs(filled, "q", RunFilter())
    with pytest.raises(UnknownRun, match="'r99'"):
        listing.standing_of(filled, "p", "r99")


def test_a_deleted_run_is_in_no_list(filled: Database) -> None:
    with filled.writing() as connection:
        connection.execute(update(run_table).where(run_table.c.name == "r01").values(project_id=None))
    assert names(filled, state="stalled") == []
    assert 1 not in names(filled)
