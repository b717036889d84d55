"""Connections to other servers that cannot be led astray: each ends at an address that was looked at, in time.

`requests` prepares and sends, but without its Session: there are no redirects, cookies, .netrc or proxies of the
environment to be switched off, because nothing here knows of them (integration.md 3.3).
"""

import http.client
import io
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Protocol

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

from cds_service.addresses import Address, AddressError
from cds_service.ehr.reach import ForbiddenAddressError, Reach

Resolve = Callable[[str, int], tuple[str, ...]]
"""Host and port to the IP addresses they stand for. Raises OSError."""

_SERVERS: Final = 100  # whose connections are kept open between calls
_KEPT_OPEN: Final = 32  # connections of each

# These write addresses with their query, and so a patient's id, into the log; of a malformed header already at
# "warning". A filter, because a level that is set here may be set again elsewhere.
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda _: False)


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Ask the system. It may take longer than any deadline, so nobody waits for it but the thread that asks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


# --- time -------------------------------------------------------------------------------------------------------------


class _TimedStream(io.RawIOBase):
    """What a server sends, until a moment: a socket's own timeout starts anew with each byte that drips in."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._raw = line.makefile("rb", buffering=0)
        self._until = time.monotonic() + (line.gettimeout() or 0.0)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Wait for bytes, but not beyond the moment. Raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._line.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket too."""
        self._raw.close()
        super().close()


class _TimedLine:
    """A socket as far as an HTTP response needs one."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What is read of it."""
        return io.BufferedReader(_TimedStream(self._line))


class _TimedResponse(http.client.HTTPResponse):
    """A response whose status, headers, chunks and trailers all come within the time that the request was given."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(_TimedLine(sock), *arguments, **named)  # type: ignore[arg-type]  # it only makes a file of it


# --- place ------------------------------------------------------------------------------------------------------------


class _Dial(Protocol):
    def __call__(self, connection: HTTPConnection) -> socket.socket: ...


def _dial(reach: Reach, ask: Resolve, connection: HTTPConnection) -> socket.socket:
    """Resolve a name once, look at every address, and connect to one of exactly these.

    A second look-up, as a library makes on its own, could get another answer (DNS rebinding). The connection keeps the
    name for the Host header, SNI and the certificate.
    """
    until = time.monotonic() + float(connection.timeout or 0.0)
    addresses = reach.checked(_answers(ask, connection))
    for number, address in enumerate(addresses):
        share = (until - time.monotonic()) / (
            len(addresses) - number
        )  # one that does not answer leaves some to the next
        if share <= 0:
            break
        try:
            return create_connection(
                (address, connection.port), share, socket_options=connection.socket_options
            )
        except OSError:
            continue
    if time.monotonic() >= until:
        raise ConnectTimeoutError(connection, "the server does not answer")
    raise NewConnectionError(connection, "the server cannot be reached")


def _answers(ask: Resolve, connection: HTTPConnection) -> tuple[str, ...]:
    try:
        return ask(connection.host, connection.port)
    except OSError:
        raise NewConnectionError(connection, "the name cannot be resolved") from None


class _Pinned(HTTPConnection):
    """A connection that dials through `dial`."""

    response_class = _TimedResponse

    def __init__(self, *arguments: Any, dial: _Dial, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self)


class _PinnedSecure(_Pinned, HTTPSConnection):
    """The same over TLS, which urllib3 begins on the socket that it is given."""


def _pool(
    pool: type[HTTPConnectionPool], connection: type[_Pinned], dial: _Dial, *arguments: Any, **named: Any
) -> HTTPConnectionPool:
    made = pool(*arguments, **named)
    made.ConnectionCls = partial(connection, dial=dial)  # type: ignore[assignment]  # it is only called
    return made


class _Adapter(HTTPAdapter):
    """The transport of `requests`, on pinned connections."""

    def __init__(self, reach: Reach, ask: Resolve, trust: ssl.SSLContext) -> None:
        self._dial = partial(_dial, reach, ask)
        self._trust = trust
        super().__init__(pool_connections=_SERVERS, pool_maxsize=_KEPT_OPEN, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools, which make the connections."""
        super().init_poolmanager(*arguments, **named)
        pools: dict[str, Any] = {  # typed as classes, though they are only called
            "http": partial(_pool, HTTPConnectionPool, _Pinned, self._dial),
            "https": partial(_pool, HTTPSConnectionPool, _PinnedSecure, self._dial),
        }
        self.poolmanager.pool_classes_by_scheme = pools

    def build_connection_pool_key_attributes(
        self, *arguments: Any, **named: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give every pool the one TLS context: reading the authorities anew takes longer than a handshake."""
        host, security = super().build_connection_pool_key_attributes(*arguments, **named)
        return host, security | {"ssl_context": self._trust}

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The context verifies already; `requests` would load its authorities into it for each connection."""


def _ensure_unchanged(sent: str, address: Address) -> None:
    """Refuse an address that `requests` tidies into another: it makes `%2e`, a dot, of `%%32e`, which hides none."""
    try:
        parsed = Address.parse(sent)
    except AddressError:
        raise ForbiddenAddressError("the address would be sent as one that is not used") from None
    if (parsed.origin, parsed.segments) != (address.origin, address.segments):
        raise ForbiddenAddressError("the address would be sent as another")


@cache
def _trust(authorities: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, with certificate and name verified."""
    context = ssl.create_default_context(cafile=authorities or DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Transport:
    """Sends requests to where they may go, and keeps connections open between them. Thread-safe."""

    def __init__(self, ask: Resolve = resolve, authorities: Path | None = None) -> None:
        """`authorities` is a PEM file of the certificate authorities to believe, for those that `requests` brings."""
        reaches = (Reach(private, loopback) for private in (False, True) for loopback in (False, True))
        self._adapters = {reach: _Adapter(reach, ask, _trust(authorities)) for reach in reaches}

    def get(
        self, reach: Reach, address: Address, headers: Mapping[str, str], timeout: float
    ) -> requests.Response:
        """Ask for a resource; its body is still to be read from `raw`. All of it has `timeout` seconds.

        Raises ForbiddenAddressError, and what `requests` raises. A redirect is an answer like any other.
        """
        return self._send(reach, address, requests.Request("GET", headers=dict(headers)), timeout)

    def post(
        self, reach: Reach, address: Address, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> requests.Response:
        """Send something, on the same terms. It is sent once: whoever does not hear of it may not send it again."""
        return self._send(reach, address, requests.Request("POST", headers=dict(headers), data=body), timeout)

    def _send(
        self, reach: Reach, address: Address, asked: requests.Request, timeout: float
    ) -> requests.Response:
        asked.url = str(address)
        request = asked.prepare()
        _ensure_unchanged(request.url or "", address)
        whole: Any = Timeout(total=timeout)  # `requests` takes it, though its types leave it out
        return self._adapters[reach].send(request, stream=True, timeout=whole)

    def close(self) -> None:
        """Close the connections that wait."""
        for adapter in self._adapters.values():
            adapter.close()
