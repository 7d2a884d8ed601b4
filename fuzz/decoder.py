"""The request decoder: a body with its headers in, the handlers' own reply out; nothing is stored.

The first byte of an input says where it is sent and how it is compressed, so that a case is a body behind one letter.
"""

import asyncio
import atexit
import gzip
import json
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import zstandard
from anyio import CapacityLimiter
from fastapi import Request
from fastapi.responses import Response

from app.api.body import FACTS_LIMIT_BYTES, JSON, NDJSON, read_model
from app.api.diagnoses import diagnose_curves
from app.api.points import send_points
from app.api.problems import HANDLED, answer
from app.api.runs import RunIn
from app.curves.points import NON_FINITE_WORDS, Points
from app.limits import check_attempt, check_points
from app.meters import Meters
from app.settings import Settings
from fuzz.target import Mutate, Target, promise
from fuzz.trees import mutated_document, mutated_lines

MOST_BODY_BYTES = 64 * 1024
# The first letter -> where the body goes, as what, and how it is compressed.
_WAYS: Mapping[bytes, tuple[str, str, str]] = {
    b"j": ("points", JSON, "identity"),
    b"l": ("points", NDJSON, "identity"),
    b"g": ("points", JSON, "gzip"),
    b"z": ("points", JSON, "zstd"),
    b"G": ("points", NDJSON, "gzip"),
    b"Z": ("points", NDJSON, "zstd"),
    b"d": ("diagnose", JSON, "identity"),
    b"r": ("run", JSON, "identity"),
}
_WORDS = (
    *(b'"curves"', b'"steps"', b'"values"', b'"points"', b'"step"', b'"attempt"', b'"context"', b'"num_classes"'),
    *(b'"planned_steps"', b'"state"', b'"params"', b'"exploding"', b'"caveats"', b'"config"', b'"tags"', b'"loss"'),
    *(b"NaN", b"-Infinity", b'"NaN"', b"null", b"9007199254740993", b"1e400", b"-0.0", b"[]", b"{}", b"\xed\xa0\x80"),
)
_SEEDS = (
    b'j{"curves": {"loss": {"steps": [1, 2, 3], "values": [1, 0.5, NaN]}, "lr": {"steps": [1], "values": [0.1]}}}',
    b'j{"curves": {"a": {"steps": [1, 2], "values": ["NaN", null]}}, "attempt": 2}',
    b'j{"points": [{"step": 1, "epoch": 0.5, "loss": 0.7}, {"step": 2, "loss": "-Infinity", "acc": null}]}',
    b'l{"step": 1, "loss": 0.7}\n{"step": 2, "loss": Infinity, "acc": 0.5}\n',
    b'd{"curves": {"train/loss": {"steps": [0, 1, 2, 3, 4, 5], "values": [2.3, 1.1, 0.6, 0.4, 3, NaN]}}}',
    b'd{"curves": {"val_loss": {"steps": [0, 2, 5], "values": [2.3, 0.7, 0.9]}}, "context": {"num_classes": 10}}',
    b'd{"curves": {}, "context": {"planned_steps": 9, "state": "failed", "caveats": []}, "params": {"exploding": {}}}',
    b'r{"context": {"num_classes": 10, "schedule": "cosine"}, "config": {"lr": 0.1, "a": [{"b": NaN}]}}',
    b'r{"tags": {"team": "v"}, "commit": "9fceb02", "attempt": 3}',
)
_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


class _Store:
    """The end of the way: takes what the service takes and keeps it for a look."""

    def __init__(self) -> None:
        self.points: Sequence[Points] = ()

    async def record(self, _project: str, _run: str, points: Sequence[Points], attempt: int | None) -> None:
        check_attempt(attempt)
        for part in points:
            check_points(part)
        self.points = points


async def _state() -> SimpleNamespace:
    settings = Settings(max_body_bytes=MOST_BODY_BYTES)
    return SimpleNamespace(settings=settings, decoders=CapacityLimiter(2), meters=Meters())


_APP = SimpleNamespace(state=_LOOP.run_until_complete(_state()))


def _check(data: bytes) -> None:
    where, media, encoding = _WAYS.get(data[:1], _WAYS[b"j"])
    store = _Store()
    response = _LOOP.run_until_complete(_reply(_request(data[1:], media, encoding), where, store))
    promise(response.status_code < 500, f"answered with {response.status_code}")
    said: Any = json.loads(bytes(response.body), parse_constant=_no_such_token)
    if response.status_code >= 400:
        promise(said["detail"], "a problem that says nothing")
    elif where == "points":
        _check_stored(said, store.points)
        if media == JSON and encoding == "identity":
            _check_nothing_is_lost(data[1:], said, store.points)


def _request(body: bytes, media: str, encoding: str) -> Request:
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-type", media.encode()), (b"content-encoding", encoding.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers, "app": _APP}
    return Request(scope, receive)


async def _reply(request: Request, where: str, store: _Store) -> Response:
    handlers: Mapping[str, Callable[[], Awaitable[Response]]] = {
        "points": lambda: send_points(request, store, "p", "r", attempt=None),  # type: ignore[arg-type]
        "diagnose": lambda: diagnose_curves(request),
        "run": lambda: _read_run(request),
    }
    try:
        return await handlers[where]()
    except HANDLED as error:
        return await answer(request, error)


async def _read_run(request: Request) -> Response:
    said = await read_model(request, RunIn, empty=True, limit=FACTS_LIMIT_BYTES)
    return Response(said.model_dump_json())


def _no_such_token(token: str) -> None:
    raise AssertionError(f"the reply holds a bare {token}")


def _check_stored(said: Mapping[str, Any], points: Sequence[Points]) -> None:
    promise(said["accepted"] == sum(part.steps.size for part in points), "the count of accepted points is wrong")
    promise(len({part.name for part in points}) == len(points), "one curve came twice")
    for refused in said["rejected"]:
        promise(refused["index"] >= 0 and refused["code"] and refused["reason"], f"{refused} names no point")


def _check_nothing_is_lost(body: bytes, said: Mapping[str, Any], points: Sequence[Points]) -> None:
    """Columns read again, by the standard library: every number is stored as it is, refused, or not measured."""
    try:
        sent = json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        return
    if not isinstance(sent, dict) or not isinstance(sent.get("curves"), dict):
        return
    columns = sent["curves"]
    told = said["accepted"] + len(said["rejected"]) + said["not_measured"]
    counted = sum(max(len(column["steps"]), len(column["values"])) for column in columns.values())
    promise(told == counted, f"{told} of {counted} points were told of")
    wrong = {refused["curve"] for refused in said["rejected"]}
    for part in points:
        if part.name not in wrong:
            pairs = zip(columns[part.name]["steps"], columns[part.name]["values"], strict=True)
            measured = [(float(step), _number(value)) for step, value in pairs if value is not None]
            stored = list(zip(part.steps.tolist(), part.values.tolist(), strict=True))
            promise(repr(measured).replace("-0.0,", "0.0,") == repr(stored).replace("-0.0,", "0.0,"), "coerced")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("which of two members of one name counts is anybody's guess")
    return dict(pairs)


def _number(value: Any) -> float:
    return NON_FINITE_WORDS[value.lower()] if isinstance(value, str) else float(value)


def _seeds() -> Iterator[bytes]:
    yield from _SEEDS
    for seed in _SEEDS[:4]:
        for letter, (_, media, encoding) in _WAYS.items():
            if encoding != "identity" and media == (NDJSON if seed[:1] == b"l" else JSON):
                yield letter + _packed(encoding, seed[1:])
    yield b"g" + gzip.compress(b" " * (MOST_BODY_BYTES * 40), mtime=0)
    yield b"z" + zstandard.compress(b" " * (MOST_BODY_BYTES * 400))


def _packed(encoding: str, body: bytes) -> bytes:
    return gzip.compress(body, mtime=0) if encoding == "gzip" else zstandard.compress(body)


def _unpacked(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return zlib.decompressobj(wbits=31).decompress(body, MOST_BODY_BYTES)
    return zstandard.ZstdDecompressor().stream_reader(body).read(MOST_BODY_BYTES)


def _mutated(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    letter, body = data[:1], data[1:]
    if letter not in _WAYS or chance.random() < 0.02:
        letter = chance.choice(list(_WAYS))
    _, media, encoding = _WAYS[letter]
    change = mutated_lines if media == NDJSON else mutated_document
    if encoding == "identity":
        return letter + change(body, most - 1, chance, mutate)
    if chance.random() < 0.5:
        return letter + mutate(body, most - 1)
    try:
        return letter + _packed(encoding, change(_unpacked(encoding, body), most, chance, mutate))
    except (zlib.error, zstandard.ZstdError):
        return letter + mutate(body, most - 1)


_DECODER = Target(
    name="decoder",
    check=_check,
    seeds=_seeds,
    covers=("app.api.body", "app.api.columns", "app.api.points", "app.curves.points"),
    words=_WORDS,
    mutated=_mutated,
)

TARGETS = {_DECODER.name: _DECODER}
