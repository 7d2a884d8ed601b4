"""What others make of what is put out, by media type: each a real parser, strict, that gives back the texts it found.

A parser fails where the bytes are not of its type, and where they hold anything that runs, loads or leads elsewhere.
"""

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import cmarkgfm
import html5lib
import nanoarrow
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from tests.reports.test_sarif import read as read_sarif

Parser = Callable[[bytes], list[str]]
_ACTIVE = {"iframe", "object", "embed", "base", "applet", "foreignObject", "frame", "portal"}
# A part of a page has no doctype, and of what no character is (U+FFFF) a browser makes none.
_HARMLESS = {"expected-doctype-but-got-start-tag", "invalid-codepoint"}
_SAFE_ADDRESS = re.compile(r"(?!//)(?!/\\)(?![A-Za-z][A-Za-z0-9+.-]*:)[^\x00-\x20]*")
_MARKUP = {"html", "head", "body", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "p", "strong", "em"}
_MARKUP |= {"br", "details", "summary", "ul", "ol", "li", "code", "pre"}


def refuse(token: str) -> None:
    """NaN and the infinities, which Python's reader takes."""
    raise AssertionError(f"{token} is no JSON")


def as_json(body: bytes) -> list[str]:
    """Every string in it, names of members too."""
    return list(_strings(json.loads(body.decode(), parse_constant=refuse)))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inside in value.items():
            yield name
            yield from _strings(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _strings(inside)


def as_lines_of_json(body: bytes) -> list[str]:
    """NDJSON: a value a line, split as readers split it."""
    assert body.endswith(b"\n")
    return [text for line in body[:-1].split(b"\n") for text in as_json(line)]


def as_html(body: bytes) -> list[str]:
    """Texts and attributes. A script is one of our own files, or one that the page's policy names by its hash."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(body.decode())
    assert not [error for error in parser.errors if error[1] not in _HARMLESS], parser.errors
    policy = " ".join(m.get("content", "") for m in page.iter("meta") if m.get("http-equiv"))
    for script in page.iter("script"):
        inside, kind = script.text or "", script.get("type")
        if script.get("src") is None and kind != "application/json":
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy, inside[:200]
    return list(_inert(page))


def as_svg(body: bytes) -> list[str]:
    """XML of one picture: nothing in it runs, and it loads nothing."""
    picture = fromstring(body)
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [one.tag for one in picture.iter() if one.tag.endswith("}script")]
    return list(_inert(picture))


def _inert(root: Element) -> Iterator[str]:
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        name = element.tag.rpartition("}")[2]
        assert name not in _ACTIVE, name
        for attribute, value in element.attrib.items():
            plain = attribute.rpartition("}")[2].lower()
            assert not plain.startswith("on"), f"{name} {attribute}={value}"
            if plain in {"href", "src", "action", "formaction", "srcset", "data", "poster"}:
                picture = name in {"img", "image", "link"} and value.startswith("data:image/")
                assert picture or _SAFE_ADDRESS.fullmatch(value), f"{name} {attribute}={value[:80]}"
            yield value
        # Of the elements that a text is broken up by, as one text.
        yield _text(element) if name not in {"script", "style", "body", "html"} else element.text or ""


def _text(element: Element) -> str:
    """As it is seen: without comments."""
    if not isinstance(element.tag, str):
        return ""
    return "".join([element.text or "", *(_text(child) + (child.tail or "") for child in element)])


def as_markdown(body: bytes) -> list[str]:
    """Rendered as GitHub does, raw HTML let through: it becomes tables, lists and code, no link and no picture."""
    text = body.decode()
    page = html5lib.parse(
        cmarkgfm.github_flavored_markdown_to_html(text, cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE),
        namespaceHTMLElements=False,
    )
    used = {str(one.tag) for one in page.iter() if isinstance(one.tag, str)}
    assert used <= _MARKUP, used - _MARKUP
    assert not [one for one in _outside_code(page) if re.search(r"@\w", one)]  # GitHub would call whoever has that name
    return list(_inert(page))


def _outside_code(element: Element) -> Iterator[str]:
    """Text by text, so that a comment is the end of one."""
    if isinstance(element.tag, str) and element.tag not in {"code", "pre"}:
        yield element.text or ""
        for child in element:
            yield from _outside_code(child)
    yield element.tail or ""


def as_junit(body: bytes) -> list[str]:
    """JUnit: names, messages and properties of its suites and cases."""
    suites = JUnitXml.fromstring(body)
    found = [str(suites.name)]
    for suite in suites:
        found += [str(suite.name), *(str(one.value) for one in suite.properties())]
        for case in suite:
            found += [str(case.name), str(case.classname), *(str(one.message) for one in case.result)]
    return found


def as_sarif(body: bytes) -> list[str]:
    """SARIF by the schema of its standard."""
    read_sarif(body.decode())
    return as_json(body)


def as_prometheus(body: bytes) -> list[str]:
    """The labels of all samples."""
    families = text_string_to_metric_families(body.decode())
    return [value for family in families for sample in family.samples for value in sample.labels.values()]


def as_arrow(body: bytes) -> list[str]:
    """An Arrow stream: the texts of its columns, and their names."""
    with nanoarrow.ArrayStream.from_readable(io.BytesIO(body)) as stream:
        names = [field.name for field in stream.schema.fields]
        return [*names, *_strings([list(row.values()) for row in stream.to_pylist()])]


def as_events(body: bytes) -> list[str]:
    """Server-Sent Events as a browser reads them, the last of them perhaps cut off."""
    found = []
    for event in re.split("\r\n\r\n|\n\n|\r\r", body.decode())[:-1]:
        fields = [line.partition(":") for line in re.split("\r\n|\n|\r", event)]
        assert {name for name, _, _ in fields} <= {"event", "data", "id", "retry", ""}, event
        data = [value.removeprefix(" ") for name, _, value in fields if name == "data"]
        found += as_json("\n".join(data).encode()) if data else []
    return found


def as_line(body: bytes) -> list[str]:
    """Text for a terminal or a log: nothing in it but characters that are printed, and the ends of lines."""
    text = body.decode()
    assert not [one for one in text if not one.isprintable() and one != "\n"]
    return text.split("\n")


PARSERS: Mapping[str, Parser] = {
    "application/json": as_json,
    "application/problem+json": as_json,
    "application/sarif+json": as_sarif,
    "application/x-ndjson": as_lines_of_json,
    "application/xml": as_junit,
    "application/vnd.apache.arrow.stream": as_arrow,
    "image/svg+xml": as_svg,
    "text/event-stream": as_events,
    "text/html": as_html,
    "text/markdown": as_markdown,
    "text/plain": as_prometheus,
}
