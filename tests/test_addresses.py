"""Addresses are compared by their parts: what only looks like a tenant's server is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.addresses import Address, AddressError, parse_base

BASE = parse_base("https://ehr.example.org/fhir/R4")

# integration.md 3.3: those that a comparison of prefixes takes, and those that it turns away.
OUTSIDE = (
    "https://ehr.example.org/fhir/R4.evil.example/Patient/1",
    "https://ehr.example.org/fhir/R4evil",
    "https://ehr.example.org/fhir/R4/../../../admin",
    "https://ehr.example.org/fhir/R4/./../R5",
    r"https://ehr.example.org/fhir/R4\@evil.example.org",
    "https://ehr.example.org/fhir/R4%2f..%2fadmin",
    "https://ehr.example.org/fhir/R4/%2e%2e/admin",
    "https://ehr.example.org/fhir/R4/%252e%252e/admin",
    "https://ehr.example.org/fhir/R4#@evil.example.org",
    "https://ehr.example.org@evil.example.org/fhir/R4",
    "https://ehr.example.org:443@evil.example.org/fhir/R4",
    "https://ehr.example.org.evil.example.org/fhir/R4",
    "https://evil.example.org/https://ehr.example.org/fhir/R4",
    "https://ehr.example.org:8443/fhir/R4",
    "http://ehr.example.org/fhir/R4",
    "https://ehr.example.org/fhir/r4",
    "https://ehr.example.org/fhir",
    "https://ehr.example.org/",
    "https://169.254.169.254/fhir/R4",
    "https://[::1]/fhir/R4",
    "//ehr.example.org/fhir/R4",
    "/fhir/R4",
    "Patient/1",
    "",
)
INSIDE = (
    "https://ehr.example.org/fhir/R4",
    "https://ehr.example.org/fhir/R4/",
    "https://EHR.Example.ORG/fhir/R4/Patient/1",
    "HTTPS://ehr.example.org:443/fhir/R4/Patient/1",
    "https://ehr.example.org/fhir/R4?_getpages=a.b-c&x=1%7C2|3",
    "https://ehr.example.org/fhir/R4/Condition?patient=1",
)
UNREADABLE = (
    "ehr.example.org",
    "ftp://ehr.example.org/",
    "file:///etc/passwd",
    "javascript://ehr.example.org/%0aalert(1)",
    "https://",
    "https:///fhir",
    "https://user@ehr.example.org/",
    "https://user:password@ehr.example.org/",
    "https://ehr.example.org:0/",
    "https://ehr.example.org:65536/",
    "https://ehr.example.org:44a/",
    "https://-ehr.example.org/",
    "https://ehr..example.org/",
    "https://ehr.example.org./",
    "https://" + "a" * 64 + ".example.org/",
    "https://ehr.example.org//fhir",
    "https://ehr.example.org/fhir//R4",
    "https://ehr.example.org/./fhir",
    "https://ehr.example.org/fhir/..",
    "https://ehr.example.org/fhir/%00",
    "https://ehr.example.org/fhir/%5cadmin",
    "https://ehr.example.org/fhir/R4#x",
    "https://ehr.example.org/fhir/R 4",
    "https://ehr.example.org/fhir/R4\n",
    "https://ehr.example.org/fhir\t/R4",
    " https://ehr.example.org/fhir/R4",
    "https://ehr.example.org\x00.evil.example.org/",
    "https://ehr。example。org/",
    "https://еhr.example.org/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1/",
    "https://[ehr.example.org]/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
)


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_only_looks_like_the_base_is_outside_or_unreadable(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    assert not BASE.contains(address)


@pytest.mark.parametrize("text", INSIDE)
def test_the_same_place_written_otherwise_is_inside(text: str) -> None:
    assert BASE.contains(Address.parse(text))


@pytest.mark.parametrize("text", UNREADABLE, ids=ascii)
def test_what_two_programs_could_read_differently_is_no_address(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize("text", ["https://x[::1]/", "https://[::1]x/", "https://[v1.x]/"])
def test_brackets_hold_an_ipv6_address_and_nothing_stands_beside_them(text: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(text)


@pytest.mark.parametrize("text", ["https://ehr.example.org/fhir?x=1", "https://ehr.example.org/fhir?"])
def test_a_base_has_no_query(text: str) -> None:
    with pytest.raises(AddressError):
        parse_base(text)


@pytest.mark.parametrize(("length", "fine"), [(8000, True), (8001, False)])
def test_an_address_has_8000_characters_at_most(length: int, *, fine: bool) -> None:
    text = "https://ehr.example.org/".ljust(length, "a")
    if fine:
        assert str(Address.parse(text)) == text
    else:
        with pytest.raises(AddressError):
            Address.parse(text)


@pytest.mark.parametrize("port", [1, 442, 443, 444, 65535])
def test_a_port_goes_without_saying_where_it_is_that_of_the_scheme(port: int) -> None:
    address = Address.parse(f"https://ehr.example.org:{port}/")
    assert address.port == port
    assert str(address) == "https://ehr.example.org" + ("" if port == 443 else f":{port}")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("128.0.0.1", False),
        ("126.255.255.255", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  an address to be told from loopback
    ],
)
def test_loopback_is_known_by_how_it_is_written(host: str, *, expected: bool) -> None:
    assert Address.parse(f"http://{host}:8080/fhir").is_loopback == expected


_LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
_HOST = st.lists(_LABEL, min_size=1, max_size=4).map(".".join) | st.ip_addresses().map(
    lambda ip: f"[{ip}]" if ip.version == 6 else str(ip)
)
_SEGMENT = st.from_regex(r"[A-Za-z0-9_~$:@-][A-Za-z0-9._~$:@-]{0,8}", fullmatch=True)
_SCHEME = st.sampled_from(["https", "http"])
_PORT = st.none() | st.integers(1, 65535)


@given(
    _SCHEME,
    _HOST,
    _PORT,
    st.lists(_SEGMENT, max_size=4),
    st.sampled_from(["", "_count=5&code=a%7Cb", "x=/../?"]),
)
def test_an_address_that_is_written_and_read_again_is_the_same(
    scheme: str, host: str, port: int | None, segments: list[str], query: str
) -> None:
    text = f"{scheme}://{host}" + (f":{port}" if port else "") + "".join(f"/{part}" for part in segments)
    address = Address.parse(text + (f"?{query}" if query else ""))
    assert Address.parse(str(address)) == address
    assert address.segments == tuple(segments)
    assert address.contains(address)
    assert Address(address.scheme, address.host, address.port, ()).contains(address)


@given(_HOST, _HOST, st.lists(_SEGMENT, max_size=3), st.lists(_SEGMENT, max_size=4))
def test_a_base_contains_what_is_on_its_server_and_begins_with_its_segments(
    one: str, other: str, base: list[str], below: list[str]
) -> None:
    held = Address.parse("/".join((f"https://{one}", *base)))
    asked = Address.parse("/".join((f"https://{other}", *below)))
    is_inside = held.host == asked.host and below[: len(base)] == base
    assert held.contains(asked) == is_inside


@given(st.text(max_size=40) | st.text("htps:/.@#?%\\[]0123456789abcdef ", max_size=60))
def test_any_text_is_an_address_or_none(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://ehr.example.org/{text}"):
        try:
            address = Address.parse(candidate)
        except AddressError:
            continue
        assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["https://a.example/R4/%%32e%%32e/x", "https://a.example/%", "https://a.example/%2"]
)
def test_a_percent_sign_that_encodes_nothing_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(text)
