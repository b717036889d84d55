"""Input bombs and odd bodies at every endpoint (integration.md 3.4): refused by name or read, never a 500, never a hang."""

import gzip
import json
from collections.abc import Iterator

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.hooks.services import SERVICES
from tests.hooks.calls import HOOK_INSTANCE, OUTCOME, Body, bundle, cards_of, outcome_of
from tests.service.house import ME, House, house, sample, tenant
from tests.service.served import CLINIC, PATH, Served, serving, tenants_file, token

MEETS = sample("01-meets")
ENDPOINTS = tuple(
    path
    for service in SERVICES
    for path in (f"/cds-services/{service.id}", f"/cds-services/{service.id}/feedback")
)
HOOKS = {f"/cds-services/{service.id}": service.hook for service in SERVICES}
MAX_BODY = 1_000_000
DIGITS = "9" * 4_000
LONG = "9" * 20_000
BOMBS = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": b"x",
    "cut": b'{"hook":',
    "trailing": b"{} {}",
    "NaN": b'{"feedback":NaN,"hook":NaN}',
    "Infinity": b'{"feedback":-Infinity,"hook":Infinity}',
    "1e999": b'{"feedback":1e999,"hook":1e999}',
    "no UTF-8": b'{"hook":"\xff","feedback":"\xff"}',
    "UTF-16": '{"hook":"patient-view"}'.encode("utf-16"),
    "lone surrogate": b'{"hook":"\\ud800","feedback":"\\ud800"}',
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 150_000,
    "nested feedback": b'{"feedback":' + b"[" * 200_000,
    "nested context": b'{"context":' * 50_000,
    "nested prefetch": b'{"prefetch":{"conditions":{"entry":' * 25_000,
    "long integer": f'{{"hook":{LONG},"feedback":{LONG}}}'.encode(),
    "a list": b"[1]",
    "null": b"null",
    "a text": b'"text"',
    "a number": b"5",
    "many members": json.dumps({str(number): number for number in range(50_000)}).encode(),
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("clinic")
    return house(folder, tenant(CLINIC, folder), max_body_bytes=MAX_BODY)


def post(clinic: House, path: str, data: bytes, **headers: str) -> int:
    """The status of a signed call, whose error is told as an OperationOutcome."""
    given = {"Content-Type": "application/json"} | headers
    response = clinic.client.post(path, data=data, headers=clinic.signed(CLINIC, path) | given)
    if response.status_code != 200:
        outcome_of(response)
    return response.status_code


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_bomb_is_a_400_at_every_endpoint(clinic: House, path: str) -> None:
    assert {name: post(clinic, path, data) for name, data in BOMBS.items()} == dict.fromkeys(BOMBS, 400)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/fhir+xml"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "identity, gzip"},
    ],
    ids=str,
)
def test_another_type_or_a_packed_body_is_a_415(clinic: House, path: str, headers: dict[str, str]) -> None:
    assert post(clinic, path, gzip.compress(b"{}"), **headers) == 415


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_beyond_the_limit_is_a_413(clinic: House, path: str) -> None:
    assert post(clinic, path, b'"' + b"x" * MAX_BODY + b'"') == 413


@pytest.mark.parametrize(
    "mimetype", ["application/json", "application/fhir+json", "application/json; charset=utf-8"]
)
def test_both_types_of_json_are_read_with_any_parameter(clinic: House, mimetype: str) -> None:
    assert (
        post(clinic, PATH, json.dumps(MEETS.call(MEETS.prefetch)).encode(), **{"Content-Type": mimetype})
        == 200
    )


@pytest.mark.parametrize(
    "number", [DIGITS, f"-{LONG}", f"1.{DIGITS}", f"1e{DIGITS}", "1e999", "-1e-999", "0e99999"]
)
@pytest.mark.parametrize(
    "place",
    ['"total":%s', '"entry":[{"resource":{"resourceType":"Observation","valueQuantity":{"value":%s}}}]'],
)
def test_no_number_however_long_is_a_bug(clinic: House, number: str, place: str) -> None:
    whole = json.dumps(MEETS.call(MEETS.prefetch | {"observations": "HERE"}))
    part = '{"resourceType":"Bundle",' + place.replace("%s", number) + "}"
    assert post(clinic, PATH, whole.replace('"HERE"', part).encode()) in (200, 400)


def test_of_two_members_of_one_name_the_last_counts_in_both_readings(clinic: House) -> None:
    """One decoder reads what a Bundle holds, another the bytes of what matters: they must agree."""
    wrong = json.dumps(bundle(dict(MEETS.resources[0], id="somebody-else")))
    whole = json.dumps(MEETS.call(MEETS.prefetch))
    twice = whole.replace('"prefetch": {', f'"prefetch": {{"conditions": {wrong}, "observations": 5, ', 1)
    headers = clinic.signed(CLINIC, PATH) | {"Content-Type": "application/json"}
    response = clinic.client.post(PATH, data=twice, headers=headers)
    assert cards_of(response) == clinic.cards(CLINIC, MEETS.call(MEETS.prefetch))


NAMES = (
    "resourceType",
    "entry",
    "resource",
    "id",
    "code",
    "coding",
    "link",
    "total",
    "subject",
    "context",
    "feedback",
    "card",
    "outcome",
    "conditions",
    "draftOrders",
    "selections",
    "prefetch",
    "status",
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
CONTEXT = {"userId": ME, "patientId": MEETS.id, "encounterId": "e1", "selections": ["ServiceRequest/x"]}


@given(
    path=st.sampled_from(ENDPOINTS),
    odd=ANY_JSON,
    member=st.sampled_from(["context", "drafts", "prefetch", "all"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_json_of_any_shape_is_a_bug(clinic: House, path: str, odd: object, member: str) -> None:
    drafts = dict.fromkeys(
        ("draftOrders", "conditions", "appointments"), odd if member == "drafts" else bundle()
    )
    body: Body = {
        "hook": HOOKS.get(path, ""),
        "hookInstance": HOOK_INSTANCE,
        "context": odd if member == "context" else CONTEXT | drafts,
        "prefetch": odd if member == "prefetch" else MEETS.prefetch | {"orders": odd, "specimens": OUTCOME},
        "feedback": odd,
    }
    data = json.dumps(odd if member == "all" else body).encode()
    assert post(clinic, path, data) in (200, 400, 412)


# --- what only a real connection can send -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    settings = {"MILAN_NET_TENANTS": str(tenants_file(folder)), "MILAN_NET_MAX_BODY_BYTES": str(MAX_BODY)}
    with serving(folder, settings) as running:
        yield running


def _chunks(total: int) -> Iterator[bytes]:
    yield b'{"x":"'
    for _ in range(total // 10_000):
        yield b"x" * 10_000
    yield b'"}'


def test_a_chunked_body_is_read_up_to_the_limit_and_refused_beyond(served: Served) -> None:
    def send(data: Iterator[bytes]) -> int:
        headers = {"Content-Type": "application/json", "Authorization": token()}
        return requests.post(f"{served.url}{PATH}", data=data, headers=headers, timeout=60).status_code

    whole = json.dumps(MEETS.call(MEETS.prefetch)).encode()
    assert send(iter([whole[:1000], whole[1000:]])) == 200
    assert send(_chunks(MAX_BODY // 2)) == 400
    assert send(_chunks(MAX_BODY * 2)) == 413


def test_a_body_that_is_packed_is_not_unpacked(served: Served) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    response = served.post(PATH, packed, Authorization=token(), **{"Content-Encoding": "gzip"})
    assert response.status_code == 415


# --- the id of a patient ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "patient",
    ["a/b", "a?b", "a&b=c", "a#b", "a%2fb", "a b", "../x", "é", "", "x" * 65, "a\n", "{{x}}", "a|b", "a_b"],
)
def test_an_id_that_would_need_encoding_in_a_query_is_refused_before_any_is_made(
    clinic: House, patient: str
) -> None:
    body = MEETS.call(..., context={"userId": ME, "patientId": patient})
    assert post(clinic, PATH, json.dumps(body).encode()) == 400
