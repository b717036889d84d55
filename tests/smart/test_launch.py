"""A launch from the EHR: away to its sign-in and back with a session; what is not as it has to be gets nowhere."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.errors import LaunchError, SettingsError
from cds_service.integrator.keys import private_key
from cds_service.smart.app_context import LASTS, CardContext
from cds_service.smart.client_key import read_client_key
from cds_service.smart.problems import STATUS, Problem
from cds_service.smart.routes import tell
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.safe import Safe
from cds_service.tenants import Tenant
from tests.databases import KEY, broken
from tests.smart.ehr import ABSENT, CLIENT, SUBJECT, USER, PlayedEhr
from tests.smart.hospital import ADDRESS, SECURE_ADDRESS, Browser, Hospital, query_of, smart

Open = Callable[..., Hospital]
ON = date(2026, 11, 23)


def stopped(response: Any, problem: Problem) -> bool:
    """Whether a browser was shown the page of a problem."""
    heading = {
        Problem.FOREIGN: "This EHR is not connected",
        Problem.INCOMPLETE: "opened from a patient's chart",
        Problem.UNREACHABLE: "sign-in does not answer",
        Problem.UNUSABLE: "answer cannot be used",
        Problem.LOST: "cannot be matched",
        Problem.DECLINED: "did not give access",
        Problem.SCOPES: "does not allow what",
        Problem.REFUSED: "refused the launch",
        Problem.NO_PATIENT: "which patient is meant",
        Problem.OTHER_PATIENT: "Another patient",
        Problem.OLD_CARD: "too old",
        Problem.IDENTITY: "could not be verified",
    }[problem]
    is_page = response.status_code == STATUS[problem] and response.mimetype == "text/html"
    return is_page and heading in response.text and "How to go on" in response.text


# --- the honest way ---------------------------------------------------------------------------------------------------


def test_a_launch_ends_on_the_page_of_the_patient_whose_chart_is_open(house: Hospital) -> None:
    browser = house.browser()
    response = browser.launch(house.ehr.launch("p1"))
    session = house.session(browser, response)
    assert (session.patient, session.user, session.subject) == ("p1", USER, SUBJECT)
    assert session.needs_banner
    assert browser.get(response.headers["Location"]).text == "landed on p1"
    assert house.ehr.refusals == []


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_the_ehr_knows_us_by_a_signed_assertion(
    open_hospital: Open, key_folder: Path, algorithm: str
) -> None:
    house = open_hospital(key=private_key(key_folder, algorithm))
    house.launched()
    [form] = house.ehr.forms
    header = jwt.get_unverified_header(form["client_assertion"])
    [published] = house.browser().get("/smart/jwks.json").get_json()["keys"]
    assert (header["alg"], header["kid"]) == (algorithm, published["kid"])
    assert published["alg"] == algorithm
    assert not {"d", "p", "q"} & published.keys()
    assert "client_secret" not in form


def test_the_request_says_what_smart_wants(house: Hospital) -> None:
    asked = query_of(house.browser().depart(house.ehr.launch(), iss=f"{house.ehr.base}/"))
    assert asked["aud"] == f"{house.ehr.base}/"  # as it was written: servers compare it
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{ADDRESS}/smart/callback/clinic"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43  # 256 bits in base64url
    assert len(asked["nonce"]) >= 43
    assert asked["scope"].split()[:3] == ["launch", "openid", "fhirUser"]


def test_two_launches_have_nothing_in_common(house: Hospital) -> None:
    one, other = (query_of(house.browser().depart(house.ehr.launch())) for _ in range(2))
    assert all(one[name] != other[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("capabilities", "scope"),
    [
        (["permission-v2"], "patient/Condition.rs"),
        (["permission-v1", "permission-v2"], "patient/Condition.rs"),
        (["permission-v1"], "patient/Condition.read"),
        ([], "patient/Condition.read"),
        ("permission-v2", "patient/Condition.read"),
    ],
)
def test_scopes_are_of_the_version_that_the_ehr_knows(
    house: Hospital, capabilities: list[str], scope: str
) -> None:
    house.ehr.capabilities = capabilities
    scopes = query_of(house.browser().depart(house.ehr.launch()))["scope"].split()
    assert scope in scopes
    assert not any("Observation.c" in name or "write" in name for name in scopes)


def test_a_tenant_may_ask_for_scopes_of_its_own(open_hospital: Open) -> None:
    house = open_hospital(scopes=("launch", "patient/Condition.rs"))
    assert query_of(house.browser().depart(house.ehr.launch()))["scope"] == "launch patient/Condition.rs"


def test_the_configuration_is_asked_for_once(house: Hospital) -> None:
    for _ in range(3):
        house.browser().depart(house.ehr.launch())
    assert house.ehr.requests == ["/fhir/.well-known/smart-configuration"]


# --- who may launch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example/fhir",
        "{base}.evil.example",
        "{base}/../other",
        "{base}/%2e%2e/other",
        "{base}/extra",
        "{base}?x=1",
        "{base}#x",
        "{origin}",
        "{origin}@evil.example/fhir",
        "{base}\\.evil.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://169.254.169.254/fhir",
        " {base}",
        "{base} ",
    ],
)
def test_a_server_that_is_no_tenants_is_not_asked_for_anything(house: Hospital, iss: str) -> None:
    told = iss.format(base=house.ehr.base, origin=house.ehr.origin)
    response = house.browser().depart(house.ehr.launch(), iss=told)
    assert stopped(response, Problem.FOREIGN)
    assert told.strip() not in response.text.replace(house.ehr.base, "") or told == house.ehr.origin
    assert house.ehr.requests == []


@pytest.mark.parametrize(
    "query",
    ["", "iss={base}", "launch=x", "iss=&launch=x", "iss={base}&launch=", "iss={base}&iss={base}&launch=x"],
)
def test_a_page_that_was_not_opened_from_a_chart_says_so(house: Hospital, query: str) -> None:
    address = f"/smart/launch?{query.format(base=quote(house.ehr.base, safe=''))}"
    assert stopped(house.browser().get(address), Problem.INCOMPLETE)
    assert house.ehr.requests == []


def test_a_launch_parameter_that_could_not_stand_in_an_address_is_refused(house: Hospital) -> None:
    assert stopped(house.browser().depart("a%0d%0ab"), Problem.INCOMPLETE)


# --- what the EHR publishes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "published",
    [
        {"token_endpoint": "http://ehr.example.org/token"},
        {"authorization_endpoint": "http://ehr.example.org/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": ABSENT},
        {"authorization_endpoint": ABSENT},
        {"token_endpoint": 7},
        {"jwks_uri": "file:///keys"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": []},
    ],
)
def test_a_sign_in_that_is_not_safe_is_not_used(house: Hospital, published: dict[str, Any]) -> None:
    house.ehr.published = published
    assert stopped(house.browser().depart(house.ehr.launch()), Problem.UNUSABLE)


def test_a_server_that_says_nothing_of_pkce_is_sent_it_all_the_same(house: Hospital) -> None:
    house.ehr.published = {"code_challenge_methods_supported": ABSENT}
    assert "code_challenge" in query_of(house.browser().depart(house.ehr.launch()))


def test_http_is_for_this_machine_and_for_tests(open_hospital: Open, ehr: PlayedEhr) -> None:
    house = open_hospital()
    house.launching.discovery._memory._held.clear()
    ehr.published = {"token_endpoint": ehr.origin.replace("127.0.0.1", "localhost") + "/token"}
    assert house.browser().depart(ehr.launch()).status_code == 303


@pytest.mark.parametrize("fault", ["pause", "padding"])
@pytest.mark.parametrize("path", ["smart-configuration", "/token", "/jwks"])
def test_a_server_that_is_slow_or_sends_without_end_is_not_waited_for(
    open_hospital: Open, ehr: PlayedEhr, fault: str, path: str
) -> None:
    house = open_hospital(seconds=0.3)
    setattr(ehr, fault, {path: 5.0 if fault == "pause" else 300_000})
    browser, begun = house.browser(), time.monotonic()
    response = browser.depart(ehr.launch())
    if path != "smart-configuration":
        response = browser.get(browser.sign_in(response))
    assert stopped(response, Problem.UNREACHABLE)
    assert time.monotonic() - begun < 3


def test_a_failure_is_told_again_for_a_moment_without_asking(house: Hospital) -> None:
    house.ehr.published = {"token_endpoint": ABSENT}
    for _ in range(3):
        house.browser().depart(house.ehr.launch())
    assert len(house.ehr.requests) == 1


# --- coming back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("access_denied", Problem.DECLINED),
        ("invalid_scope", Problem.SCOPES),
        ("server_error", Problem.UNREACHABLE),
        ("temporarily_unavailable", Problem.UNREACHABLE),
        ("unauthorized_client", Problem.REFUSED),
        ("<script>alert(1)</script>", Problem.REFUSED),
    ],
)
def test_a_refusal_of_the_ehr_is_told_in_a_sentence(house: Hospital, error: str, problem: Problem) -> None:
    house.ehr.error = error
    response = house.browser().launch(house.ehr.launch())
    assert stopped(response, problem)
    assert "alert" not in response.text


@pytest.mark.parametrize("state", [ABSENT, "", "guessed", "x" * 9000])
def test_who_comes_back_without_the_state_gets_nowhere(house: Hospital, state: Any) -> None:
    house.ehr.told = {"state": state}
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.LOST)
    assert house.ehr.forms == []


def test_a_state_serves_once(house: Hospital) -> None:
    browser = house.browser()
    back = browser.sign_in(browser.depart(house.ehr.launch()))
    assert browser.get(back).status_code == 303
    assert stopped(browser.get(back), Problem.LOST)
    assert len(house.ehr.forms) == 1


def test_a_state_serves_only_in_the_browser_in_which_it_began(house: Hospital) -> None:
    victim, other = house.browser(), house.browser()
    back = victim.sign_in(victim.depart(house.ehr.launch()))
    other.depart(house.ehr.launch())
    assert stopped(other.get(back), Problem.LOST)
    assert victim.get(back).status_code == 303  # and nobody else has used it up


def test_a_sign_in_may_take_ten_minutes_and_no_longer(house: Hospital) -> None:
    for seconds, arrives in ((599, True), (601, False)):
        browser = house.browser()
        back = browser.sign_in(browser.depart(house.ehr.launch()))
        house.clock.now += seconds
        response = browser.get(back)
        assert response.status_code == 303 if arrives else stopped(response, Problem.LOST)


def test_two_launches_side_by_side_both_arrive(house: Hospital) -> None:
    browser = house.browser()
    backs = [browser.sign_in(browser.depart(house.ehr.launch(patient))) for patient in ("p1", "p2")]
    pages = [browser.get(browser.get(back).headers["Location"]).text for back in backs]
    assert pages == ["landed on p1", "landed on p2"]


def test_an_answer_of_another_server_is_not_taken_for_that_of_the_one_that_was_asked(house: Hospital) -> None:
    house.ehr.told = {"iss": "https://evil.example"}
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.LOST)
    assert house.ehr.forms == []


def test_a_server_that_names_itself_on_the_way_back_has_to(house: Hospital) -> None:
    house.ehr.published = {"authorization_response_iss_parameter_supported": True}
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.LOST)
    house.ehr.told = {"iss": house.ehr.origin}
    assert house.browser().launch(house.ehr.launch()).status_code == 303


@pytest.mark.parametrize("tenant", ["nobody", "open", "%2e%2e"])
def test_the_way_back_of_another_tenant_leads_nowhere(house: Hospital, tenant: str) -> None:
    browser = house.browser()
    back = browser.sign_in(browser.depart(house.ehr.launch()))
    assert browser.get(back.replace("/clinic?", f"/{tenant}?")).status_code in (400, 404)
    assert house.ehr.forms == []


def test_the_way_back_of_one_tenant_is_not_that_of_another_who_is_launched_here_too(
    open_hospital: Open, key_file: Path
) -> None:
    """A mix-up: the answer of one server at the place where another one's is expected."""
    other = Tenant(
        id="other", fhir_servers=("http://127.0.0.1:1/r4",), allow_loopback=True, smart=smart(key_file)
    )
    house = open_hospital(others=(other,))
    browser = house.browser()
    back = browser.sign_in(browser.depart(house.ehr.launch()))
    assert stopped(browser.get(back.replace("/clinic?", "/other?")), Problem.LOST)
    assert house.ehr.forms == []


def test_who_comes_back_without_a_code_is_refused(house: Hospital) -> None:
    house.ehr.told = {"code": ABSENT}
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.REFUSED)


def test_a_code_of_somebody_else_is_of_no_use(house: Hospital) -> None:
    """Injected by an attacker: the verifier belongs to another challenge."""
    attacker, victim = house.browser(), house.browser()
    stolen = attacker.sign_in(attacker.depart(house.ehr.launch())).split("code=")[1]
    back = victim.sign_in(victim.depart(house.ehr.launch()))
    assert stopped(victim.get(f"{back.split('code=')[0]}code={stolen}"), Problem.REFUSED)
    assert house.ehr.refusals == ["verifier"]


def test_a_code_that_was_redeemed_is_not_redeemed_again(house: Hospital) -> None:
    browser = house.browser()
    code = browser.sign_in(browser.depart(house.ehr.launch())).split("code=")[1]
    house.ehr._codes.clear()
    other = browser.sign_in(browser.depart(house.ehr.launch()))
    house.ehr._codes.pop(other.split("code=")[1])
    assert stopped(browser.get(f"{other.split('code=')[0]}code={code}"), Problem.REFUSED)
    assert house.ehr.refusals == ["unknown code"]


# --- the token --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"token_type": "mac"}, Problem.UNUSABLE),
        ({"token_type": ABSENT}, Problem.UNUSABLE),
        ({"token_type": "DPoP"}, Problem.UNUSABLE),
        ({"access_token": ABSENT}, Problem.UNUSABLE),
        ({"access_token": "two words"}, Problem.UNUSABLE),
        ({"access_token": "a\r\nb"}, Problem.UNUSABLE),
        ({"access_token": "x" * 17_000}, Problem.UNUSABLE),
        ({"expires_in": 0}, Problem.UNUSABLE),
        ({"expires_in": -1}, Problem.UNUSABLE),
        ({"expires_in": "soon"}, Problem.UNUSABLE),
        ({"expires_in": []}, Problem.UNUSABLE),
        ({"patient": ABSENT}, Problem.NO_PATIENT),
        ({"patient": ""}, Problem.NO_PATIENT),
        ({"patient": "a/b"}, Problem.NO_PATIENT),
        ({"patient": ["p1"]}, Problem.NO_PATIENT),
        ({"patient": "Practitioner/p1"}, Problem.NO_PATIENT),
        ({"id_token": ABSENT}, Problem.IDENTITY),
    ],
)
def test_a_token_that_is_not_as_it_has_to_be_opens_nothing(
    house: Hospital, changed: dict[str, Any], problem: Problem
) -> None:
    house.ehr.token_answer = changed
    assert stopped(house.browser().launch(house.ehr.launch()), problem)


@pytest.mark.parametrize(
    "changed",
    [
        {"token_type": "bearer"},
        {"expires_in": "3600"},
        {"patient": "Patient/p1"},
        {"need_patient_banner": False},
    ],
)
def test_what_servers_write_in_more_than_one_way_is_understood(
    house: Hospital, changed: dict[str, Any]
) -> None:
    house.ehr.token_answer = changed
    session = house.launched()
    assert session.patient == "p1"
    assert session.needs_banner is changed.get("need_patient_banner", True)


@pytest.mark.parametrize(
    ("status", "answer", "problem"),
    [
        (500, {}, Problem.UNREACHABLE),
        (503, "down", Problem.UNREACHABLE),
        (302, {}, Problem.REFUSED),
        (400, {"error": "invalid_grant"}, Problem.REFUSED),
        (401, {"error": "invalid_client"}, Problem.REFUSED),
        (400, {"error": "invalid_scope"}, Problem.SCOPES),
        (400, "<html>", Problem.REFUSED),
        (200, [], Problem.UNUSABLE),
        (200, "<html>", Problem.UNUSABLE),
    ],
)
def test_a_token_endpoint_that_gives_none_is_told_apart(
    house: Hospital, status: int, answer: Any, problem: Problem
) -> None:
    house.ehr.token_status, house.ehr.token_answer = status, answer
    assert stopped(house.browser().launch(house.ehr.launch()), problem)


def test_a_token_whose_end_is_not_told_is_used_for_five_minutes(house: Hospital) -> None:
    house.ehr.token_answer = {"expires_in": ABSENT}
    assert house.launched().expires == house.clock.now + 300


def test_scopes_that_are_not_told_are_those_that_were_asked_for(house: Hospital) -> None:
    house.ehr.token_answer = {"scope": ABSENT}
    assert "patient/Specimen.rs" in house.launched().scopes


# --- who the user is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": ABSENT},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": ABSENT},
        {"aud": [CLIENT], "azp": "another-client"},
        {"nonce": "another"},
        {"nonce": ABSENT},
        {"exp": 1_795_000_000 - 61},
        {"exp": ABSENT},
        {"exp": "later"},
        {"exp": True},
        {"iat": 1_795_000_000 + 61},
        {"iat": ABSENT},
        {"sub": ABSENT},
        {"sub": ""},
    ],
)
def test_an_id_token_that_is_not_for_this_launch_is_not_believed(
    house: Hospital, claims: dict[str, Any]
) -> None:
    house.ehr.claims = claims
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"exp": 1_795_000_000 - 59},
        {"iat": 1_795_000_000 + 59},
    ],
)
def test_an_id_token_within_the_bounds_is_believed(house: Hospital, claims: dict[str, Any]) -> None:
    house.ehr.claims = claims
    assert house.launched().subject == SUBJECT


def test_an_id_token_that_nobody_signed_is_not_believed(house: Hospital) -> None:
    house.ehr.signed = lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "ehr-key"})
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


def test_an_id_token_that_is_signed_with_what_is_public_is_not_believed(house: Hospital) -> None:
    public = str(house.ehr.keys["keys"][0]["x"]) * 4
    house.ehr.signed = lambda claims: jwt.encode(
        claims, public, algorithm="HS384", headers={"kid": "ehr-key"}
    )
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


@pytest.mark.parametrize(
    "header", [{"kid": "ehr-key"}, {"kid": "unknown"}, {"kid": "ehr-key", "crit": ["x"], "x": 1}]
)
def test_an_id_token_of_another_key_is_not_believed(house: Hospital, header: dict[str, Any]) -> None:
    other = house.ehr.key if "crit" in header else ec.generate_private_key(ec.SECP384R1())
    house.ehr.signed = lambda claims: jwt.encode(claims, other, algorithm="ES384", headers=header)
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 100, "x" * 20_000])
def test_what_is_no_id_token_is_not_believed(house: Hospital, token: str) -> None:
    house.ehr.signed = lambda _: token
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


def test_an_id_token_without_key_id_is_believed_where_there_is_but_one_key(house: Hospital) -> None:
    house.ehr.signed = lambda claims: jwt.encode(claims, house.ehr.key, algorithm="ES384")
    assert house.launched().subject == SUBJECT


def test_a_key_that_is_new_is_asked_for(house: Hospital) -> None:
    house.launched()
    house.ehr.key, house.ehr.key_id = ec.generate_private_key(ec.SECP384R1()), "next"
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)  # asked for a moment ago
    held = house.launching.issuer_keys._memory._held
    house.launching.issuer_keys._memory._held = {
        key: type(value)(value.found, value.at - 31) for key, value in held.items()
    }
    assert house.launched().subject == SUBJECT


def test_keys_are_found_where_older_servers_publish_them(house: Hospital) -> None:
    house.ehr.published = {"jwks_uri": ABSENT}
    house.ehr.openid = {"issuer": house.ehr.origin, "jwks_uri": f"{house.ehr.origin}/jwks"}
    assert house.launched().subject == SUBJECT


@pytest.mark.parametrize("openid", [None, {"issuer": "https://evil.example", "jwks_uri": "{origin}/jwks"}])
def test_an_issuer_whose_keys_are_nowhere_vouches_for_nobody(
    house: Hospital, openid: dict[str, str] | None
) -> None:
    house.ehr.published, house.ehr.openid = {"jwks_uri": ABSENT}, openid
    assert stopped(house.browser().launch(house.ehr.launch()), Problem.IDENTITY)


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"fhirUser": "Practitioner/7"}, "Practitioner/7"),
        ({"fhirUser": "https://ehr.example.org/R4/PractitionerRole/8"}, "PractitionerRole/8"),
        ({"fhirUser": ABSENT, "profile": "https://ehr.example.org/Practitioner/9"}, "Practitioner/9"),
        ({"fhirUser": "https://ehr.example.org/users/9"}, None),
        ({"fhirUser": 7}, None),
        ({"fhirUser": "Practitioner/../x"}, None),
    ],
)
def test_the_user_is_named_as_a_reference(house: Hospital, claims: dict[str, Any], user: str | None) -> None:
    house.ehr.claims = claims
    assert house.launched().user == user


def test_an_ehr_that_does_not_say_who_looks_lets_read_all_the_same(house: Hospital) -> None:
    house.ehr.granted, house.ehr.token_answer = "launch patient/*.rs", {"id_token": ABSENT}
    session = house.launched()
    assert (session.user, session.subject) == (None, None)


# --- the patient of the card ------------------------------------------------------------------------------------------


def card(house: Hospital, patient: str = "p1", tenant: str = "clinic") -> str:
    made = house.launching.app_contexts.make(CardContext(tenant, patient, "milan-net-patient-view", "", ON))
    assert made is not None
    return made


def test_the_patient_of_the_launch_has_to_be_that_of_the_card(house: Hospital) -> None:
    assert house.launched(patient="p1", app_context=card(house, "p1")).patient == "p1"
    response = house.browser().launch(house.ehr.launch("p2", card(house, "p1")))
    assert stopped(response, Problem.OTHER_PATIENT)
    assert "p1" not in response.text


def test_a_card_can_be_followed_twice_and_for_some_hours(house: Hospital) -> None:
    context = card(house)
    house.launched(app_context=context)
    house.clock.now += LASTS - 1
    house.launched(app_context=context)
    house.clock.now += 1
    assert stopped(house.browser().launch(house.ehr.launch("p1", context)), Problem.OLD_CARD)


@pytest.mark.parametrize("context", ["milan-net." + "A" * 43, "of another tenant"])
def test_an_app_context_that_could_be_ours_and_is_not_known_is_refused(house: Hospital, context: str) -> None:
    told = card(house, tenant="other") if context == "of another tenant" else context
    assert stopped(house.browser().launch(house.ehr.launch("p1", told)), Problem.OLD_CARD)


@pytest.mark.parametrize("context", ["board=7", "", '{"patient": "p2"}', "x" * 5000])
def test_an_app_context_of_the_site_is_none_of_ours(house: Hospital, context: str) -> None:
    assert house.launched(app_context=context).patient == "p1"


# --- cookies and headers ----------------------------------------------------------------------------------------------


def _cookies(browser: Browser) -> list[tuple[str, set[str]]]:
    found = []
    for line in browser.cookies_set:
        name, *attributes = line.split("; ")
        found.append((name.split("=")[0], {item for item in attributes if not item.startswith("Max-Age")}))
    return found


def test_cookies_are_ours_alone_and_out_of_reach_of_scripts(open_hospital: Open) -> None:
    house = open_hospital(address=SECURE_ADDRESS)
    browser = house.browser()
    browser.launch(house.ehr.launch())
    wanted = {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    for name, attributes in _cookies(browser):
        assert name.startswith("__Host-milan-net-")
        assert {item for item in attributes if not item.startswith("Expires")} == wanted
    assert len(browser.cookies_set) == 3


def test_in_a_frame_cookies_say_that_they_are_meant_for_it(open_hospital: Open) -> None:
    house = open_hospital(address=SECURE_ADDRESS, frame_ancestors=("https://ehr.example.org",))
    browser = house.browser()
    page = browser.get("/smart/callback/clinic?state=x")
    assert "frame-ancestors https://ehr.example.org" in page.headers["Content-Security-Policy"]
    browser.launch(house.ehr.launch())
    for _, attributes in _cookies(browser):
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"} <= attributes


def test_on_this_machine_alone_cookies_work_without_tls(house: Hospital) -> None:
    browser = house.browser()
    browser.launch(house.ehr.launch())
    assert all("Secure" not in attributes for _, attributes in _cookies(browser))


def test_pages_are_kept_nowhere_and_load_nothing_from_elsewhere(house: Hospital) -> None:
    page = house.browser().get("/smart/launch")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_every_problem_has_a_page_with_a_sentence_and_a_way_on(house: Hospital) -> None:
    for problem in Problem:
        with house.app.test_request_context():
            page = tell(LaunchError(problem))
        text = page.get_data(as_text=True)
        assert (page.status_code, text.count("<h1>")) == (STATUS[problem], 1)
        assert text.count("<p>") >= 3
        assert "How to go on" in text
        assert not any(
            word in text.lower() for word in ("none", "undefined", "{{", "eligible", "contraindicated")
        )


def test_without_a_database_nobody_is_let_in_and_everybody_is_told(house: Hospital, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    object.__setattr__(house.launching, "safe", Safe(broken(folder), Pseudonyms(KEY)))
    page = house.browser().depart(house.ehr.launch())
    assert page.status_code == 503
    assert "cannot keep anything" in page.text


# --- our key ----------------------------------------------------------------------------------------------------------


def test_a_key_that_others_can_read_is_refused(key_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "key.json"
    copy.write_bytes(key_file.read_bytes())
    copy.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_client_key(smart(copy))


def test_the_sign_in_of_the_played_ehr_is_a_real_one(house: Hospital) -> None:
    away = house.browser().depart(house.ehr.launch())
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=5)
    assert back.headers["Location"].startswith(f"{ADDRESS}/smart/callback/clinic?state=")
