"""A caller's token: honest ones pass, and every single thing that can be wrong with one is refused for that reason."""

from collections.abc import Mapping
from typing import Any

import pytest

from cds_service.errors import UnauthorizedError
from cds_service.security.signing_keys import KeySet, SigningKey, read_key_set, signing_key
from cds_service.security.tokens import LONGEST_TOKEN, Refusal, expiry, take_apart, token_id, verify
from cds_service.tenants import Trust
from tests.security.callers import (
    ABSENT,
    AUDIENCE,
    BASE,
    ISSUER,
    KEY_ID,
    KEYS_URL,
    NOW,
    PATH,
    PrivateKey,
    claims,
    compact,
    elliptic,
    header,
    honest,
    jwk,
    key_set,
    modular,
    trust,
)

HOUR = 3600


def refusal(
    token: str, trusted: Trust | None = None, keys: KeySet | None = None, path: str = PATH, now: float = NOW
) -> str | None:
    """Why a token is refused; None if it is believed."""
    known = keys or read_key_set(key_set(jwk(elliptic())))
    try:
        verify(take_apart(token), trusted or trust(), known.keys.get, path, now)
    except UnauthorizedError as error:
        return error.reason
    return None


def test_an_honest_token_is_believed() -> None:
    assert refusal(honest()) is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES384", elliptic()),
        ("ES256", elliptic("P-256")),
        *((algorithm, modular()) for algorithm in ("RS384", "RS256", "PS384", "PS256")),
    ],
)
def test_every_algorithm_is_taken_where_a_tenant_lists_it_and_else_refused(
    algorithm: str, key: PrivateKey
) -> None:
    keys = read_key_set(key_set(jwk(key)))
    token = compact(header(alg=algorithm), claims(), key)
    others = tuple({"ES384", "RS384", "ES256", "RS256"} - {algorithm})
    assert refusal(token, trust(algorithms=(algorithm,)), keys) is None
    assert refusal(token, trust(algorithms=others), keys) == Refusal.ALGORITHM


def test_only_what_cds_hooks_recommends_is_taken_by_default() -> None:
    assert trust().algorithms == ("RS384", "ES384")


def test_a_token_may_have_every_byte_of_the_limit_and_not_one_more() -> None:
    spare = LONGEST_TOKEN - len(honest(pad=""))
    padded = [honest(pad="x" * size) for size in range(spare * 3 // 4 - 8, spare * 3 // 4 + 8)]
    assert any(len(token) in (LONGEST_TOKEN, LONGEST_TOKEN - 1) for token in padded)
    for token in padded:
        assert refusal(token) == (None if len(token) <= LONGEST_TOKEN else Refusal.TOO_LONG)


def test_a_long_header_is_fine_within_the_limit() -> None:
    assert refusal(compact(header(x5t="a" * 3000), claims())) is None


# --- header -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"alg": ABSENT}, Refusal.ALGORITHM),
        ({"alg": ["ES384"]}, Refusal.ALGORITHM),
        ({"alg": "es384"}, Refusal.ALGORITHM),
        ({"alg": "ES512"}, Refusal.ALGORITHM),
        ({"typ": ABSENT}, Refusal.TYPE),
        ({"typ": "jwt"}, Refusal.TYPE),
        ({"typ": "at+jwt"}, Refusal.TYPE),
        ({"typ": None}, Refusal.TYPE),
        ({"kid": ABSENT}, Refusal.KEY_ID),
        ({"kid": ""}, Refusal.KEY_ID),
        ({"kid": 1}, Refusal.KEY_ID),
        ({"kid": "k" * 256}, Refusal.KEY_ID),
        ({"kid": "k" * 255}, Refusal.KEY),
        ({"kid": KEY_ID + " "}, Refusal.KEY),
        ({"crit": []}, Refusal.CRITICAL),
        ({"crit": ["exp"], "exp": 1}, Refusal.CRITICAL),
        ({"b64": True}, Refusal.CRITICAL),
        ({"jku": 1}, Refusal.KEYS_URL),
        ({"jku": None}, Refusal.KEYS_URL),
        ({"jku": ""}, Refusal.KEYS_URL),
    ],
)
def test_a_header_that_is_not_right_is_refused_for_its_reason(
    changed: Mapping[str, Any], reason: Refusal
) -> None:
    assert refusal(compact(header(**changed), claims(), algorithm="ES384")) == reason


def test_header_members_that_nobody_here_knows_are_passed_over() -> None:
    assert refusal(compact(header(**{"org.example": {"a": [1]}, "cty": "x", "zip": "DEF"}), claims())) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/jwks.json",
        KEYS_URL + "/",
        KEYS_URL + "?",
        KEYS_URL.upper(),
        KEYS_URL.replace("https", "http"),
        KEYS_URL.replace(".org", ".org:443"),
        KEYS_URL + "/../../evil",
    ],
)
def test_the_address_of_keys_has_to_be_the_tenants_to_the_letter(url: str) -> None:
    assert refusal(compact(header(jku=url), claims())) == Refusal.KEYS_URL
    assert refusal(compact(header(jku=KEYS_URL), claims())) is None


def test_a_tenant_whose_keys_are_a_file_takes_no_address_unless_it_names_one() -> None:
    token = compact(header(jku=KEYS_URL), claims())
    assert refusal(token, trust(jwks_url=None, jwks_file="keys.json")) == Refusal.KEYS_URL
    assert refusal(token, trust(jwks_file="keys.json")) is None


# --- times --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (1, None),
        (0, None),
        (-59, None),
        (-59.5, Refusal.EXPIRED),
        (-60, Refusal.EXPIRED),
        (-61, Refusal.EXPIRED),
    ],
)
def test_a_token_is_over_a_minute_after_it_expires(offset: float, reason: Refusal | None) -> None:
    assert refusal(honest(exp=NOW + offset, iat=NOW - 300)) == reason


@pytest.mark.parametrize(
    ("offset", "reason"), [(0, None), (60, None), (60.5, Refusal.EARLY), (61, Refusal.EARLY)]
)
def test_a_token_may_be_issued_a_minute_ahead_of_our_clock(offset: float, reason: Refusal | None) -> None:
    assert refusal(honest(iat=NOW + offset, exp=NOW + 300)) == reason


@pytest.mark.parametrize(("offset", "reason"), [(-300, None), (60, None), (61, Refusal.EARLY)])
def test_a_token_may_begin_before_it_is_issued_as_epics_do_and_a_minute_ahead(
    offset: float, reason: Refusal | None
) -> None:
    assert refusal(honest(nbf=NOW + offset)) == reason


@pytest.mark.parametrize(
    ("lifetime", "reason"),
    [
        (-1, Refusal.LIFETIME),
        (0, None),
        (HOUR, None),
        (HOUR + 0.5, Refusal.LIFETIME),
        (HOUR + 1, Refusal.LIFETIME),
    ],
)
def test_a_token_lives_an_hour_at_most_and_not_backwards(lifetime: float, reason: Refusal | None) -> None:
    assert refusal(honest(iat=NOW, exp=NOW + lifetime)) == reason


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ["1795000000", True, None, [], {}, -1, 1e300, 10**400, "Infinity", 2**53 + 2], ids=str
)
def test_a_time_is_a_number_that_a_clock_can_show(name: str, value: object) -> None:
    assert refusal(honest(**{name: value})) == Refusal.TIMES


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_time_that_is_required_cannot_be_left_out(name: str) -> None:
    assert refusal(honest(**{name: ABSENT})) == Refusal.TIMES


@pytest.mark.parametrize("literal", ["Infinity", "-Infinity", "NaN"])
def test_a_number_that_is_not_json_makes_no_token(literal: str) -> None:
    body = f'{{"iss": "{ISSUER}", "exp": {literal}}}'.encode()
    assert refusal(compact(header(), body)) == Refusal.MALFORMED


def test_a_number_beyond_every_float_is_no_time() -> None:
    body = f'{{"iss": "{ISSUER}", "exp": 1e999, "iat": 1}}'.encode()
    assert refusal(compact(header(), body)) == Refusal.TIMES


# --- who and for whom ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "audience",
    [
        BASE + "/cds-services",
        AUDIENCE + "/",
        AUDIENCE + "/feedback",
        AUDIENCE + "?x=1",
        AUDIENCE.replace("https", "http"),
        AUDIENCE.replace(".org", ".org:443"),
        AUDIENCE.upper(),
        BASE,
        "",
        None,
        1,
        [],
        ["https://other.example.org"],
        [AUDIENCE, 1],
        [[AUDIENCE]],
        {"aud": AUDIENCE},
        ABSENT,
    ],
    ids=repr,
)
def test_a_token_for_another_address_is_refused(audience: object) -> None:
    assert refusal(honest(aud=audience)) == Refusal.AUDIENCE


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://other.example.org", AUDIENCE]])
def test_the_audience_is_this_address_alone_or_in_a_list(audience: object) -> None:
    assert refusal(honest(aud=audience)) is None


@pytest.mark.parametrize("path", ["/cds-services", PATH, PATH + "/feedback"])
def test_a_token_opens_the_endpoint_that_it_names_and_no_other(path: str) -> None:
    for named in ("/cds-services", PATH, PATH + "/feedback"):
        expected = None if named == path else Refusal.AUDIENCE
        assert refusal(honest(aud=BASE + named), path=path) == expected


def test_a_service_may_stand_below_a_path_and_at_several_addresses() -> None:
    trusted = trust(audiences=(BASE + "/milan/", "https://inner.example.org:8443"))
    assert refusal(honest(aud=BASE + "/milan" + PATH), trusted) is None
    assert refusal(honest(aud="https://inner.example.org:8443" + PATH), trusted) is None
    assert refusal(honest(aud=BASE + PATH), trusted) == Refusal.AUDIENCE


def test_an_audience_that_a_site_typed_is_taken_at_every_endpoint() -> None:
    trusted = trust(audiences=(), fixed_audiences=("milan",))
    assert refusal(honest(aud="milan"), trusted, path="/cds-services") is None
    assert refusal(honest(aud="Milan"), trusted) == Refusal.AUDIENCE


@pytest.mark.parametrize(("claim", "reason"), [("sub", Refusal.SUBJECT), ("tenant", Refusal.TENANT)])
def test_a_claim_that_the_tenant_asks_for_has_to_be_that_one(claim: str, reason: Refusal) -> None:
    trusted = trust(**{"subject" if claim == "sub" else claim: "clinic-7"})
    assert refusal(honest(**{claim: "clinic-7"}), trusted) is None
    for value in ("clinic-8", "CLINIC-7", "", None, ["clinic-7"], ABSENT):
        assert refusal(honest(**{claim: value}), trusted) == reason


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "", None, [ISSUER], ABSENT])
def test_another_issuer_is_refused(issuer: object) -> None:
    assert refusal(honest(iss=issuer)) == Refusal.ISSUER


@pytest.mark.parametrize(
    ("value", "fine"), [("j", True), ("j" * 255, True), ("é-1", True), ("j" * 256, False)]
)
def test_a_token_has_an_id_of_at_most_255_characters(value: str, *, fine: bool) -> None:
    assert refusal(honest(jti=value)) == (None if fine else Refusal.TOKEN_ID)


@pytest.mark.parametrize(
    "value", ["", None, 1, ["j"], ABSENT, "a\x00b", "a\nb", "\ud800", "a\u202eb"], ids=repr
)
def test_a_token_without_an_id_that_can_be_kept_is_refused(value: object) -> None:
    assert refusal(honest(jti=value)) == Refusal.TOKEN_ID


def test_id_and_expiry_of_a_token_are_those_that_it_claims() -> None:
    token = take_apart(honest(jti="j-1", exp=NOW + 10))
    assert (token_id(token), expiry(token)) == ("j-1", NOW + 10 + 60)


# --- keys and signatures ------------------------------------------------------------------------------------------------


def test_a_key_is_used_only_with_the_algorithm_that_it_names() -> None:
    keys = read_key_set(key_set(jwk(modular(), alg="RS384")))
    every = trust(algorithms=("RS384", "RS256", "PS384"))
    assert refusal(compact(header(alg="RS384"), claims(), modular()), every, keys) is None
    for algorithm in ("RS256", "PS384"):
        assert refusal(compact(header(alg=algorithm), claims(), modular()), every, keys) == Refusal.ALGORITHM


def test_a_key_of_one_kind_does_not_answer_for_another() -> None:
    keys = read_key_set(key_set(jwk(modular())))
    assert refusal(honest(), keys=keys) == Refusal.ALGORITHM
    curves = trust(algorithms=("ES256", "ES384"))
    smaller = read_key_set(key_set(jwk(elliptic("P-256"))))
    assert refusal(compact(header(), claims(), elliptic("P-256")), curves, smaller) == Refusal.ALGORITHM


def test_a_signature_with_the_key_of_somebody_else_is_refused() -> None:
    assert refusal(compact(header(), claims(), elliptic(name="somebody else"))) == Refusal.SIGNATURE


def test_every_bit_of_a_token_is_under_its_signature() -> None:
    token = honest()
    for place in range(0, len(token), 7):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert refusal(other) is not None, place


def test_the_reason_is_the_first_that_stands_in_the_order_of_the_checks() -> None:
    wrong = claims(iss="x", exp=1, iat=1, aud="x", jti="")
    somebody = elliptic(name="somebody else")
    unordered = trust(issuer="x", audiences=(BASE,), subject="s")
    assert (
        refusal(compact(header(alg="none", typ="x", kid=""), wrong, somebody, "ES384")) == Refusal.ALGORITHM
    )
    assert refusal(compact(header(typ="x", kid=""), wrong, somebody)) == Refusal.TYPE
    assert refusal(compact(header(kid=""), wrong, somebody)) == Refusal.KEY_ID
    assert refusal(compact(header(jku="https://x.org"), wrong, somebody)) == Refusal.ISSUER
    assert (
        refusal(compact(header(jku="https://x.org", kid="x"), wrong, somebody), unordered) == Refusal.KEYS_URL
    )
    assert refusal(compact(header(kid="x"), wrong, somebody), unordered) == Refusal.KEY
    assert refusal(compact(header(), wrong, somebody), unordered) == Refusal.SIGNATURE
    assert refusal(compact(header(), wrong), unordered) == Refusal.EXPIRED
    assert refusal(compact(header(), wrong), unordered, now=1.0) == Refusal.AUDIENCE
    assert refusal(compact(header(), wrong | {"aud": AUDIENCE}), unordered, now=1.0) == Refusal.SUBJECT
    assert (
        refusal(compact(header(), wrong | {"aud": AUDIENCE, "sub": "s"}), unordered, now=1.0)
        == Refusal.TOKEN_ID
    )


# --- the example of the specification (CDS Hooks, "Trusting CDS Clients") -----------------------------------------------

SPECIFIED_KEY = {
    "kty": "EC",
    "use": "sig",
    "crv": "P-384",
    "kid": "example-kid",
    "x": "46SDH7Znh821wblCBglA61sNE9ZrHYKKt3qRtRTmSXyOI_FIGBLWrWa0GPUkDCEk",
    "y": "XMcRuuoGW7CXjQdy-F5i3FeBE0x9hPLdeFdSoDd3ELmx404tLX0VRRcqzAsPhXcI",
    "alg": "ES384",
}
SPECIFIED_TOKEN = (
    "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6ImV4YW1wbGUta2lkIiwiamt1IjoiaHR0cHM6Ly9maGlyLWVoci5leGFtcGxlLmNvbS9q"
    "d2tfdXJpIn0.eyJpc3MiOiJodHRwczovL2ZoaXItZWhyLmV4YW1wbGUuY29tLyIsImF1ZCI6Imh0dHBzOi8vY2RzLmV4YW1wbGUub3JnL2Nkcy1z"
    "ZXJ2aWNlcy9zb21lLXNlcnZpY2UiLCJleHAiOjE0MjI1Njg4NjAsImlhdCI6MTMxMTI4MDk3MCwianRpIjoiZWUyMmIwMjEtZTFiNy00NjExLWJh"
    "NWItOGVlYzZhMzNhYzFlIiwidGVuYW50IjoiMmRkZDZjM2EtOGU5YS00NGM2LWEzMDUtNTIxMTFhZDMwMmEyIn0.d1WfLjGRKlcWB94l9do4cM8R"
    "EXeYJLL6SGUBO8VHZhfM8mwKYP70EMxJ67War4TQblEpaQrp11wx5p7oPFm2ETYgCicS84vXWEIYTdjooZdooCSDf2L8-i4awdoUwiEb"
)
SPECIFIED_TRUST = Trust(
    issuer="https://fhir-ehr.example.com/",
    jwks_url="https://fhir-ehr.example.com/jwk_uri",
    audiences=("https://cds.example.org",),
    tenant="2ddd6c3a-8e9a-44c6-a305-52111ad302a2",
)


def _specified(kid: str) -> SigningKey | None:
    return signing_key(SPECIFIED_KEY) if kid == "example-kid" else None


def test_the_token_of_the_specification_is_believed_but_for_its_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cds_service.security.tokens._check_times", lambda _claims, _now: None)
    verify(take_apart(SPECIFIED_TOKEN), SPECIFIED_TRUST, _specified, "/cds-services/some-service", NOW)


@pytest.mark.parametrize(("now", "reason"), [(NOW, Refusal.EXPIRED), (1_422_568_000.0, Refusal.LIFETIME)])
def test_the_token_of_the_specification_expired_in_2015_and_lived_for_years(
    now: float, reason: Refusal
) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        verify(take_apart(SPECIFIED_TOKEN), SPECIFIED_TRUST, _specified, "/cds-services/some-service", now)
    assert caught.value.reason == reason


def test_the_key_of_the_specification_is_never_trusted_because_its_private_half_is_printed_there() -> None:
    found = read_key_set(key_set(SPECIFIED_KEY))
    assert found.keys == {}
    assert "public" in found.unsafe[0]
