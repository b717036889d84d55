"""What a body may be at all: JSON of a bounded size, and nothing that is sent is ever a 500 (cds-hooks.md 10)."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.errors import InternalError
from cds_service.hooks.services import SERVICES
from cds_service.settings import Settings
from tests.conformance.hospital import feedback_of, path_of
from tests.hooks.calls import (
    HOOK_INSTANCE,
    LIVER,
    NET,
    PATIENT,
    SERVICE,
    bundle,
    call,
    cards_of,
    chart,
    client,
    outcome_of,
)

EHR = client()
POSTED = [make(service) for service in SERVICES for make in (path_of, feedback_of)]
CANARY = "CANARY-4711"
KI67 = {
    "resourceType": "Observation",
    "id": "ki67",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29593-1"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-10-20",
    "valueQuantity": {"value": 3, "unit": "%"},
}
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def ehr() -> FlaskClient:
    return EHR


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[1]",
        b"null",
        b'"text"',
        b"{}",
        b"{",
        b'{"hook":NaN}',
        b'{"a":"\xff"}',
        b'{"hook":"\xff"}',
        b'{"hook":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"prefetch":{"patient":' * 50_000,
        b'{"hook":"patient-view"} trailing',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_item_14_what_is_no_hook_request_is_a_400_in_json(ehr: FlaskClient, body: bytes) -> None:
    for address in POSTED:
        response = ehr.post(address, data=body, content_type="application/json")
        assert response.status_code == 400
        (path,) = outcome_of(response)["expression"]
        assert path


ENTRY = b'{"prefetch":{"conditions":{"entry":[{"resource":{"id":"a,b:{[\\""}},{"resource":{"total":%b}}]}}}'


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"x", "$"),
        (b"[1]", "$"),
        (b"null", "$"),
        (b"{", "$"),
        (b'{"hook":NaN}', "hook"),
        (b'{"hookInstance":1e400}', "hookInstance"),
        (b'{"hook":"x","context":{"userId":"a" "b"}}', "context.userId"),
        (b'{"hook":"x","context":{"userId":"a', "context.userId"),
        (b'{"hook":"x","context":{"userId":"a\\', "context.userId"),
        (b'{"hook":"x","context":{"userId":"a,{[\n"}}', "context.userId"),
        (b'{"hook":"x","context":{"userId":"\n', "context.userId"),
        (
            b'{"hook":"patient-view","hookInstance":"x","context":{"userId":"a","patientId":"b"}} trailing',
            "$",
        ),
        (b'{"hook":"a","hookInstance":"\xff"}', "hookInstance"),
        (b'{"CANARY 4711":NaN}', "[...]"),
        (b'{"extension":[1,[2,{"a":NaN}]]}', "extension[1][1].a"),
        (ENTRY % b"NaN", "prefetch.conditions.entry[1].resource.total"),
        (ENTRY % b"-Infinity", "prefetch.conditions.entry[1].resource.total"),
        (ENTRY % b"1.", "prefetch.conditions.entry[1].resource.total"),
        (b"\xef\xbb\xbf" + ENTRY % b"01", "prefetch.conditions.entry[1].resource.total"),
        (b'{"x":' * 100_000, "$"),
        (b'{"a":[' * 51 + b"NaN", "$"),
        (b'{"a":[' * 2 + b"NaN", "a[0].a[0]"),
        (b'{"extension":"%b","hook":NaN' % (b"x" * 400_000), "hook"),
        (b'{"extension":"%b","hook":NaN' % (b"x" * 500_000), "$"),
        (b'{"hook":"\\ud800"' + b"[" * 1_000_000, "hook"),
        (b'{"prefetch":{"patient":' * 50_000, "$"),
        (b"]" * 1000, "$"),
        (b",:,", "$"),
    ],
    ids=lambda value: repr(value[:60]),
)
def test_item_14_a_body_that_cannot_be_read_is_told_where(ehr: FlaskClient, body: bytes, path: str) -> None:
    response = ehr.post(SERVICE, data=body, content_type="application/json")
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert "CANARY" not in response.text


@pytest.mark.parametrize(("missing", "status"), [(0, 200), (1, 400)])
def test_item_14_a_body_that_ends_before_its_announced_length_is_refused(
    ehr: FlaskClient, missing: int, status: int
) -> None:
    body = json.dumps(call(chart())).encode()
    length = {"CONTENT_LENGTH": str(len(body) + missing)}
    response = ehr.post(SERVICE, data=body, content_type="application/json", environ_overrides=length)
    assert response.status_code == status


MARK = b"\xef\xbb\xbf"


def test_item_14_a_byte_order_mark_before_the_body_changes_nothing(ehr: FlaskClient) -> None:
    body = json.dumps(call(chart(observations=bundle(KI67)))).encode()
    plain = ehr.post(SERVICE, data=body, content_type="application/json")
    assert cards_of(plain)
    assert b"Observation/ki67" in plain.data
    assert ehr.post(SERVICE, data=MARK + body, content_type="application/json").data == plain.data


@pytest.mark.parametrize("start", [MARK + MARK, b" " + MARK, b"\xff\xfe"])
def test_item_14_a_mark_that_is_none_is_no_json(ehr: FlaskClient, start: bytes) -> None:
    response = ehr.post(
        SERVICE, data=start + json.dumps(call(chart())).encode(), content_type="application/json"
    )
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 412),
        ("application/json; charset=utf-8", 412),
        ("application/fhir+json", 412),
        ("APPLICATION/FHIR+JSON; fhirVersion=4.0", 412),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
        (None, 415),
    ],
)
def test_item_14_json_and_fhir_json_are_the_media_types(
    ehr: FlaskClient, content_type: str | None, status: int
) -> None:
    body = b'{"hook":"patient-view","hookInstance":"%s","context":{"userId":"a/b","patientId":"1"}}'
    response = ehr.post(SERVICE, data=body % HOOK_INSTANCE.encode(), content_type=content_type)
    assert response.status_code == status
    outcome_of(response)


@pytest.mark.parametrize("accept", ["application/fhir+json, */*;q=0.1", "text/html", "x", ""])
def test_item_14_what_a_client_says_it_accepts_is_not_looked_at(ehr: FlaskClient, accept: str) -> None:
    response = ehr.post(SERVICE, json=call(chart()), headers={"Accept": accept})
    assert len(cards_of(response)) == 1


def test_item_14_of_two_members_of_one_name_the_last_counts(ehr: FlaskClient) -> None:
    body = json.dumps(call(chart())).encode()
    assert cards_of(ehr.post(SERVICE, data=body, content_type="application/json"))
    twice = body[:-1] + b', "hook": "order-sign"}'
    assert ehr.post(SERVICE, data=twice, content_type="application/json").status_code == 400
    twice = b'{"hook": "order-sign", ' + body[1:]
    assert cards_of(ehr.post(SERVICE, data=twice, content_type="application/json"))


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity", "x"])
def test_item_14_a_compressed_body_is_refused(ehr: FlaskClient, encoding: str) -> None:
    response = ehr.post(SERVICE, json=call(), headers={"Content-Encoding": encoding})
    assert response.status_code == 415
    outcome_of(response)


def test_item_14_a_body_that_is_too_large_is_refused_and_one_of_the_limit_is_read() -> None:
    small = client(Settings(max_body_bytes=1000))
    for size, status in ((1000, 400), (1001, 413)):
        response = small.post(SERVICE, data=b" " * size, content_type="application/json")
        assert response.status_code == status
        outcome_of(response)


def test_item_14_a_body_of_five_megabytes_passes(ehr: FlaskClient) -> None:
    padding = {"resourceType": "Observation", "id": "o", "note": [{"text": "x" * 5_000_000}]}
    cards_of(ehr.post(SERVICE, json=call(chart(observations=bundle(padding)))))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "id",
                    "entry",
                    "resource",
                    "code",
                    "coding",
                    "system",
                    "subject",
                    "reference",
                    "birthDate",
                    "status",
                    "text",
                    "value",
                    "link",
                    "relation",
                    "issue",
                    "severity",
                    "valueQuantity",
                    "bodySite",
                    "extension",
                    "url",
                    "category",
                    "onsetDateTime",
                ]
            )
            | st.text(max_size=8),
            children,
            max_size=5,
        )
    ),
    max_leaves=25,
)


PARTS = st.sampled_from(
    ["patient", "conditions", "observations", "procedures", "reports", "specimens", "orders"]
)


@SLOW
@given(body=JSON)
def test_item_14_no_json_body_is_ever_a_500(body: Any) -> None:
    response = EHR.post(SERVICE, data=json.dumps(body), content_type="application/json")
    assert response.status_code == 400
    outcome_of(response)


@SLOW
@given(prefetch=st.dictionaries(PARTS, JSON, max_size=7))
def test_item_14_no_prefetch_is_ever_a_500(prefetch: Any) -> None:
    response = EHR.post(SERVICE, json=call(prefetch))
    assert response.status_code in (200, 400, 412), response.text


@SLOW
@given(key=PARTS, member=st.sampled_from(sorted(NET)), value=JSON)
def test_item_14_no_value_in_a_resource_that_matters_is_ever_a_500(key: str, member: str, value: Any) -> None:
    broken = NET | {"id": "broken", member: value}
    response = EHR.post(SERVICE, json=call(chart() | {key: bundle(PATIENT, NET, LIVER, broken)}))
    assert response.status_code == 200, response.text


def test_item_14_a_bug_is_a_500_without_detail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr("cds_service.hooks.journey.gather", broken)
    response = client().post(SERVICE, json=call(chart()))
    assert response.status_code == InternalError.status
    outcome_of(response)
    assert CANARY not in response.text
    assert "KeyError" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("path", ["/", "/x", "/cds-services/a/b", f"{SERVICE}/x", f"{SERVICE}/feedback/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_item_14_an_unknown_address_is_told_in_json(ehr: FlaskClient, path: str, method: str) -> None:
    response = ehr.open(path, method=method)
    assert response.status_code == 404
    outcome_of(response)
