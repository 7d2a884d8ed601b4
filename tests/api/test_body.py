import gzip
import json
import socket
import zlib
from collections.abc import Iterator

import httpx
import pytest
import zstandard

from tests.api.asserts import assert_problem
from tests.api.conftest import MAX_BODY_BYTES

BODY = json.dumps({"curves": {"loss": {"steps": list(range(500)), "values": [0.5] * 500}}}).encode()


def compressed(data: bytes) -> bytes:
    """Without the time of day, which would make a case's name depend on when it was collected."""
    return gzip.compress(data, mtime=0)


def zstd(data: bytes, **options: object) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)  # type: ignore[arg-type]


def zstd_stream(data: bytes) -> bytes:
    """As a streaming client sends it: the frame does not say how long its content is."""
    stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return stream.compress(data) + stream.flush()


def post(client: httpx.Client, run: str, body: bytes, encoding: str) -> httpx.Response:
    return client.post(f"{run}/points", content=body, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", BODY),
        ("gzip", compressed(BODY)),
        ("GZIP", compressed(BODY)),
        ("gzip", compressed(BODY[:100]) + compressed(BODY[100:])),
        ("zstd", zstd(BODY)),
        ("zstd", zstd_stream(BODY)),
        ("zstd", zstd(BODY[:100]) + zstd_stream(BODY[100:])),
    ],
)
def test_compressed_bodies_are_read(client: httpx.Client, run: str, encoding: str, body: bytes) -> None:
    assert post(client, run, body, encoding).json()["accepted"] == 500


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", compressed(BODY)[:-1]),
        ("gzip", compressed(BODY)[:20]),
        ("gzip", compressed(BODY) + b"garbage"),
        ("gzip", compressed(BODY)[:-8] + b"\0" * 8),
        ("gzip", BODY),
        ("gzip", zlib.compress(BODY)),
        ("zstd", zstd(BODY)[:-1]),
        ("zstd", zstd_stream(BODY)[:-3]),
        ("zstd", zstd(BODY)[:3]),
        ("zstd", zstd(BODY) + b"garbage"),
        ("zstd", BODY),
        ("gzip", b""),
        ("zstd", b""),
        ("gzip", compressed(b"")),
    ],
)
def test_torn_compression_is_an_unreadable_body(client: httpx.Client, run: str, encoding: str, body: bytes) -> None:
    assert_problem(post(client, run, body, encoding), 400, "unreadable-body")
    assert client.get(f"{run}/curves").json() == {"curves": {}}


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "x"])
def test_other_encodings_are_told_which_ones_are_read(client: httpx.Client, run: str, encoding: str) -> None:
    problem = assert_problem(post(client, run, BODY, encoding), 415, "unsupported-encoding")
    assert all(word in str(problem["detail"]) for word in (encoding, "gzip", "zstd", "identity"))


@pytest.mark.parametrize("kind", ["text/csv", "application/x-www-form-urlencoded", "application/xml", "json"])
def test_other_media_types_are_told_which_ones_are_read(client: httpx.Client, run: str, kind: str) -> None:
    for method, path in (("POST", f"{run}/points"), ("PUT", run), ("POST", "/api/v1/diagnose")):
        reply = client.request(method, path, content=BODY, headers={"Content-Type": kind})
        problem = assert_problem(reply, 415, "unsupported-encoding")
        assert "application/json" in str(problem["detail"])


def test_a_media_type_may_be_absent_or_have_parameters(client: httpx.Client, run: str) -> None:
    for headers in ({}, {"Content-Type": "Application/JSON; charset=utf-8"}):
        assert client.post(f"{run}/points", content=BODY, headers=headers).status_code == 200


def test_the_limit_counts_what_is_sent(client: httpx.Client, run: str) -> None:
    fits = BODY + b" " * (MAX_BODY_BYTES - len(BODY))
    assert post(client, run, fits, "identity").status_code == 200
    assert_problem(post(client, run, fits + b" ", "identity"), 413, "too-large")
    assert_problem(post(client, run, b"x" * (MAX_BODY_BYTES + 1), "gzip"), 413, "too-large")


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", compressed), ("zstd", zstd), ("zstd", zstd_stream)])
def test_the_limit_counts_what_comes_out(client: httpx.Client, run: str, encoding: str, compress: object) -> None:
    assert callable(compress)
    fits = BODY + b" " * (MAX_BODY_BYTES - len(BODY))
    assert post(client, run, compress(fits), encoding).status_code == 200
    assert_problem(post(client, run, compress(fits + b" "), encoding), 413, "too-large")
    bomb = compress(b"\0" * 100_000_000)
    assert len(bomb) < MAX_BODY_BYTES
    assert_problem(post(client, run, bomb, encoding), 413, "too-large")


def test_a_frame_that_asks_for_a_huge_window_is_refused(client: httpx.Client, run: str) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert_problem(post(client, run, stream.compress(BODY) + stream.flush(), "zstd"), 400, "unreadable-body")


def test_a_chunked_body_over_the_limit_is_stopped(client: httpx.Client, run: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    assert_problem(client.post(f"{run}/points", content=chunks()), 413, "too-large")
    assert client.get("/healthz").status_code == 200


def test_what_is_said_about_a_run_has_a_limit_of_its_own(client: httpx.Client, run: str) -> None:
    body = {"config": {"notes": "x" * MAX_BODY_BYTES}}
    assert_problem(client.put(run, json=body), 413, "too-large")


def _raw(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20)


def test_an_upload_that_breaks_off_stores_nothing_and_harms_nobody(client: httpx.Client, run: str) -> None:
    head = f"POST {run}/points HTTP/1.1\r\nHost: [::1]\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    for end in (0, 10, len(BODY) - 1):
        with _raw(client) as connection:
            connection.sendall(head + BODY[:end])
    assert client.get(f"{run}/curves").json() == {"curves": {}}
    assert post(client, run, BODY, "identity").json()["accepted"] == 500


def test_a_slow_upload_does_not_hold_up_the_others(client: httpx.Client, run: str) -> None:
    fields = f"Host: [::1]\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
    head = f"POST {run}/points HTTP/1.1\r\n{fields}".encode()
    with _raw(client) as connection:
        connection.sendall(head + BODY[:50])
        assert client.get("/healthz").status_code == 200
        assert post(client, run, BODY, "identity").status_code == 200
        connection.sendall(BODY[50:])
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert reply.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("length", [b"-1", b"abc", b"9" * 400])
def test_a_content_length_that_is_none_is_a_client_error(client: httpx.Client, run: str, length: bytes) -> None:
    with _raw(client) as connection:
        connection.sendall(f"POST {run}/points HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n".encode())
        connection.sendall(b"Content-Length: " + length + b"\r\n\r\n{}")
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert reply.startswith(b"HTTP/1.1 4")
