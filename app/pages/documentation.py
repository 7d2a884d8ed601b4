"""The API's own description as a page: the OpenAPI document, written out, without a script from anywhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.pages.render import page

router = APIRouter(include_in_schema=False)

Schema = Mapping[str, Any]
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_LENGTHS = {"minLength": "characters ≥", "maxLength": "characters ≤", "minItems": "items ≥", "maxItems": "items ≤"}


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of an object. where: path, query or header; empty for a member."""

    name: str
    kind: str
    needed: bool
    says: str
    where: str = ""


@dataclass(frozen=True)
class Content:
    """A body of one media type. model: the name of its schema where it has one; examples: as text."""

    media: str
    kind: str
    model: str
    examples: Sequence[str]


@dataclass(frozen=True)
class Operation:
    """What one verb does at one path. answers: (status, what it means, bodies)."""

    name: str
    verb: str
    path: str
    first: str
    says: Sequence[str]
    fields: Sequence[Field]
    bodies: Sequence[Content]
    answers: Sequence[tuple[str, str, Sequence[Content]]]


@router.get("/docs")
def show_documentation(request: Request) -> Response:
    """The page."""
    document = request.app.openapi()
    operations = [
        (said.get("tags", ["other"])[0], _operation(verb, path, said))
        for path, verbs in document["paths"].items()
        for verb, said in verbs.items()
    ]
    tags = [(tag["name"], tag["description"]) for tag in document["tags"]]
    nouns = [(name, says, [one for tag, one in operations if tag == name]) for name, says in tags]
    models = document["components"]["schemas"].items()
    return page(
        request,
        "documentation.html",
        here="docs",
        title=document["info"]["title"],
        version=document["info"]["version"],
        says=document["info"]["description"].split("\n\n"),
        nouns=nouns,
        models=[(name, schema.get("description", ""), list(_members(schema))) for name, schema in models],
    )


def _operation(verb: str, path: str, said: Mapping[str, Any]) -> Operation:
    first, _, rest = said.get("description", said.get("summary", "")).partition("\n\n")
    return Operation(
        name=said["operationId"],
        verb=verb.upper(),
        path=path,
        first=first,
        says=[part for part in rest.split("\n\n") if part],
        fields=[
            Field(one["name"], kind(one["schema"]), one.get("required", False), one.get("description", ""), one["in"])
            for one in said.get("parameters", [])
        ],
        bodies=_contents(said.get("requestBody", {})),
        answers=[(status, one["description"], _contents(one)) for status, one in said["responses"].items()],
    )


def _contents(holder: Mapping[str, Any]) -> list[Content]:
    found = []
    for media, content in holder.get("content", {}).items():
        schema = content.get("schema", {})
        named = [(one["value"]) for one in content.get("examples", {}).values()]
        examples = [content["example"]] if content.get("example") is not None else named
        texts = [one if isinstance(one, str) else json.dumps(one, indent=2, ensure_ascii=False) for one in examples]
        found.append(Content(media, kind(schema), _named(schema), texts))
    return found


def _members(schema: Schema) -> Iterator[Field]:
    needed = schema.get("required", ())
    for name, inside in schema.get("properties", {}).items():
        yield Field(name, kind(inside), name in needed, inside.get("description", ""))


def _named(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def kind(schema: Schema) -> str:
    """A schema in a few words: its type, what it may be, and its bounds."""
    if named := _named(schema):
        return named
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind(one) for one in schema[several]))
    if "const" in schema or "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")]))
    bounds = [f"{sign} {schema[name]}" for name, sign in (_BOUNDS | _LENGTHS).items() if name in schema]
    return ", ".join([_plain_kind(schema), *bounds])


def _plain_kind(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {kind(schema['items'])}" if schema.get("items") else "list"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {kind(schema['additionalProperties'])}"
        case str(plain):
            return f"{plain} ({schema['format']})" if "format" in schema else plain
    return "anything"
