"""One attempt: bounded in time and in what is read, whatever the receiver does; signed so that others can verify it."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from app.webhooks import sending
from app.webhooks.sending import Answer, retry_after_s, send, signed
from tests.webhooks.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def read_request(connection: socket.socket) -> None:
    """All of what `post` sends: a connection that is closed with something unread takes the answer with it."""
    read = b""
    while not read.endswith(b"\r\n\r\n{}") and (more := connection.recv(65536)):
        read += more


@contextmanager
def speaking(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with one connection what no HTTP server should; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                read_request(connection)
                with suppress(OSError):  # the other side has hung up, as it should
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(timeout=10)
        assert not thread.is_alive()


def post(url: str, timeout_s: float = 20.0) -> Answer:
    return send(url, {"content-type": "application/json"}, b"{}", timeout_s=timeout_s, allow_private=True)


def test_the_library_verifies_what_a_receiver_gets(receiver: Receiver) -> None:
    body, now = '{"type":"ping"}', datetime.now(UTC)
    answer = send(receiver.url, signed(SECRET, "msg_1", body, now), body.encode(), timeout_s=5, allow_private=True)
    assert answer == Answer(204, None)
    [got] = receiver.received
    assert Verifier(SECRET).verify(got.body, dict(got.headers)) == {"type": "ping"}
    assert got.headers["content-type"] == "application/json"
    assert abs(int(got.headers["webhook-timestamp"]) - now.timestamp()) <= 1
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(got.body + b" ", dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + "A" * 32).verify(got.body, dict(got.headers))


def test_a_moment_in_another_zone_is_signed_as_the_moment_it_is() -> None:
    elsewhere = NOW.astimezone(datetime.fromisoformat("2026-01-31T09:00:00+05:30").tzinfo)
    assert signed(SECRET, "msg_1", "{}", elsewhere) == signed(SECRET, "msg_1", "{}", NOW)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_what_is_not_2xx_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"Retry-After": "7"})]
    assert post(receiver.url) == Answer(status, f"answered {status}", 7.0)


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": receiver.url})]
    answer = post(receiver.url)
    assert answer.status == 307
    assert "not followed" in (answer.error or "")
    assert len(receiver.received) == 1


def test_nobody_there_is_a_failure_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/")
    assert answer.status is None
    assert "cannot be reached" in (answer.error or "")
    assert "cannot be reached" in (post("http://no-such-host.invalid/").error or "")


def test_a_receiver_that_answers_byte_by_byte_is_given_no_more_time_than_one_that_does_not() -> None:
    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with speaking(drip) as url:
        begun = time.monotonic()
        answer = post(url, timeout_s=0.5)
        assert time.monotonic() - begun < 2
    assert answer.status is None
    assert "too long" in (answer.error or "")


def test_a_body_without_end_is_not_read() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    with speaking(pour) as url:
        begun = time.monotonic()
        assert post(url) == Answer(200, None)
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("said", [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000])
def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    with speaking(lambda connection: connection.sendall(said)) as url:
        answer = post(url)
    assert answer.status is None
    assert answer.error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("120", 120),
        (" 5 ", 5),
        ("-5", 0),
        ("1e3", 0),
        ("soon", 0),
        ("99999999999999999999", 86400),
        ("²", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 86400),
        ("Sat, 31 Jan 2026 09:01:00 -0000", 60),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_at_most_a_day(header: str, seconds: float) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make a certificate with")
def test_a_certificate_is_checked_against_the_name_though_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(listening: socket.socket) -> None:
        for _ in range(3):
            connection, _ = listening.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    read_request(secured)
                    secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                pass  # the other side does not trust this one

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sending._trust.cache_clear()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=serve, args=(listening,), daemon=True)
            thread.start()
            port = listening.getsockname()[1]
            assert post(f"https://localhost:{port}/") == Answer(204, None)
            assert "certificate verify failed" in (post(f"https://127.0.0.1:{port}/").error or "")
            monkeypatch.delenv("SSL_CERT_FILE")
            sending._trust.cache_clear()
            assert "certificate verify failed" in (post(f"https://localhost:{port}/").error or "")
            thread.join(timeout=10)
    finally:
        sending._trust.cache_clear()
