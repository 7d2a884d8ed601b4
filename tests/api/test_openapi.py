"""The document is complete and true: what it says about fields, examples and errors is walked and tried."""

import io
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import jsonschema_rs
import numpy as np
import pytest

from app.api.app import create_app
from app.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
PROBLEM = "application/problem+json"
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def violations(value: object, schema: dict[str, Any]) -> list[str]:
    validator = jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]}, validate_formats=True)
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]


def fields(schema: object, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every object in a schema, wherever it stands."""
    if isinstance(schema, list):
        for item in schema:
            yield from fields(item, where)
    if isinstance(schema, dict):
        constrained = (
            "type" not in schema and "description" not in schema
        )  # narrows a field that is described elsewhere
        for name, field in schema.get("properties", {}).items():
            if not constrained:
                yield f"{where}.{name}", field
        for key, value in schema.items():
            if key not in {"example", "examples", "oneOf"}:
                yield from fields(value, where if key == "properties" else f"{where}.{key}")


def test_every_field_says_what_it_means() -> None:
    seen = [found for name, schema in DOCUMENT["components"]["schemas"].items() for found in fields(schema, name)]
    assert len(seen) > 60
    assert [where for where, field in seen if not field.get("description")] == []


def test_every_schema_says_what_it_is() -> None:
    schemas = DOCUMENT["components"]["schemas"].items()
    assert [name for name, schema in schemas if not schema.get("description") and name != "JsonValue"] == []


def test_fields_that_count_or_measure_name_their_unit() -> None:
    def measures(field: dict[str, Any]) -> bool:
        return any(option.get("type") in ("integer", "number") for option in (field, *field.get("anyOf", [])))

    unitless = {"Problem.properties.status", "Evidence.properties.value", "Evidence.properties.limit"}
    seen = [found for name, schema in DOCUMENT["components"]["schemas"].items() for found in fields(schema, name)]
    missing = {where for where, field in seen if measures(field) and "[" not in field["description"]}
    assert missing <= {where.replace(".properties", "") for where in unitless}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_described_with_examples(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    for parameter in operation.get("parameters", []):
        assert parameter["description"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content["schema"]
        assert content["examples"]
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            assert content["schema"], status
            assert content.get("example") or content.get("examples"), status


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_error_is_a_problem_document_of_named_types(path: str, method: str, operation: dict[str, Any]) -> None:
    errors = {status: response for status, response in operation["responses"].items() if status >= "400"}
    assert "500" in errors
    assert ("{project}" in path) <= {"422", "503"}.issubset(errors)
    assert ("requestBody" in operation) <= {"400", "413", "415", "422"}.issubset(errors)
    for status, response in errors.items():
        assert list(response["content"]) == [PROBLEM]
        reference, narrowed = response["content"][PROBLEM]["schema"]["allOf"]
        assert reference == {"$ref": "#/components/schemas/Problem"}
        assert all(urn in response["description"] for urn in narrowed["properties"]["type"]["enum"])
        assert ("Retry-After" in response.get("headers", {})) == (status == "503")


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_example_of_a_response_is_one(path: str, method: str, operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            shown = [example["value"] for example in content.get("examples", {}).values()]
            for value in shown or [content["example"]]:
                assert violations(value, content["schema"]) == []


def query(operation: dict[str, Any]) -> str:
    """The examples of what an operation must be asked with."""
    asked = {
        parameter["name"]: parameter.get("example") or parameter["schema"]["examples"][0]
        for parameter in operation.get("parameters", [])
        if parameter["required"] and parameter["in"] == "query"
    }
    return "?" + urlencode(asked, doseq=True) if asked else ""


def placed(client: httpx.Client, project: str, url: str) -> str:
    """The path with names of what is there: made, where nothing is."""
    if "{webhook}" in url:
        made = client.post(f"/api/v1/projects/{project}/webhooks", json={"url": "https://ci.example/hook"}).json()
        url = url.replace("{webhook}", str(made["id"]))
    if "{delivery}" in url:
        sent = client.post(f"/api/v1/projects/{project}/webhooks/{made['id']}/ping").json()
        url = url.replace("{delivery}", str(sent["id"]))
    if "{search}" in url:
        url = url.replace("{search}", "rates")
        space = {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 1}}
        client.put(f"/api/v1/projects/{project}/searches/rates", json={"space": space})
    if url.endswith("/schedule"):
        rates = {"curves": {"lr": {"steps": [0, 1], "values": [0.1, 0.1]}}}
        assert client.post(f"/api/v1/projects/{project}/runs/r/points", json=rates).status_code == 200
    if "{at_step}" in url:
        url = url.replace("{at_step}", "4200")
        assert client.put(url, content=predicted()).status_code == 201
    if url.endswith("/ensembles"):
        assert {client.put(f"/api/v1/projects/{project}/runs/{name}").status_code for name in "ab"} == {201}
    return url


def predicted() -> bytes:
    written = io.BytesIO()
    np.savez(written, values=np.zeros(3), targets=np.ones(3))
    return written.getvalue()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_example_of_a_request_works(
    client: httpx.Client, run: str, path: str, method: str, operation: dict[str, Any]
) -> None:
    project = run.split("/")[4]
    url = path.replace("{project}", project).replace("{run}", "r")
    url = placed(client, project, url)
    url = url.replace("{kind}", "cosine") + query(operation)
    bodies: list[tuple[str | None, object]] = [
        (media_type, example["value"])
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        for example in content["examples"].values()
    ] or [(None, "")]
    for media_type, body in bodies:
        content: str | bytes = body if isinstance(body, str) else json.dumps(body)
        if media_type in {"application/x-npz", "application/octet-stream"}:
            content = b64decode(content)
        if media_type == "application/json":
            schema = operation["requestBody"]["content"][media_type]["schema"]
            assert violations(body, schema) == []
        headers = {"Content-Type": media_type} if media_type else {}
        if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
            with client.stream(method, url) as stream:  # it has no end
                assert (stream.status_code, stream.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            continue
        reply = client.request(method, url, content=content, headers=headers)
        assert reply.status_code in {200, 201, 204}, reply.text
        if reply.status_code == 204:
            assert reply.content == b""
            continue
        answered = reply.headers["Content-Type"].split(";")[0]
        schema = operation["responses"][str(reply.status_code)]["content"][answered]["schema"]
        assert violations(reply.json() if answered == "application/json" else reply.text, schema) == []


def test_the_document_is_served_as_it_is(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
