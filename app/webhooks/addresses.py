"""Which addresses a webhook may reach: a server must not be made to knock on doors that its users cannot reach.

The address is looked up once, judged, and connected to as it was judged: a name that means another address a moment
later (DNS rebinding) gains nothing. The certificate is still checked against the name.
"""

import ipaddress
import socket
import time
from collections.abc import Iterable, Sequence
from ssl import SSLContext
from typing import Any

import httpcore

from app.errors import CurvewiseError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address in the last 32 bits is what is reached


class AddressRefused(CurvewiseError):
    """The host is at no address that a webhook may reach."""


def is_public(address: _Address) -> bool:
    """Whether anybody on the internet could reach it too; what an IPv6 address stands for decides, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local:
            return False
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
            if inner is not None and not is_public(inner):
                return False
        if address.ipv4_mapped:
            return True
    return address.is_global and not (address.is_multicast or address.is_reserved)


def literal(host: str) -> _Address | None:
    """The address that a host of a URL is, None when it is a name."""
    try:
        # As the resolver reads it: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1 too.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        pass
    try:
        return ipaddress.IPv6Address(host.strip("[]"))
    except ValueError:
        return None


def resolve(host: str, port: int, *, allow_private: bool) -> Sequence[str]:
    """The addresses of the host that may be reached, in the resolver's order. Raises AddressRefused, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [one for one in addresses if allow_private or is_public(ipaddress.ip_address(one))]
    if not allowed:
        raise AddressRefused("the host is at a private address, which webhooks may reach where the operator allows it")
    return allowed


class Backend(httpcore.NetworkBackend):
    """Connects to addresses that were judged, and is done with everything by `deadline` [monotonic s]."""

    def __init__(self, *, allow_private: bool, deadline: float) -> None:
        self._allow_private = allow_private
        self._deadline = deadline

    def connect_tcp(  # noqa: D102
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - what is left until the deadline
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = resolve(host, port, allow_private=self._allow_private)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host cannot be found: {error}") from error
        failed: Exception | None = None
        for address in addresses:
            try:
                left = _left(self._deadline, httpcore.ConnectTimeout)
                stream = httpcore.SyncBackend().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Timed(stream, self._deadline)
        raise failed or httpcore.ConnectError("the host has no address")


class _Timed(httpcore.NetworkStream):
    """A stream on which everything together takes until the deadline: a byte now and then does not prolong it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, too_late: type[Exception]) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise too_late("the receiver took too long")
    return left
