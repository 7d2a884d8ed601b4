"""Requests made from the OpenAPI document, right and wrong ones: no failure, no reply that it does not describe.

One by one, and as histories: what one reply names, such as a run that was opened, the next requests are about.
"""

import logging
import time
from collections import Counter
from contextlib import suppress
from typing import Any, ClassVar

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
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

logger = logging.getLogger(__name__)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]


LONG_FORM_REQUESTS = 20_000
SLOW_S = 1.0
LONGEST_URL = 2**16 - 1  # [bytes]; the HTTP server itself refuses a longer one, in words of its own
NAMES = ("p", "r", "s")
PATHS = {"webhook": 1, "delivery": 1, "at_step": 1}

# But for streams, whose replies have no end: test_events.py makes such requests by hand.
api = schemathesis.openapi.from_dict(create_app(Settings()).openapi()).exclude(path_regex=r"/runs/\{run\}/events$")


@schemathesis.serializer("application/x-npz", "application/octet-stream")
def as_bytes(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


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
    check(case, base_url)


@pytest.mark.long
@api.parametrize()
@settings(max_examples=400, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_none_of_many_requests_breaks_the_contract(case: schemathesis.Case[Any], base_url: str) -> None:
    check(case, base_url)


def check(case: schemathesis.Case[Any], base_url: str) -> None:
    case.call_and_validate(base_url, checks=CHECKS)
    if case.path_parameters:
        # Nearly every invented name names nothing; the same request again where something is there.
        case.path_parameters = {name: PATHS.get(name, name[0]) for name in case.path_parameters}
        case.call_and_validate(base_url, checks=CHECKS)


class Histories(api.as_state_machine()):  # type: ignore[misc]
    """Requests in a row; the links between them are inferred from what the document says of names."""

    base_url = ""
    requests: ClassVar[Counter[str]] = Counter()  # by operation
    slowest = (0.0, "")  # [s], operation
    broken: ClassVar[list[Exception]] = []

    def get_call_kwargs(self, _case: schemathesis.Case[Any]) -> dict[str, Any]:
        return {"base_url": self.base_url}

    def before_call(self, case: schemathesis.Case[Any]) -> None:
        # Invented names name nothing: most become one of a few, so that requests are about what others made.
        for name, value in case.path_parameters.items():
            if isinstance(value, str) and len(value) % 5:
                case.path_parameters[name] = PATHS.get(name, NAMES[len(value) % len(NAMES)])

    def call(self, case: schemathesis.Case[Any], **kwargs: Any) -> schemathesis.Response:
        # The server is in this process. What it computed is counted, so that a busy machine is not taken for a hang;
        # one that computes nothing ends in the client's timeout.
        began = time.process_time()
        response = super().call(case, timeout=30, **kwargs)
        took = time.process_time() - began
        type(self).slowest = max(self.slowest, (took, case.operation.label))
        if took > SLOW_S:
            self.broken.append(AssertionError(f"{case.method} {case.path} took {took:.1f} s"))
        return response

    def validate_response(
        self, response: schemathesis.Response, case: schemathesis.Case[Any], *_args: object, **_kwargs: object
    ) -> None:
        self.requests[case.operation.label] += 1
        if len(response.request.path_url) > LONGEST_URL:
            assert response.status_code == 400
            return
        try:
            case.validate_response(response, checks=CHECKS)
        except Exception as error:
            self.broken.append(error)
            raise


def explore(base_url: str, *, examples: int, steps: int, long: bool) -> None:
    """Ends early where hypothesis takes a way again and meets other replies: the server has not forgotten."""
    Histories.base_url = base_url
    with suppress(Flaky):
        Histories.run(
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=not long,
                database=None,
                deadline=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
        )
    assert not Histories.broken


def test_no_history_of_requests_breaks_the_contract(base_url: str) -> None:
    explore(base_url, examples=12, steps=10, long=False)
    assert Histories.requests.total() > 20


@pytest.mark.long
def test_no_history_of_twenty_thousand_requests_breaks_the_contract(base_url: str) -> None:
    wanted = Histories.requests.total() + LONG_FORM_REQUESTS
    while (done := Histories.requests.total()) < wanted:
        logger.info("%d requests, the slowest took %.2f s (%s)", done, *Histories.slowest)
        explore(base_url, examples=50, steps=20, long=True)
    logger.info("%d requests, the slowest took %.2f s (%s): %s", done, *Histories.slowest, Histories.requests)
