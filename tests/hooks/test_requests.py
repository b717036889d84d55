"""What a call may look like, and how it is told what is wrong. Numbers are those of the CDS Hooks checklist."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.errors import InternalError
from cds_service.settings import Settings
from tests.hooks.calls import (
    HOOK_INSTANCE,
    LIVER,
    NET,
    OUTCOME,
    PATIENT,
    SERVICE,
    bundle,
    call,
    cards_of,
    chart,
    client,
    condition,
    outcome_of,
)

EHR = client()
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


def test_9_a_call_with_nothing_but_the_required_members_is_answered(ehr: FlaskClient) -> None:
    response = ehr.post(SERVICE, json=call())
    assert response.status_code == 412
    assert outcome_of(response)["expression"] == ["prefetch.patient", "prefetch.conditions"]


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": 1}, "hook"),
        ({"hook": None}, "hook"),
        ({"hook": CANARY}, "hook"),
        ({"hook": "order-sign"}, "hook"),  # 11
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": CANARY}, "hookInstance"),
        ({"hookInstance": f"urn:uuid:{HOOK_INSTANCE}"}, "hookInstance"),
        ({"hookInstance": HOOK_INSTANCE + "\n"}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": []}, "context"),
        ({"context": {"patientId": "p1"}}, "context.userId"),
        ({"context": {"userId": "Practitioner/1"}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": 1}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": f"Patient/{CANARY}"}}, "context.patientId"),
        ({"context": {"userId": "Practitioner/1", "patientId": ""}}, "context.patientId"),
        (
            {"context": {"userId": "Practitioner/1", "patientId": "p1", "encounterId": 5}},
            "context.encounterId",
        ),
        ({"prefetch": [CANARY]}, "prefetch"),
        ({"prefetch": CANARY}, "prefetch"),
        ({"fhirServer": CANARY}, "fhirServer"),
        ({"fhirServer": "file:///etc/passwd"}, "fhirServer"),
        ({"fhirServer": 5}, "fhirServer"),
    ],
)
def test_10_and_11_a_wrong_member_is_named_and_never_repeated(
    ehr: FlaskClient, members: dict[str, Any], path: str
) -> None:
    response = ehr.post(
        SERVICE, json=call(chart()) | members if ... not in members.values() else call(**members)
    )
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert CANARY not in response.text
    assert "order-sign" not in response.text


TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "cds"}


@pytest.mark.parametrize(
    ("token", "path"),
    [
        (TOKEN | {"token_type": "bearer"}, "fhirAuthorization.token_type"),
        (TOKEN | {"token_type": CANARY}, "fhirAuthorization.token_type"),
        (TOKEN | {"expires_in": "300"}, "fhirAuthorization.expires_in"),
        (TOKEN | {"expires_in": 300.5}, "fhirAuthorization.expires_in"),
        (TOKEN | {"expires_in": True}, "fhirAuthorization.expires_in"),
        (TOKEN | {"expires_in": -1}, "fhirAuthorization.expires_in"),
        ({"token_type": "Bearer", "expires_in": 300}, "fhirAuthorization.access_token"),
        ("Bearer", "fhirAuthorization"),
    ],
)
def test_12_a_wrong_authorization_is_named(ehr: FlaskClient, token: Any, path: str) -> None:
    body = call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=token)
    response = ehr.post(SERVICE, json=body)
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert CANARY not in response.text


def test_12_an_authorization_needs_a_server(ehr: FlaskClient) -> None:
    response = ehr.post(SERVICE, json=call(chart(), fhirAuthorization=TOKEN))
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == ["fhirServer"]


def test_12_a_right_authorization_is_taken_also_without_scope_and_subject(ehr: FlaskClient) -> None:
    short = {name: TOKEN[name] for name in ("access_token", "token_type", "expires_in")}
    for token in (TOKEN, short, None):
        body = call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=token)
        cards_of(ehr.post(SERVICE, json=body))


def test_13_unknown_members_are_ignored_everywhere(ehr: FlaskClient) -> None:
    expected = cards_of(ehr.post(SERVICE, json=call(chart())))
    body = call(
        chart(surprise={"resourceType": "Patient", "id": "p2"}, other=5), extension={"a": [1]}, x=None
    )
    body["context"]["com.example"] = {"deep": []}
    assert cards_of(ehr.post(SERVICE, json=body)) == expected


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
def test_14_what_is_no_hook_request_is_a_400_in_json(ehr: FlaskClient, body: bytes) -> None:
    response = ehr.post(SERVICE, data=body, content_type="application/json")
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
def test_14_a_body_that_cannot_be_read_is_told_where(ehr: FlaskClient, body: bytes, path: str) -> None:
    response = ehr.post(SERVICE, data=body, content_type="application/json")
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert "CANARY" not in response.text


MARK = b"\xef\xbb\xbf"


def test_14_a_byte_order_mark_before_the_body_changes_nothing(ehr: FlaskClient) -> None:
    body = json.dumps(call(chart(observations=bundle(KI67)))).encode()
    plain = ehr.post(SERVICE, data=body, content_type="application/json")
    assert cards_of(plain)
    assert b"Observation/ki67" in plain.data
    assert ehr.post(SERVICE, data=MARK + body, content_type="application/json").data == plain.data


@pytest.mark.parametrize("start", [MARK + MARK, b" " + MARK, b"\xff\xfe"])
def test_14_a_mark_that_is_none_is_no_json(ehr: FlaskClient, start: bytes) -> None:
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
def test_14_json_and_fhir_json_are_the_media_types(
    ehr: FlaskClient, content_type: str | None, status: int
) -> None:
    body = b'{"hook":"patient-view","hookInstance":"%s","context":{"userId":"a/b","patientId":"1"}}'
    response = ehr.post(SERVICE, data=body % HOOK_INSTANCE.encode(), content_type=content_type)
    assert response.status_code == status
    outcome_of(response)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity", "x"])
def test_14_a_compressed_body_is_refused(ehr: FlaskClient, encoding: str) -> None:
    response = ehr.post(SERVICE, json=call(), headers={"Content-Encoding": encoding})
    assert response.status_code == 415
    outcome_of(response)


def test_14_a_body_that_is_too_large_is_refused_and_one_of_the_limit_is_read() -> None:
    small = client(Settings(max_body_bytes=1000))
    for size, status in ((1000, 400), (1001, 413)):
        response = small.post(SERVICE, data=b" " * size, content_type="application/json")
        assert response.status_code == status
        outcome_of(response)


def test_14_a_body_of_five_megabytes_passes(ehr: FlaskClient) -> None:
    padding = {"resourceType": "Observation", "id": "o", "note": [{"text": "x" * 5_000_000}]}
    cards_of(ehr.post(SERVICE, json=call(chart(observations=bundle(padding)))))


def test_15_a_complete_prefetch_is_answered_with_a_card(ehr: FlaskClient) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart())))
    assert card["extension"]["org.milan-net.assessment"]


@pytest.mark.parametrize("key", ["patient", "conditions"])
@pytest.mark.parametrize("value", [..., OUTCOME, bundle(OUTCOME), "<html>", 5, True, [], {}])
def test_17_a_required_key_that_did_not_arrive_is_a_412_naming_it(
    ehr: FlaskClient, key: str, value: Any
) -> None:
    prefetch = chart(conditions=bundle(condition("asthma", "J45.909"))) | {key: value}
    response = ehr.post(
        SERVICE, json=call({name: part for name, part in prefetch.items() if part is not ...})
    )
    assert response.status_code == 412
    issue = outcome_of(response)
    assert issue["expression"] == [f"prefetch.{key}"]
    assert key in issue["diagnostics"]


@pytest.mark.parametrize(
    "nothing", [None, bundle(), {"resourceType": "Bundle", "type": "searchset", "total": 0}]
)
def test_18_null_and_an_empty_bundle_are_no_data(ehr: FlaskClient, nothing: Any) -> None:
    for prefetch in (chart(conditions=nothing), {"patient": PATIENT, "conditions": nothing}):
        response = ehr.post(SERVICE, json=call(prefetch))
        assert cards_of(response) == []


@pytest.mark.parametrize("failed", [OUTCOME, bundle(OUTCOME)])
def test_19_a_failed_query_is_never_a_negative_finding(ehr: FlaskClient, failed: Any) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(observations=failed))))
    assert "Observation resources could not be read" in card["detail"]


def test_21_what_belongs_to_another_patient_is_not_used(ehr: FlaskClient) -> None:
    foreign = [NET | {"subject": {"reference": "Patient/p2"}}]
    assert cards_of(ehr.post(SERVICE, json=call(chart(conditions=bundle(*foreign))))) == []


def test_21_another_patient_in_place_of_the_one_in_the_context_is_a_412(ehr: FlaskClient) -> None:
    prefetch = chart(patient=PATIENT | {"id": "p2"}, conditions=bundle())
    assert ehr.post(SERVICE, json=call(prefetch)).status_code == 412


def test_21_what_was_entered_in_error_is_not_used(ehr: FlaskClient) -> None:
    status = {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                "code": "entered-in-error",
            }
        ]
    }
    prefetch = chart(conditions=bundle(NET | {"verificationStatus": status}))
    assert cards_of(ehr.post(SERVICE, json=call(prefetch))) == []


def test_22_shapes_of_older_fhir_versions_are_survived(ehr: FlaskClient) -> None:
    dstu2 = {
        "resourceType": "Condition",
        "id": "old",
        "patient": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C7A.012"}]},
        "category": {"coding": [{"code": "diagnosis"}]},
        "clinicalStatus": "active",
        "verificationStatus": "confirmed",
    }
    cards_of(ehr.post(SERVICE, json=call(chart(conditions=bundle(dstu2)))))


def test_24_the_same_call_gets_the_same_answer(ehr: FlaskClient) -> None:
    first = ehr.post(SERVICE, json=call(chart())).data
    assert ehr.post(SERVICE, json=call(chart())).data == first


@pytest.mark.parametrize("key", ["observations", "procedures", "reports", "specimens", "orders"])
def test_54_a_tumour_is_answered_with_a_card_that_says_what_was_not_sent(ehr: FlaskClient, key: str) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(**{key: ...}))))
    assert card["summary"]
    if key == "observations":
        assert "not sent" in card["detail"]


def test_54_a_tumour_is_answered_with_a_card_even_without_the_patient(ehr: FlaskClient) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(patient=...))))
    assert "not sent" in card["detail"]


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
def test_no_json_body_is_ever_a_500(body: Any) -> None:
    response = EHR.post(SERVICE, data=json.dumps(body), content_type="application/json")
    assert response.status_code == 400
    outcome_of(response)


@SLOW
@given(prefetch=st.dictionaries(PARTS, JSON, max_size=7))
def test_no_prefetch_is_ever_a_500(prefetch: Any) -> None:
    response = EHR.post(SERVICE, json=call(prefetch))
    assert response.status_code in (200, 400, 412), response.text


@SLOW
@given(key=PARTS, member=st.sampled_from(sorted(NET)), value=JSON)
def test_no_value_in_a_resource_that_matters_is_ever_a_500(key: str, member: str, value: Any) -> None:
    broken = NET | {"id": "broken", member: value}
    response = EHR.post(SERVICE, json=call(chart() | {key: bundle(PATIENT, NET, LIVER, broken)}))
    assert response.status_code == 200, response.text


def test_a_bug_is_a_500_without_detail(
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


NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


def test_20_a_truncated_page_is_never_a_negative_finding(ehr: FlaskClient) -> None:
    response = ehr.post(SERVICE, json=call(chart(conditions=bundle(link=NEXT))))
    assert response.status_code == 412
    assert outcome_of(response)["expression"] == ["prefetch.conditions"]


def test_20_what_a_truncated_page_does_say_is_used(ehr: FlaskClient) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(conditions=bundle(NET, LIVER, link=NEXT)))))
    assert "sent only a part" in card["detail"]


def test_25_without_a_trace_of_a_tumour_other_missing_keys_are_no_reason_to_speak(ehr: FlaskClient) -> None:
    prefetch = {
        "patient": PATIENT,
        "conditions": bundle(condition("asthma", "J45.909")),
        "observations": OUTCOME,
    }
    response = ehr.post(SERVICE, json=call(prefetch))
    assert response.json == {"cards": []}


def test_54_a_tumour_that_cannot_be_read_is_not_passed_over_in_silence(ehr: FlaskClient) -> None:
    broken = NET | {"onsetDateTime": "not a date"}
    (card,) = cards_of(
        ehr.post(SERVICE, json=call({"patient": PATIENT, "conditions": bundle(broken, LIVER)}))
    )
    assert "Condition\\/net" in card["detail"]


def test_25_patients_whom_the_criteria_do_not_concern_get_exactly_no_cards(ehr: FlaskClient) -> None:
    for prefetch in (
        chart(conditions=bundle(condition("asthma", "J45.909"))),
        chart(conditions=bundle(NET)),
        chart(patient=PATIENT | {"deceasedBoolean": True}),
        chart(patient=PATIENT | {"birthDate": "2015-01-01"}),
    ):
        assert ehr.post(SERVICE, json=call(prefetch)).data == b'{"cards":[]}'
