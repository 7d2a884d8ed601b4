"""`curvewise token`: made, listed, revoked; refused where it cannot be meant."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def token(call: Run, tmp_path: Path) -> Run:
    def on_one_database(*arguments: str) -> object:
        return call("token", *arguments, "--database-url", f"sqlite:///{tmp_path}/c.db")

    return on_one_database  # type: ignore[return-value]


def test_a_token_is_printed_once_and_listed_without_its_secret(token: Run) -> None:
    made = token("create", "--project", "mnist", "--project", "cifar", "--expires", "90d", "--label", "nightly")
    assert made.returncode == 0
    said = re.fullmatch(r"cw_([0-9a-f]{10})_([\w-]{43})\n", made.stdout)
    assert said
    assert said[2] not in made.stderr
    listed = token("list").stdout
    assert said[1] in listed
    assert said[2] not in listed
    assert {"cifar,", "mnist"} <= set(listed.split())
    assert "nightly" in listed
    revoked = token("revoke", said[1])
    assert revoked.returncode == 0
    assert "revoked" in token("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--project P"),
        (("--project", "p", "--all-projects"), "--all-projects"),
        (("--project", "p", "--role", "root"), "read, write, admin"),
        (("--project", "p", "--expires", "soon"), "90d"),
        (("--project", "p", "--expires", "0d"), "past"),
        (("--project", "a/b"), "one part of a path"),
        (("--project", "p", "--label", "\x1b[31m"), "control character"),
    ],
)
def test_what_cannot_be_meant_is_refused(token: Run, arguments: tuple[str, ...], says: str) -> None:
    done = token("create", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_a_token_that_is_not_there_cannot_be_revoked(token: Run) -> None:
    done = token("revoke", "0123456789")
    assert done.returncode == 1
    assert "there is no token" in done.stderr
