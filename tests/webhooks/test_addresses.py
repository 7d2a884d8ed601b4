"""No message reaches an address that only the server could reach, however it is written or looked up."""

import ipaddress
import socket
import time

import httpcore
import pytest

from app.webhooks.addresses import AddressRefused, Backend, is_public, literal, resolve
from app.webhooks.sending import send
from tests.webhooks.receiver import Receiver


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_what_anybody_can_reach_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_what_only_some_can_reach_is_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("ci.example", None),
    ],
)
def test_addresses_are_recognised_however_they_are_written(host: str, address: str | None) -> None:
    found = literal(host)
    assert (None if found is None else str(found)) == (None if address is None else str(ipaddress.ip_address(address)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433"])
def test_nothing_is_sent_to_a_loopback_address(host: str, receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    answer = send(url, {}, b"{}", timeout_s=5, allow_private=False)
    assert answer.status is None
    assert "private address" in (answer.error or "")
    assert receiver.received == []
    assert send(url, {}, b"{}", timeout_s=5, allow_private=True).status == 204


class Rebinding:
    """A name server under an attacker's hand: its first answer is a public address, every other a private one."""

    def __init__(self, port: int) -> None:
        self.asked = 0
        self._port = port
        self._ask = socket.getaddrinfo

    def __call__(self, host: str, *args: object, **named: object) -> list[object]:
        if host != "rebinding.example":
            return list(self._ask(host, *args, **named))  # type: ignore[arg-type]
        self.asked += 1
        address = "10.0.0.1" if self.asked > 1 else "1.1.1.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, self._port))]


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch) -> Rebinding:
    servers = Rebinding(80)
    monkeypatch.setattr(socket, "getaddrinfo", servers)
    return servers


def test_a_name_is_looked_up_once_and_connected_to_as_it_was_judged(
    rebinding: Rebinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = []

    def connect(_self: object, host: str, *_: object) -> None:
        dialled.append(host)
        raise httpcore.ConnectError("nobody is there")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    backend = Backend(allow_private=False, deadline=time.monotonic() + 5)
    with pytest.raises(httpcore.ConnectError):
        backend.connect_tcp("rebinding.example", 80)
    assert dialled == ["1.1.1.1"]
    assert rebinding.asked == 1
    with pytest.raises(AddressRefused):
        backend.connect_tcp("rebinding.example", 80)
    assert dialled == ["1.1.1.1"]


def test_of_several_addresses_only_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("10.0.0.1", "1.1.1.1", "1.1.1.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("mixed.example", 443, allow_private=False) == ["1.1.1.1"]
    assert resolve("mixed.example", 443, allow_private=True) == ["10.0.0.1", "1.1.1.1"]
