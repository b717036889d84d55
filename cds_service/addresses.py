"""Addresses of other servers, compared by their parsed parts: a prefix says nothing about where a request goes.

`https://ehr.example.org/R4` is a prefix of `https://ehr.example.org/R4/../admin` and of
`https://ehr.example.org/R4.evil.example`; such comparisons have leaked bearer tokens (integration.md 3.3).
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}
_HIGHEST_PORT = 65535
_LONGEST = 8000
# RFC 3986, and the `|` that FHIR servers leave unescaped in the query of a `next` link
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]*)?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(\?(?P<query>[A-Za-z0-9._~!$&'()*+,;=:@%/?|-]*))?"
)
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
# an encoded dot, slash, backslash, percent sign or NUL
_HIDDEN = re.compile(r"%(2e|2f|5c|25|00)", re.IGNORECASE)
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")  # which programs escape, or let stand, as they like


class AddressError(ValueError):
    """An address that this service does not use; the text says why and never repeats the address."""


@dataclass(frozen=True, slots=True)
class Address:
    """An absolute http or https URL in parts; equal parts are the same place."""

    scheme: str
    host: str  # lower case; an IPv6 address without its brackets
    port: int
    segments: tuple[str, ...]
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take an address apart. Raises AddressError for one that two programs could read differently."""
        match = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise AddressError(
                "it is not an absolute http or https address without user, fragment or odd characters"
            )
        scheme = match["scheme"].lower()
        if scheme not in _PORTS:
            raise AddressError("it is neither http nor https")
        host, port = _host_and_port(text, _PORTS[scheme])
        return cls(scheme, host, port, _segments(match["path"] or ""), match["query"] or "")

    def contains(self, other: "Address") -> bool:
        """Whether `other` is this base or stands below it on the same server."""
        return self.origin == other.origin and other.segments[: len(self.segments)] == self.segments

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def is_loopback(self) -> bool:
        """Whether the host is written as this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        """The address as it is called: without a trailing slash and without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return "".join(
            (f"{self.scheme}://{host}{port}", *(f"/{segment}" for segment in self.segments), query)
        )


def parse_base(text: str) -> Address:
    """The base address of a server: nothing may follow its path. Raises AddressError."""
    if "?" in text:
        raise AddressError("a base address has no query")
    return Address.parse(text)


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise AddressError("its host or port cannot be read") from None
    if not _is_host(host):
        raise AddressError("its host cannot be read")
    if port is None:
        return host, default
    if not 0 < port <= _HIGHEST_PORT:
        raise AddressError("its port cannot be read")
    return host, port


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # A name whose last label is a number is an IPv4 address in disguise ("0177.1", "2130706433").
        return bool(_HOST.fullmatch(host)) and not re.fullmatch(
            r"(0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2]
        )
    return True


def _segments(path: str) -> tuple[str, ...]:
    if _HIDDEN.search(path) or _STRAY.search(path):
        raise AddressError("its path hides a dot, a slash or a percent sign")
    segments = tuple(path.removeprefix("/").removesuffix("/").split("/")) if path.strip("/") else ()
    if any(segment in ("", ".", "..") for segment in segments) or (path.strip("/") == "" and len(path) > 1):
        raise AddressError("its path has an empty or a dot segment")
    return segments
