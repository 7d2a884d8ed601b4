"""Which format a client wants, and whether it has it already."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version as version_of
from typing import TypeVar

MARKDOWN = "text/markdown"

CURVEWISE_VERSION = version_of("curvewise")

Name = TypeVar("Name", bound=str)


def choose(accept: str, formats: Mapping[Name, str]) -> Name:
    """The format that an Accept header wants most, of format -> media type; the first of those it wants alike."""
    return max(formats, key=lambda name: _quality(accept, formats[name]))


def _quality(accept: str, media_type: str) -> float:
    """How much a media type is wanted, from 0 to 1: the most particular range that covers it decides (RFC 9110)."""
    ranges = {media_type: 2, media_type.split("/", maxsplit=1)[0] + "/*": 1, "*/*": 0}
    best, quality = -1, 0.0
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if ranges.get(name, -1) > best:
            best = ranges[name]
            quality = next((_number(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    return quality


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 1.0


def etag_of(*parts: object) -> str:
    """A strong ETag. What the words of a report are depends on the release too, so that is a part of it."""
    text = "\n".join(str(part) for part in (CURVEWISE_VERSION, *parts))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether a client that sent this If-None-Match has what the ETag names."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or "*" in known
