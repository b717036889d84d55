"""Where a connection may end: every kind of address, at the edges of its network."""

import pytest

from cds_service.ehr.reach import ForbiddenAddressError, Reach


def _listed(text: str) -> list[str]:
    return text.split()


_NEVER = _listed("""
0.0.0.0 0.255.255.255 100.64.0.0 100.127.255.255 100.100.100.200 168.63.129.16 169.254.0.0 169.254.169.254
169.254.255.255 192.0.0.0 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.7
224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255
:: fe80:: fe80::1%eth0 febf::1 fec0::1 ff00:: ff02::1 fd00:ec2::254 fd20:ce::254
64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::1 ::ffff:169.254.169.254 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:8.8.8.8 ::127.0.0.1 ::8.8.8.8 ::2 2002:a9fe:a9fe::1 2002:7f00:1::1 2001::1 2001:db8::1 3fff::1 100::1
4000::1 1fff::1
""")
_PUBLIC = _listed("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
168.63.129.15 168.63.129.17 2606:4700::1111 2a00:1450::1 2001:db7:ffff::1 2001:db9::1 2003::1 3ffe:ffff::1
""")
_PRIVATE = _listed("""
10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 fc00::1 fd12:3456::1 fdff::1
""")
_LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.255.255.255", "::1")
_EVERYWHERE = Reach(private=True, loopback=True)


@pytest.mark.parametrize("address", _NEVER)
def test_metadata_disguises_and_what_is_nobodys_server_are_never_reached(address: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        _EVERYWHERE.checked((address,))


@pytest.mark.parametrize("address", _PUBLIC)
def test_the_internet_is_reached_right_up_to_the_edges(address: str) -> None:
    assert Reach().checked((address,)) == (address,)


@pytest.mark.parametrize("address", _PRIVATE)
def test_private_addresses_are_reached_only_where_the_tenant_says_so(address: str) -> None:
    assert Reach(private=True).checked((address,)) == (address,)
    with pytest.raises(ForbiddenAddressError):
        Reach(loopback=True).checked((address,))


@pytest.mark.parametrize("address", _LOOPBACK)
def test_this_machine_is_reached_only_where_the_tenant_says_so(address: str) -> None:
    assert Reach(loopback=True).checked((address,)) == (address,)
    with pytest.raises(ForbiddenAddressError):
        Reach(private=True).checked((address,))


def test_one_forbidden_address_forbids_the_name() -> None:
    with pytest.raises(ForbiddenAddressError):
        Reach().checked(("8.8.8.8", "169.254.169.254"))


def test_a_name_without_addresses_is_not_reached() -> None:
    with pytest.raises(ForbiddenAddressError):
        _EVERYWHERE.checked(())


def test_the_error_does_not_tell_the_address() -> None:
    with pytest.raises(ForbiddenAddressError) as caught:
        Reach().checked(("10.1.2.3",))
    assert "10." not in str(caught.value)
