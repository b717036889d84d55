"""Which IP addresses a call of ours may end at: a name says nothing about the machine that answers to it.

Names are chosen by whoever runs a DNS zone, so what counts is the address that a name resolves to (integration.md 3.3).
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this network": Linux connects 0.0.0.0 to itself
        "100.64.0.0/10",  # carrier-grade NAT; a cloud keeps its metadata in it (100.100.100.200)
        "168.63.129.16/32",  # metadata of a cloud, at an address that counts as public
        "169.254.0.0/16",  # link-local: the metadata of most clouds (169.254.169.254)
        "192.0.0.0/24",  # protocol assignments, and the metadata of a cloud (192.0.0.192)
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "fd00:ec2::/32",  # metadata of a cloud, among private addresses (fd00:ec2::254)
        "fd20:ce::/32",  # the same of another (fd20:ce::254)
    )
)
# IPv6 is allowed rather than forbidden: what is not handed out for the Internet or private is nobody's EHR. That alone
# leaves out ::, IPv4-mapped and IPv4-compatible addresses, NAT64 (64:ff9b::/96), fe80::/10, fec0::/10 and ff00::/8.
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")
_NEVER_V6: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo (2001::/32) hides an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 hides an IPv4 address
        "3fff::/20",  # documentation
    )
)
_PRIVATE: Final = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


class ForbiddenAddressError(Exception):
    """A name resolves to an address that must not be connected to. The text holds neither."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where calls may end besides the Internet."""

    private: bool = False  # the hospital's own network
    loopback: bool = False  # this machine: tests and demonstrations

    def allows(self, address: IPAddress) -> bool:
        """Whether an address may be connected to."""
        if address.is_loopback and not _is_mapped(address):
            return self.loopback
        if _within(address, _NEVER):
            return False
        if _within(address, _PRIVATE):
            return self.private
        if isinstance(address, ipaddress.IPv6Address):
            return address in _PUBLIC_V6 and not _within(address, _NEVER_V6)
        return address.is_global

    def checked(self, answers: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses that a name resolved to, if all of them are allowed. Raises ForbiddenAddressError.

        One forbidden address among good ones is no accident either: whoever answers so waits for the second try.
        """
        addresses = [ipaddress.ip_address(answer) for answer in answers]
        if not addresses or not all(map(self.allows, addresses)):
            raise ForbiddenAddressError("the name resolves to an address that is not allowed")
        return tuple(str(address) for address in addresses)


def _is_mapped(address: IPAddress) -> bool:
    """Whether it is an IPv4 address in the clothes of IPv6; newer Pythons call ::ffff:127.0.0.1 a loopback."""
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None


def _within(address: IPAddress, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
