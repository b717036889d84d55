"""Connections: that they end at the address that was looked at, under the name that was meant, and nowhere else."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3.util import parse_url

from cds_service.addresses import Address, AddressError
from cds_service.ehr.connections import Transport, resolve
from cds_service.ehr.reach import ForbiddenAddressError, Reach
from tests.faults.server import Exchange, FaultyServer

_LOCAL = Reach(loopback=True)
_NAME = "ehr.example.org"


class Resolver:
    """A DNS server that answers differently each time, as for an attack by rebinding."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> tuple[str, ...]:
        self.asked.append(host)
        return tuple(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def _address(server: FaultyServer, host: str = _NAME) -> Address:
    return Address.parse(server.base.replace("127.0.0.1", host) + "/Patient/p1")


def _get(transport: Transport, address: Address, reach: Reach = _LOCAL) -> int:
    response = transport.get(reach, address, {"Accept": "application/fhir+json"}, 5)
    while response.raw.read1(1000, decode_content=False):
        pass
    response.close()
    return response.status_code


# --- where ------------------------------------------------------------------------------------------------------------


def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_the_one_connected_to() -> None:
    resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
    with FaultyServer() as server:
        assert _get(Transport(resolver), _address(server)) == 200
        assert resolver.asked == [_NAME]
        assert server.seen[0].headers["Host"] == f"{_NAME}:{server.port}"


def test_a_name_that_turns_to_a_forbidden_address_is_not_followed() -> None:
    def close(exchange: Exchange) -> None:
        exchange.answer(Connection="close")
        exchange.hang_up()

    resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
    transport = Transport(resolver)
    with FaultyServer(close) as server:
        assert _get(transport, _address(server)) == 200
        with pytest.raises(ForbiddenAddressError):
            _get(transport, _address(server))
        assert len(server.seen) == 1


def test_this_machine_is_not_called_for_a_tenant_that_is_elsewhere() -> None:
    with FaultyServer() as server:
        for reach in (Reach(), Reach(private=True)):
            with pytest.raises(ForbiddenAddressError):
                _get(Transport(Resolver(["127.0.0.1"])), _address(server), reach)
            with pytest.raises(ForbiddenAddressError):
                _get(Transport(), _address(server, "127.0.0.1"), reach)
        assert server.connections == 0


def test_a_connection_kept_open_for_one_tenant_is_no_way_out_for_another() -> None:
    transport = Transport(Resolver(["127.0.0.1"]))
    with FaultyServer() as server:
        assert _get(transport, _address(server)) == 200
        with pytest.raises(ForbiddenAddressError):
            _get(transport, _address(server), Reach(private=True))


def test_one_forbidden_address_among_several_forbids_them_all() -> None:
    with FaultyServer() as server:
        with pytest.raises(ForbiddenAddressError):
            _get(Transport(Resolver(["127.0.0.1", "10.0.0.1"])), _address(server))
        assert server.connections == 0


def test_the_next_address_is_tried_when_the_first_refuses() -> None:
    with FaultyServer() as server:
        assert _get(Transport(Resolver(["::1", "127.0.0.1"])), _address(server)) == 200


def test_a_name_that_is_not_known_is_not_reached() -> None:
    def unknown(_host: str, _port: int) -> tuple[str, ...]:
        raise socket.gaierror(-2, "Name or service not known")

    with FaultyServer() as server, pytest.raises(requests.ConnectionError):
        _get(Transport(unknown), _address(server))


def test_the_system_is_asked_for_names_and_knows_this_machine() -> None:
    assert "127.0.0.1" in resolve("localhost", 80)
    assert resolve("127.0.0.1", 80) == ("127.0.0.1",)


# --- what is compared is what is sent ----------------------------------------------------------------------------------

_IN_PATH = st.text("2eEfFabAZ09._~!$&'()*+,;=:@%-/", max_size=30)
_IN_QUERY = st.text("2eEfFabAZ09._~!$&'()*+,;=:@%/?|-", max_size=30)


class Recorder(HTTPAdapter):
    """An adapter that sends nothing."""

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        self.sent = parse_url(str(request.url)).url
        return requests.Response()


@given(path=_IN_PATH, query=_IN_QUERY)
@example(path="Condition", query="code=http://loinc.org|1-2&page=%7c%2F..%2f")
@example(path="a;b=c/@:!", query="?/../..//@evil.example")
@example(path="%41", query="")
@example(path="%%32e%%32e/admin", query="")
@example(path="%", query="")
def test_an_address_is_sent_as_it_was_compared_or_not_at_all(path: str, query: str) -> None:
    transport = Transport()
    recorder = Recorder()
    transport._adapters = dict.fromkeys(transport._adapters, recorder)
    try:
        address = Address.parse(f"https://ehr.example.org/R4/{path}?{query}")
        transport.get(_LOCAL, address, {}, 5)
    except (AddressError, ForbiddenAddressError):
        return
    sent = Address.parse(str(recorder.sent))
    assert (sent.origin, sent.segments) == (address.origin, address.segments)


def test_a_search_with_a_system_and_a_bar_is_sent() -> None:
    with FaultyServer() as server:
        address = Address.parse(f"{server.base}/Observation?patient=p1&code=http://loinc.org|1-2")
        assert _get(Transport(), address) == 200
        assert parse_qs(server.seen[0].target.partition("?")[2])["code"] == ["http://loinc.org|1-2"]


def test_a_dot_that_only_appears_when_it_is_sent_is_not_sent() -> None:
    with FaultyServer() as server:
        base = Address.parse(server.base)  # an address is not parsed like this, and is not sent either
        address = replace(base, segments=(*base.segments, "%%32e%%32e", "admin"))
        with pytest.raises(ForbiddenAddressError):
            _get(Transport(), address)
        assert server.connections == 0


# --- nothing of the environment, nothing remembered -------------------------------------------------------------------


def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n", "ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultyServer() as proxy, FaultyServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert _get(Transport(), _address(server, "127.0.0.1")) == 200
        assert proxy.connections == 0
        assert server.tokens == set()


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with FaultyServer() as other:

        def elsewhere(exchange: Exchange) -> None:
            exchange.answer(b"", 302, Location=f"{other.base}/Patient/p1")

        with FaultyServer(elsewhere) as server:
            assert _get(Transport(), _address(server, "127.0.0.1")) == 302
        assert other.connections == 0


def test_no_cookie_is_sent_back() -> None:
    def with_cookie(exchange: Exchange) -> None:
        exchange.answer(Set_Cookie="session=1; Path=/")

    transport = Transport()
    with FaultyServer(with_cookie) as server:
        for _ in range(2):
            _get(transport, _address(server, "127.0.0.1"))
        assert not any("Cookie" in request.headers for request in server.seen)


def test_a_connection_is_used_again() -> None:
    transport = Transport()
    with FaultyServer() as server:
        for _ in range(5):
            _get(transport, _address(server, "127.0.0.1"))
        assert server.connections == 1
        transport.close()


# --- under which name -------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of this test, and a server's certificate for one name."""

    def __init__(self, folder: Path, name: str) -> None:
        self.file = folder / "ca.pem"
        self._chain = folder / f"{name}.pem"
        self.names: list[str | None] = []
        key, ca = _certificate("Test CA", None, None)
        own_key, own = _certificate(name, key, ca)
        self.file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        private = own_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._chain.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))

    def wrap(self, line: socket.socket) -> socket.socket:
        """TLS on a listening socket; `names` are those that clients ask for (SNI)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        return context.wrap_socket(line, server_side=True, do_handshake_on_connect=False)


def _certificate(
    name: str, key_of_issuer: ec.EllipticCurvePrivateKey | None, issuer: x509.Certificate | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(key_of_issuer or key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), _NAME)


@pytest.fixture
def secure(authority: Authority) -> Iterator[FaultyServer]:
    authority.names.clear()
    with FaultyServer(tls=authority.wrap) as server:
        yield server


def test_tls_asks_for_the_name_and_believes_its_certificate(
    authority: Authority, secure: FaultyServer
) -> None:
    transport = Transport(Resolver(["127.0.0.1"]), authority.file)
    for _ in range(3):
        assert _get(transport, _address(secure)) == 200
    assert authority.names == [_NAME], "one connection, whose SNI is the name and not the address"
    assert secure.seen[0].headers["Host"] == f"{_NAME}:{secure.port}"


def test_tls_does_not_believe_a_certificate_for_another_name(
    authority: Authority, secure: FaultyServer
) -> None:
    transport = Transport(Resolver(["127.0.0.1"]), authority.file)
    for host in ("other.example.org", "127.0.0.1"):
        with pytest.raises(requests.exceptions.SSLError):
            _get(transport, _address(secure, host))
    assert secure.seen == []


def test_tls_does_not_believe_an_unknown_authority(secure: FaultyServer) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        _get(Transport(Resolver(["127.0.0.1"])), _address(secure))
    assert secure.seen == []


def test_a_server_that_never_greets_back_is_not_waited_for() -> None:
    transport = Transport(Resolver(["127.0.0.1"]))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address.parse(f"https://{_NAME}:{silent.getsockname()[1]}/fhir/Patient/p1")
        begun = time.monotonic()
        with pytest.raises(requests.Timeout):
            transport.get(_LOCAL, address, {}, 0.3)
        assert time.monotonic() - begun < 2


def test_a_server_that_speaks_no_tls_is_no_server() -> None:
    transport = Transport(Resolver(["127.0.0.1"]))
    with FaultyServer() as server:
        address = Address.parse(str(_address(server)).replace("http:", "https:"))
        with pytest.raises(requests.exceptions.SSLError):
            transport.get(_LOCAL, address, {}, 5)


def test_only_tls_of_today_is_spoken() -> None:
    transport = Transport(Resolver(["127.0.0.1"]))
    for adapter in transport._adapters.values():
        context = adapter._trust
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_a_byte_in_between_does_not_buy_more_time() -> None:
    def one_byte(exchange: Exchange) -> None:
        exchange.pause(0.9)
        exchange.send(b"H")
        exchange.pause(10)

    with FaultyServer(one_byte) as server:
        begun = time.monotonic()
        with pytest.raises(requests.Timeout):
            Transport().get(_LOCAL, _address(server, "127.0.0.1"), {}, 1.0)
        assert time.monotonic() - begun < 1.7
