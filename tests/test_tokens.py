"""Tokens: shown once, kept as digests, let in by nothing but themselves."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.access import Access
from app.errors import InvalidInput, UnknownToken
from app.storage import tables
from app.storage.database import Database
from app.tokens import Tokens


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database)


def test_a_token_lets_in_and_only_its_digest_is_kept(tokens: Tokens, database: Database) -> None:
    token, made = tokens.create("write", ["mnist", "cifar"], label="nightly")
    assert tokens.access(token) == Access("write", frozenset({"mnist", "cifar"}), made.id)
    secret = token.rpartition("_")[2]
    with database.reading() as connection:
        kept = repr(connection.execute(select(tables.tokens)).all())
    assert made.id in kept
    assert secret not in kept


def test_no_two_tokens_are_alike(tokens: Tokens) -> None:
    assert len({tokens.create("read", None)[0] for _ in range(20)}) == 20


def spoiled(token: str) -> list[str]:
    prefix, token_id, secret = token.split("_", 2)
    return [
        "",
        "cw",
        "cw__",
        secret,
        f"{prefix}_{token_id}_",
        f"{prefix}_{token_id}_{secret[:-1]}",
        f"{prefix}_{token_id}_{secret}x",
        f"{prefix}_{token_id[::-1]}_{secret}",
        f"{prefix}_{token_id}_{secret.swapcase()}",
        f"xx_{token_id}_{secret}",
        f"{prefix}_{token_id}_\ud800",
        f"{prefix}_%_{secret}",
        token * 10,
    ]


def test_what_is_nearly_a_token_lets_nobody_in(tokens: Tokens) -> None:
    token, _ = tokens.create("admin", None)
    assert [tokens.access(wrong) for wrong in spoiled(token)] == [None] * len(spoiled(token))
    assert tokens.access(token) is not None


def test_a_digest_is_no_token(tokens: Tokens) -> None:
    _, made = tokens.create("admin", None)
    assert tokens.access(f"cw_{made.id}_{made.digest}") is None


def test_a_revoked_token_lets_nobody_in_wherever_it_was_not_just_used(tokens: Tokens, database: Database) -> None:
    token, made = tokens.create("read", None)
    assert tokens.any_valid()
    tokens.revoke(made.id)
    assert Tokens(database).access(token) is None
    assert Tokens(database).session_key(made.id) is None
    assert not tokens.any_valid()
    assert tokens.listed()[0].revoked_at is not None


def test_a_revoked_token_is_refused_after_two_seconds(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token, made = tokens.create("read", None)
    assert tokens.access(token) is not None
    tokens.revoke(made.id)
    later = time.monotonic() + 2.0
    monkeypatch.setattr("app.tokens.time.monotonic", lambda: later)
    assert tokens.access(token) is None


def test_an_expired_token_lets_nobody_in(tokens: Tokens) -> None:
    token, _ = tokens.create("read", None, lifetime=timedelta(microseconds=1))
    assert tokens.access(token) is None
    with pytest.raises(InvalidInput, match="past"):
        tokens.create("read", None, lifetime=timedelta(0))


def test_a_token_that_does_not_exist_cannot_be_revoked(tokens: Tokens) -> None:
    with pytest.raises(UnknownToken, match="token list"):
        tokens.revoke("nothing")


@pytest.mark.parametrize("projects", [[], ["a/b"], [""], ["\x00"]])
def test_a_token_is_for_projects_that_can_be(tokens: Tokens, projects: list[str]) -> None:
    with pytest.raises(InvalidInput):
        tokens.create("read", projects)


def test_its_last_use_is_known_about_to_the_minute(tokens: Tokens) -> None:
    token, _ = tokens.create("read", None)
    access = tokens.access(token)
    assert access is not None
    assert tokens.use_is_due(access)
    assert not tokens.use_is_due(access)
    tokens.note_use(access)
    assert tokens.listed()[0].last_used_at is not None


@pytest.mark.parametrize(
    ("held", "wanted", "may"),
    [
        ("read", "read", True),
        ("read", "write", False),
        ("write", "read", True),
        ("admin", "write", True),
        ("write", "admin", False),
    ],
)
def test_each_role_may_what_those_before_it_may(held: str, wanted: str, may: bool) -> None:
    assert Access(held).may(wanted) is may  # type: ignore[arg-type]
