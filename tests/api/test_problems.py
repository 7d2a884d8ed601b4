from pathlib import Path

import httpx
import pytest

from app import errors
from app.api.app import create_app
from app.api.problems import BY_ERROR, INTERNAL, kind_of
from app.settings import Settings
from tests.api.asserts import assert_problem
from tests.api.conftest import serving_app

RUN = "/api/v1/projects/p/runs/r"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (RUN, "DELETE, GET, PUT"),
        ("/api/v1/projects", "GET"),
        (f"{RUN}/points", "POST"),
        ("/healthz", "GET"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PROPFIND"])
def test_a_method_that_is_not_taken_is_told_which_ones_are(
    client: httpx.Client, path: str, allowed: str, method: str
) -> None:
    reply = client.request(method, path)
    problem = assert_problem(reply, 405, "method-not-allowed")
    assert sorted(reply.headers["allow"].split(", ")) == allowed.split(", ")
    assert path in str(problem["detail"])


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v2", "/api/v1/projects/", f"{RUN}/", "/api/v1/projects/a%2Fb/runs", "/projects/"]
)
def test_a_path_where_nothing_is(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path), 404, "no-such-path")


def test_every_error_has_its_own_problem_type() -> None:
    def tree(error: type[errors.CurvewiseError]) -> list[type[errors.CurvewiseError]]:
        return [error, *(below for child in error.__subclasses__() for below in tree(child))]

    # The root is never raised, a file is never read by the API, and other rooms may have errors of their own.
    told = {error for error in tree(errors.CurvewiseError) if error.__module__ == errors.__name__}
    mapped = told - {errors.CurvewiseError, errors.UnreadableFile}
    assert mapped == set(BY_ERROR)
    assert len({kind.name for kind in BY_ERROR.values()}) == len(BY_ERROR)
    assert kind_of(errors.UnreadableFile("f", "torn")).name == "invalid-input"
    assert kind_of(errors.CurvewiseError()) is INTERNAL


def test_nothing_of_the_inside_is_told_when_the_server_fails(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/failing.db"))

    @app.get("/fails")
    def fail() -> None:
        raise ZeroDivisionError("a secret")

    with serving_app(app) as client:
        reply = client.get("/fails")
        assert_problem(reply, 500, "internal")
        assert "secret" not in reply.text
        assert "ZeroDivision" not in reply.text
        assert client.get("/healthz").status_code == 200
