"""Who may call, over the wire: 401 before anything is read, on every endpoint (cds-hooks.md 5 and 10).

What each forged token is refused for is proved in tests/security; here, that the lock is on every door.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.errors import SettingsError
from cds_service.hooks.services import SERVICES
from cds_service.settings import Settings
from cds_service.tenants import open_tenants
from tests.conformance.hospital import (
    DISCOVERY,
    KEYS,
    Hospital,
    asking,
    bearer,
    call_of,
    every_path,
    path_of,
)
from tests.faults.server import FaultyServer
from tests.hooks.calls import client
from tests.security.callers import (
    ABSENT,
    BASE,
    NOW,
    claims,
    compact,
    elliptic,
    encoded,
    header,
    jwk,
    key_server,
    key_set,
    pem,
)
from tests.security.test_tokens import SPECIFIED_TOKEN

EACH_PATH = pytest.mark.parametrize("path", every_path())


def said(hospital: Hospital, path: str, authorization: str | None) -> TestResponse:
    """What is answered to a call that would be fine with a good token."""
    headers = {} if authorization is None else {"Authorization": authorization}
    if path == DISCOVERY:
        return hospital.client.get(path, headers=headers)
    return hospital.client.post(path, json=content(path), headers=headers)


def content(path: str) -> Any:
    """A body that an endpoint takes."""
    entry = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z"}
    taken = {path_of(service): call_of(service) for service in SERVICES}
    return taken.get(path, {"feedback": [entry]})


def forged(path: str, head: Mapping[str, Any] | None = None, key: Any = None, **changed: Any) -> str:
    """A header with a token for that path, honest but for what is given."""
    made = header(**({"kid": "ES384"} | dict(head or {})))
    found = claims(**({"aud": BASE + path, "jti": str(uuid4())} | changed))
    algorithm = made.get("alg")
    signed = compact(made, found, key or KEYS["ES384"], algorithm if algorithm in KEYS else "ES384")
    return f"Bearer {signed}"


def assert_refused(response: TestResponse) -> None:
    assert response.status_code == 401
    assert response.data == b""
    assert response.headers["WWW-Authenticate"] == "Bearer"


@EACH_PATH
def test_with_a_good_token_every_endpoint_answers(hospital: Hospital, path: str) -> None:
    for algorithm in KEYS:
        assert said(hospital, path, bearer(path, algorithm)).status_code == 200


# --- 41: the lock ------------------------------------------------------------------------------------------------------

GARBAGE = (
    *(None, "", "Bearer", "Bearer ", "Basic bWU6bWU=", "Token a.b.c", "Bearer x", "Bearer a.b.c"),
    *("Bearer " + "x" * 20_000, "Bearer null", "Bearer ..", "Bearer \u00e9.\u00e9.\u00e9"),
)


@EACH_PATH
@pytest.mark.parametrize("authorization", GARBAGE, ids=lambda text: repr(text)[:20])
def test_item_41_nobody_gets_in_without_a_token(
    hospital: Hospital, path: str, authorization: str | None
) -> None:
    assert_refused(said(hospital, path, authorization))


@pytest.mark.parametrize("path", [f"{DISCOVERY}/unknown", f"{DISCOVERY}/unknown/feedback"])
def test_item_41_nor_learns_which_services_there_are(hospital: Hospital, path: str) -> None:
    assert_refused(hospital.client.post(path, data=b"{", content_type="text/plain"))


@EACH_PATH
def test_item_41_options_stays_open(hospital: Hospital, path: str) -> None:
    assert hospital.client.options(path).status_code == 204


def test_item_41_discovery_alone_may_be_opened(tmp_path: Path) -> None:
    with Hospital(tmp_path, {"open_discovery": True}) as hospital:
        assert hospital.client.get(DISCOVERY).status_code == 200
        for path in every_path()[1:]:
            assert_refused(said(hospital, path, None))


def test_item_41_without_a_tenant_nothing_starts_but_by_an_open_door_that_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="milan-net serve --open"):
        create_app(Settings())
    assert client().get(DISCOVERY).status_code == 200
    with pytest.raises(ValueError, match="loopback"):
        open_tenants("https://ehr.example.org/R4")


# --- 42 to 49: the token -----------------------------------------------------------------------------------------------


@EACH_PATH
@pytest.mark.parametrize(
    "head",
    [
        *(
            {"alg": name}
            for name in ("none", "None", "NONE", "HS256", "HS384", "HS512", "PS512", "x", 5, ABSENT)
        ),
        *({"alg": name} for name in ("RS384", "ES256", "RS256")),  # not the key's
        *({"typ": name} for name in ("jwt", "JWE", "", None, ABSENT)),
        *({"kid": name} for name in ("other", "", None, 5, ABSENT)),
    ],
    ids=str,
)
def test_item_42_a_wrong_header_is_refused(hospital: Hospital, path: str, head: Any) -> None:
    key = KEYS["RS384"] if head.get("alg") == "RS384" else None
    assert_refused(said(hospital, path, forged(path, head, key)))


@EACH_PATH
def test_item_42_a_public_key_is_no_secret_to_sign_with(hospital: Hospital, path: str) -> None:
    for name, key in KEYS.items():
        for secret in (pem(key), json.dumps(jwk(key)).encode()):
            token = compact(header(alg="HS384", kid=name), claims(aud=BASE + path), secret, "HS384")
            assert_refused(said(hospital, path, f"Bearer {token}"))


@EACH_PATH
def test_item_42_an_unsigned_token_is_refused(hospital: Hospital, path: str) -> None:
    parts = (encoded(json.dumps(part).encode()) for part in (header(alg="none"), claims(aud=BASE + path)))
    assert_refused(said(hospital, path, f"Bearer {'.'.join(parts)}."))


def test_item_42_a_key_for_another_use_is_no_key(tmp_path: Path) -> None:
    with Hospital(tmp_path, keys=key_set(jwk(elliptic(), kid="ES384", use="enc"))) as hospital:
        assert_refused(said(hospital, DISCOVERY, bearer(DISCOVERY)))


@EACH_PATH
def test_item_43_the_signature_of_another_is_refused(hospital: Hospital, path: str) -> None:
    assert_refused(said(hospital, path, forged(path, key=elliptic(name="mallory"))))
    good = bearer(path)
    flipped = good[:-8] + ("A" if good[-8] != "A" else "B") + good[-7:]
    assert_refused(said(hospital, path, flipped))


@EACH_PATH
@pytest.mark.parametrize(
    "issuer", ["https://mallory.example", "https://ehr.example.org/", "", None, 5, ABSENT]
)
def test_item_43_an_issuer_that_is_not_listed_is_refused(hospital: Hospital, path: str, issuer: Any) -> None:
    assert_refused(said(hospital, path, forged(path, iss=issuer)))


@EACH_PATH
def test_item_43_keys_that_a_token_brings_or_points_to_are_not_used(tmp_path: Path, path: str) -> None:
    mallory = elliptic(name="mallory")
    with key_server() as server, Hospital(tmp_path) as hospital:
        server.body = key_set(jwk(mallory, kid="ES384"))
        assert_refused(said(hospital, path, forged(path, {"jku": server.url}, mallory)))
        assert_refused(said(hospital, path, forged(path, {"jwk": jwk(mallory)}, mallory)))
        assert_refused(said(hospital, path, forged(path, {"x5u": server.url}, mallory)))
        assert server.asked == []


def test_item_43_a_key_set_is_kept_and_asked_for_again_by_an_unknown_key_but_not_often(
    tmp_path: Path,
) -> None:
    with key_server() as server:
        server.body = key_set(jwk(KEYS["ES384"], kid="ES384"))
        remote = {"jwks_url": server.url, "jwks_file": None}
        with Hospital(tmp_path, trusting=remote, allow_loopback=True) as hospital:
            for _ in range(5):
                assert said(hospital, DISCOVERY, bearer(DISCOVERY)).status_code == 200
            assert len(server.asked) == 1
            for number in range(20):
                assert_refused(said(hospital, DISCOVERY, forged(DISCOVERY, {"kid": f"made-up-{number}"})))
            assert len(server.asked) <= 2


@EACH_PATH
def test_item_44_a_token_opens_the_endpoint_that_it_names_and_no_other(hospital: Hospital, path: str) -> None:
    for other in every_path():
        token = bearer(path, aud=BASE + other)
        assert (said(hospital, path, token).status_code == 200) is (other == path)


@EACH_PATH
@pytest.mark.parametrize("as_list", [False, True], ids=["string", "array"])
def test_item_44_the_audience_is_a_string_or_an_array(hospital: Hospital, path: str, as_list: bool) -> None:
    named: Any = ["https://x.example", BASE + path] if as_list else BASE + path
    assert said(hospital, path, bearer(path, aud=named)).status_code == 200


@EACH_PATH
@pytest.mark.parametrize(
    "audience", [ABSENT, None, "", [], 5, BASE, "https://mallory.example", [BASE], {"x": BASE}], ids=str
)
def test_item_44_any_other_audience_is_refused(hospital: Hospital, path: str, audience: Any) -> None:
    assert_refused(said(hospital, path, forged(path, aud=audience)))


def test_item_44_the_address_in_front_of_a_proxy_is_configured_and_that_of_a_call_counts_nothing(
    tmp_path: Path,
) -> None:
    with Hospital(tmp_path, trusting={"audiences": ("https://front.example.org/net",)}) as hospital:
        token = bearer(DISCOVERY, aud=f"https://front.example.org/net{DISCOVERY}")
        headers = {"Authorization": token, "Host": "other.example", "X-Forwarded-Host": "other.example"}
        assert hospital.client.get(DISCOVERY, headers=headers).status_code == 200
        forged_host = {"Authorization": bearer(DISCOVERY), "Host": "cds.example.org"}
        assert_refused(hospital.client.get(DISCOVERY, headers=forged_host))


@EACH_PATH
@pytest.mark.parametrize(
    "changed",
    [
        {"exp": ABSENT},
        {"exp": NOW - 60},
        {"exp": str(int(NOW) + 300)},
        {"exp": None},
        {"iat": ABSENT},
        {"iat": NOW + 61},
        {"iat": "now"},
        {"exp": NOW + 3601},  # lives longer than an hour
    ],
    ids=str,
)
def test_item_45_times_are_required_and_bounded(hospital: Hospital, path: str, changed: Any) -> None:
    assert_refused(said(hospital, path, forged(path, **changed)))


@pytest.mark.parametrize(
    "changed", [{"exp": NOW - 59, "iat": NOW - 300}, {"iat": NOW + 60}, {"exp": NOW + 3600}]
)
def test_item_45_clocks_may_differ_by_a_minute(hospital: Hospital, changed: Any) -> None:
    assert said(hospital, DISCOVERY, bearer(DISCOVERY, **changed)).status_code == 200


@EACH_PATH
@pytest.mark.parametrize("token_id", [ABSENT, None, "", 5, "x" * 256], ids=lambda value: str(value)[:20])
def test_item_46_an_id_is_required(hospital: Hospital, path: str, token_id: Any) -> None:
    assert_refused(said(hospital, path, forged(path, jti=token_id)))


@EACH_PATH
def test_item_46_a_token_works_once(hospital: Hospital, path: str) -> None:
    token = bearer(path)
    assert said(hospital, path, token).status_code == 200
    assert_refused(said(hospital, path, token))


def test_item_46_also_in_another_process_that_shares_the_database(tmp_path: Path) -> None:
    token = bearer(DISCOVERY)
    with Hospital(tmp_path) as one, Hospital(tmp_path) as other:
        assert said(one, DISCOVERY, token).status_code == 200
        assert_refused(said(other, DISCOVERY, token))


@EACH_PATH
def test_item_47_the_tenant_claim_is_held_against_the_configuration(tmp_path: Path, path: str) -> None:
    with Hospital(tmp_path, trusting={"tenant": "clinic-7"}) as hospital:
        assert said(hospital, path, bearer(path, tenant="clinic-7")).status_code == 200
        for other in (ABSENT, "clinic-8", "", None, 7):
            assert_refused(said(hospital, path, forged(path, tenant=other)))


def test_item_48_neither_token_is_logged(
    hospital: Hospital, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = {"access_token": "canary-access-4711", "token_type": "Bearer", "expires_in": 300}
    good, bad = bearer(DISCOVERY), forged(DISCOVERY, exp=NOW - 900)
    with caplog.at_level(logging.DEBUG), FaultyServer() as server:
        said(hospital, DISCOVERY, good)
        said(hospital, DISCOVERY, bad)
        with Hospital(tmp_path, **asking(server)) as other:
            for service in SERVICES:
                body = call_of(service, ..., fhirServer=server.base, fhirAuthorization=access)
                other.ask(service, body)
            assert server.tokens == {"Bearer canary-access-4711"}
    assert caplog.records
    written = caplog.text + json.dumps(hospital.logged) + json.dumps(other.logged)
    for part in (
        "4711",
        *good.removeprefix("Bearer ").split("."),
        *bad.removeprefix("Bearer ").split(".")[1:],
    ):
        assert part not in written
    assert b"4711" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_item_49_the_token_of_the_specification_is_refused_over_the_wire(hospital: Hospital) -> None:
    """That it verifies but for its times is proved in tests/security/test_tokens.py."""
    for path in every_path():
        assert_refused(said(hospital, path, f"Bearer {SPECIFIED_TOKEN}"))
