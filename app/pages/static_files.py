"""Styles and scripts under URLs that change with their content, so that a browser keeps each for good."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.pages.vega import VEGA, vega_packed, vega_version

PREFIX = "/static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"
_HASH_DIGITS = 16

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _File:
    media_type: str
    packed: bytes  # gzip


@cache
def _files() -> Mapping[str, _File]:
    """Name -> file, all that stand in static/."""
    found = {}
    for path in sorted(files("app.pages").joinpath("static").iterdir(), key=lambda path: path.name):
        suffix = "." + path.name.rpartition(".")[2]
        found[path.name] = _File(_TYPES[suffix], gzip.compress(path.read_bytes(), mtime=0))
    return found


@cache
def _hash() -> str:
    """Of all files together: a script imports its neighbours by relative names, so they share the folder's hash."""
    digest = hashlib.sha256(vega_version().encode())
    for name, file in _files().items():
        digest.update(name.encode() + file.packed)
    return digest.hexdigest()[:_HASH_DIGITS]


def static_path(name: str) -> str:
    """The path of a file of static/, or of the chart script."""
    assert name == VEGA or name in _files(), name  # noqa: S101 - a template's misspelling
    return f"{PREFIX}/{_hash()}/{name}"


@router.get(PREFIX + "/{version}/{name}")
def get_static(request: Request, version: str, name: str) -> Response:
    """A file. One of another version than this server's is not found: it may not be kept under that name for good."""
    if version != _hash() or (name != VEGA and name not in _files()):
        raise HTTPException(404)
    media_type, packed = ("text/javascript", vega_packed()) if name == VEGA else _sent(_files()[name])
    headers = {"Cache-Control": _FOR_GOOD, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, 200, headers | {"Content-Encoding": "gzip"}, media_type)
    return Response(gzip.decompress(packed), 200, headers, media_type)


def _sent(file: _File) -> tuple[str, bytes]:
    return file.media_type, file.packed
