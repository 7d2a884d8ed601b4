"""Requests made from the OpenAPI document, right and wrong ones: no failure, no reply that it does not describe."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import (
    allow_header_conformance,
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from app.api.app import create_app
from app.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]


PATHS = {"webhook": 1, "delivery": 1}

# But for streams, whose replies have no end: test_events.py makes such requests by hand.
api = schemathesis.openapi.from_dict(create_app(Settings()).openapi()).exclude(path_regex=r"/runs/\{run\}/events$")


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def base_url(client: httpx.Client) -> str:
    """The address of a server where project `p` has a run `r` with points."""
    client.put("/api/v1/projects/p/runs/r")
    points = '{"curves": {"loss": {"steps": [1, 2, 3], "values": [1, 0.5, NaN]}}}'
    assert client.post("/api/v1/projects/p/runs/r/points", content=points).status_code == 200
    return str(client.base_url)


@api.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_contract(case: schemathesis.Case[Any], base_url: str) -> None:
    case.call_and_validate(base_url, checks=CHECKS)
    if case.path_parameters:
        # Nearly every invented name names nothing; the same request again where something is there.
        case.path_parameters = {name: PATHS.get(name, name[0]) for name in case.path_parameters}
        case.call_and_validate(base_url, checks=CHECKS)
