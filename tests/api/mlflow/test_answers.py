"""Everything that goes wrong has a code that MLflow's clients know, and what may succeed later says when."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from fastapi import Request

from app import errors
from app.api.mlflow.answers import on_anything_else, on_curvewise_error


def tree(error: type[errors.CurvewiseError]) -> Iterator[type[errors.CurvewiseError]]:
    yield error
    for child in error.__subclasses__():
        yield from tree(child)


# Errors of other rooms, such as the command line's, are raised by nothing that these clients ask for.
KINDS = [kind for kind in tree(errors.CurvewiseError) if kind.__module__ == errors.__name__][1:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_code(kind: type[errors.CurvewiseError]) -> None:
    error = kind("file", "why") if kind is errors.UnreadableFile else kind("why")
    reply = asyncio.run(on_curvewise_error(Request({"type": "http"}), error))
    told = json.loads(bytes(reply.body))
    assert told["error_code"] != "INTERNAL_ERROR"
    assert told["message"].endswith("why")
    later = isinstance(error, errors.Unavailable | errors.SchemaMismatch)
    # Clients try 503 again and 507 not; a 4xx they raise at once.
    assert (reply.status_code == 503) == later
    assert ("retry-after" in reply.headers) == isinstance(error, errors.Unavailable | errors.TooManyRequests)


def test_a_fault_of_ours_tells_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    reply = asyncio.run(on_anything_else(Request({"type": "http"}), ZeroDivisionError("secret")))
    assert reply.status_code == 500
    assert b"secret" not in bytes(reply.body)
    assert "secret" in caplog.text
