"""Whatever MLflow calls an experiment or a run, it has a name here, and two of them never have the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import check_name
from app.tracking.names import project_names, run_names

ID = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("experiment", "project"),
    [
        ("mnist", "mnist"),
        ("/Users/me/mnist", ":Users:me:mnist"),
        ("50 % dropout: a~b", "50 % dropout: a~b"),
        (".", ":"),
        ("..", ":"),
        ("...", "..."),
        ("a\x00b\nc", "a:b:c"),
    ],
)
def test_a_project_is_called_like_its_experiment_where_that_can_be(experiment: str, project: str) -> None:
    assert project_names(experiment)[0] == project


def test_a_run_is_called_as_the_job_named_it_and_marked_where_it_did_not() -> None:
    assert run_names("base/line", ID) == ("base:line", "base:line-01234567")
    assert run_names(None, ID) == ("run-01234567", f"run-{ID}")


@given(st.text(st.characters(), min_size=1, max_size=500))
def test_every_name_can_be_stored_and_put_into_a_path(name: str) -> None:
    for made in (*project_names(name), *run_names(name, ID)):
        check_name("project", made)


def test_names_that_would_be_the_same_are_told_apart() -> None:
    plain = {project_names(name)[0] for name in ("a/b", "a:b", "a\x00b")}
    marked = {project_names(name)[1] for name in ("a/b", "a:b", "a\x00b", "x" * 400, "x" * 401)}
    assert (len(plain), len(marked)) == (1, 5)
