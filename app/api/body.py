"""Request bodies: read up to a limit, decompressed, and never more than that in memory."""

import asyncio
import gzip
import io
import re
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from zstandard import ZstdDecompressor, ZstdError

from app.errors import SlowBody, TooLarge, UnreadableBody, UnsupportedEncoding

JSON = "application/json"
NDJSON = "application/x-ndjson"
FACTS_LIMIT_BYTES = 1024 * 1024  # what is said about a run or a project is listed with it, so it stays small

_MOST_ERRORS = 1000  # each of them is a dict before one is shown
_CHUNK_BYTES = 1024 * 1024
_INLINE_BYTES = 32 * 1024  # a thousand points, a third of a millisecond; more is decoded in a thread, beside the others
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # what RFC 9659 lets a sender ask for; the library would allow 128 MiB

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one that never ends goes to the end
_OPENING, _CLOSING = (np.frombuffer(characters, dtype=np.uint8) for characters in (b"[{", b"]}"))

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")


def media_type(request: Request, allowed: tuple[str, ...] = (JSON,)) -> str:
    """The body's media type, JSON when none was named. Raises UnsupportedEncoding."""
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower() or JSON
    if named not in allowed:
        raise UnsupportedEncoding(
            f"Content-Type {named!r} is not read here; send {' or '.join(allowed)} "
            f"(with curl: -H 'Content-Type: {allowed[0]}')"
        )
    return named


async def read_body(request: Request, *, limit: int | None = None) -> bytes:
    """The decompressed body, possibly empty.

    limit: most bytes accepted, counted as sent and again decompressed; the server's own limit when it is lower.
    Raises TooLarge, SlowBody, UnsupportedEncoding, UnreadableBody; ClientDisconnect when the client went away.
    """
    most = request.app.state.settings.max_body_bytes
    if limit is not None:
        most = min(most, limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in _DECODERS:
        raise UnsupportedEncoding(f"Content-Encoding {encoding!r} is not read here; send gzip, zstd or identity")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_large(most)
    within_s = request.app.state.settings.body_timeout_s
    try:
        async with asyncio.timeout(within_s):
            body = await _whole(request, most)
    except TimeoutError:
        raise SlowBody(f"the body did not arrive within {within_s:g} s; send it in parts, or compressed") from None
    if not body or encoding == "identity":
        return bytes(body)
    return await to_thread.run_sync(_DECODERS[encoding], bytes(body), most, limiter=decoders(request))


async def _whole(request: Request, most: int) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return body


async def off_loop(request: Request, body: bytes, work: Callable[[], Result]) -> Result:
    """Do work that grows with the body: here when it is small, else in a thread."""
    if len(body) <= _INLINE_BYTES:
        return work()
    return await to_thread.run_sync(work, limiter=decoders(request))


def decoders(request: Request) -> CapacityLimiter:
    """How many large bodies are decoded at once: each may need many times its size in memory."""
    limiter = request.app.state.decoders
    assert isinstance(limiter, CapacityLimiter)  # noqa: S101 - made in the lifespan
    return limiter


async def read_model(request: Request, model: type[Model], *, empty: bool, limit: int | None = None) -> Model:
    """The JSON body as `model`; an empty body is the model's defaults where `empty` allows it.

    Raises UnreadableBody when it is not JSON and RequestValidationError when it is JSON of another shape.
    """
    body = await read_body(request, limit=limit)
    if not body and empty:
        return model()
    media_type(request)
    depth = request.app.state.settings.json_depth
    return await off_loop(request, body, lambda: validate(model, shallow(body, depth)))


def shallow(body: bytes, depth: int) -> bytes:
    """The JSON text, which is nested no deeper than this. Raises UnreadableBody.

    Of what has a shape of its own, as points have, nothing deeper is kept anyhow; configs hold whatever there is.
    """
    if body.count(b"[") + body.count(b"{") > depth:
        text = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
        opened = np.isin(text, _OPENING).astype(np.int64) - np.isin(text, _CLOSING)
        if (deepest := int(np.cumsum(opened).max(initial=0))) > depth:
            raise UnreadableBody(f"the body is nested {deepest} deep, and may be {depth} (CURVEWISE_JSON_DEPTH)")
    return body


def validate(model: type[Model], body: bytes) -> Model:
    """The JSON text as `model`. Raises UnreadableBody, RequestValidationError."""
    require_content(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise readable(error) from error


def require_content(body: bytes) -> None:
    """Raises UnreadableBody when there is nothing in the body."""
    if not body.strip():
        raise UnreadableBody("the body is empty; send a JSON object")


def readable(error: ValidationError) -> Exception:
    """The error of a JSON body: torn JSON is not readable at all, anything else is named field by field."""
    if error.error_count() > _MOST_ERRORS:
        return wrong((), f"{error.error_count()} fields are wrong")
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return UnreadableBody(f"the body is not JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}")
    return invalid([{**item, "loc": ("body", *item["loc"])} for item in found])


def invalid(found: list[Any]) -> RequestValidationError:
    """The error that names every wrong field; each item has `type`, `loc` and `msg`."""
    return RequestValidationError(found)


def wrong(where: tuple[str | int, ...], reason: str) -> RequestValidationError:
    """One wrong field of the body."""
    return invalid([{"type": "value_error", "loc": ("body", *where), "msg": reason}])


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is over {most} bytes, counted as sent and decompressed; send it in smaller parts")


def _gunzip(body: bytes, most: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as reader:
            return _read_up_to(reader.read, most)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableBody(f"the body is not whole gzip: {error}") from error


def _unzstd(body: bytes, most: int) -> bytes:
    """Two passes: the bounded reader stops a bomb but takes a torn frame for its end, the other one is the reverse."""
    decompressor = ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    try:
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            _read_up_to(reader.read, most, keep=False)
        parts, rest = [], body
        while rest:
            frame = decompressor.decompressobj()
            parts.append(frame.decompress(rest))
            if not frame.eof:
                raise UnreadableBody("the body is not whole zstd: its last frame is cut off")
            rest = frame.unused_data
    except ZstdError as error:
        raise UnreadableBody(f"the body is not whole zstd: {error}") from error
    return b"".join(parts)


def _read_up_to(read: Callable[[int], bytes], most: int, *, keep: bool = True) -> bytes:
    parts, size = [], 0
    while part := read(_CHUNK_BYTES):
        size += len(part)
        if size > most:
            raise _too_large(most)
        if keep:
            parts.append(part)
    return b"".join(parts)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "identity": lambda body, _most: body,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "zstd": _unzstd,
}
