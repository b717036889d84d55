"""What the members of a call may be, and how it is told what is wrong (cds-hooks.md 2 and 10)."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.services import SERVICES, Service
from tests.conformance.hospital import OCCASIONS, Hospital, asking, call_of, context_of
from tests.faults.server import FaultyServer
from tests.hooks.calls import (
    HOOK_INSTANCE,
    SERVICE,
    call,
    cards_of,
    chart,
    client,
    outcome_of,
)

EHR = client()
DRAFTS = "draftOrders"
# What each context has to hold beside user and patient (cds-hooks.md 7): our occasions hold that, and for
# patient-view an encounter, which may be left out.
MEMBERS = {
    hook: ("userId", "patientId", *(occasion if hook != "patient-view" else ()))
    for hook, occasion in OCCASIONS.items()
}
EVERYTHING = {name: value for service in SERVICES for name, value in context_of(service).items()}
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
CANARY = "CANARY-4711"


@pytest.fixture
def ehr() -> FlaskClient:
    return EHR


@EACH_SERVICE
def test_item_09_a_call_with_nothing_but_the_required_members_is_answered(
    hospital: Hospital, service: Service
) -> None:
    response = hospital.ask(service, call_of(service, ...))
    if service.hook == "problem-list-item-create":  # whose context alone holds a tumour
        assert len(cards_of(response)) == 1
    else:
        assert response.status_code == 412
        assert outcome_of(response)["expression"] == ["prefetch.patient", "prefetch.conditions"]


@pytest.mark.parametrize("service", [service for service in SERVICES if DRAFTS in MEMBERS[service.hook]])
def test_item_09_nor_is_a_record_asked_for_where_no_order_concerns_us(
    hospital: Hospital, service: Service
) -> None:
    context = context_of(service) | {"draftOrders": {"resourceType": "Bundle", "type": "collection"}}
    assert cards_of(hospital.ask(service, call_of(service, ..., context=context))) == []


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
def test_item_10_and_11_a_wrong_member_is_named_and_never_repeated(
    ehr: FlaskClient, members: dict[str, Any], path: str
) -> None:
    response = ehr.post(
        SERVICE, json=call(chart()) | members if ... not in members.values() else call(**members)
    )
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert CANARY not in response.text
    assert "order-sign" not in response.text


REQUIRED = [(service, member) for service in SERVICES for member in MEMBERS[service.hook]]


@pytest.mark.parametrize(("service", "member"), REQUIRED, ids=str)
@pytest.mark.parametrize("value", [..., None, 5, True])
def test_item_10_each_member_that_a_context_must_have_is_asked_for(
    hospital: Hospital, service: Service, member: str, value: Any
) -> None:
    context = context_of(service) | {member: value}
    given = {name: part for name, part in context.items() if part is not ...}
    response = hospital.ask(service, call_of(service, context=given))
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [f"context.{member}"]


@EACH_SERVICE
@pytest.mark.parametrize("other", SERVICES, ids=lambda service: service.hook)
def test_item_10_the_context_of_another_hook_will_do_if_it_has_what_is_needed(
    hospital: Hospital, service: Service, other: Service
) -> None:
    context = context_of(other)
    response = hospital.ask(service, call_of(service, context=context))
    assert response.status_code == (200 if set(MEMBERS[service.hook]) <= set(context) else 400)
    if response.status_code == 200:
        assert len(cards_of(response)) == 1


@EACH_SERVICE
@pytest.mark.parametrize("other", SERVICES, ids=lambda service: service.hook)
def test_item_11_each_service_answers_its_own_hook_and_no_other(
    hospital: Hospital, service: Service, other: Service
) -> None:
    response = hospital.ask(service, call_of(service, hook=other.hook, context=EVERYTHING))
    assert response.status_code == (200 if service is other else 400)
    if service is not other:
        assert outcome_of(response)["expression"] == ["hook"]


def test_item_10_a_hook_instance_may_be_in_upper_case_and_means_the_same(ehr: FlaskClient) -> None:
    expected = cards_of(ehr.post(SERVICE, json=call(chart())))
    assert cards_of(ehr.post(SERVICE, json=call(chart(), hookInstance=HOOK_INSTANCE.upper()))) == expected


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
def test_item_12_a_wrong_authorization_is_named(ehr: FlaskClient, token: Any, path: str) -> None:
    body = call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=token)
    response = ehr.post(SERVICE, json=body)
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert CANARY not in response.text


def test_item_12_a_whole_number_of_seconds_may_be_written_with_a_point(ehr: FlaskClient) -> None:
    body = json.dumps(call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=TOKEN))
    text = body.replace('"expires_in": 300', '"expires_in": 300.0')
    assert text != body
    assert ehr.post(SERVICE, data=text, content_type="application/json").status_code == 200


def test_item_12_an_authorization_needs_a_server(ehr: FlaskClient) -> None:
    response = ehr.post(SERVICE, json=call(chart(), fhirAuthorization=TOKEN))
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == ["fhirServer"]


def test_item_12_a_right_authorization_is_taken_also_without_scope_and_subject(ehr: FlaskClient) -> None:
    short = {name: TOKEN[name] for name in ("access_token", "token_type", "expires_in")}
    for token in (TOKEN, short, None):
        body = call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=token)
        cards_of(ehr.post(SERVICE, json=body))


@EACH_SERVICE
@pytest.mark.parametrize(
    "wrong", [{"token_type": "MAC"}, {"expires_in": "300"}, {"access_token": 5}, {"patient": "p2"}]
)
def test_item_12_and_then_nobody_is_called(tmp_path: Path, service: Service, wrong: Any) -> None:
    with FaultyServer() as server, Hospital(tmp_path, **asking(server)) as hospital:
        body = call_of(service, ..., fhirServer=server.base, fhirAuthorization=TOKEN | wrong)
        assert hospital.ask(service, body).status_code == 400
        assert server.connections == 0


UNKNOWN = {
    "extension": {"com.example": [1], "davinci-crd.configuration": {"max-cards": 1}},
    "x": None,
    "y": [],
}


@EACH_SERVICE
def test_item_13_unknown_members_are_ignored_everywhere(hospital: Hospital, service: Service) -> None:
    expected = cards_of(hospital.ask(service))
    body = call_of(service, chart(surprise={"resourceType": "Patient", "id": "p2"}, other=5), **UNKNOWN)
    body["context"] |= {"com.example": {"deep": []}} | UNKNOWN
    assert cards_of(hospital.ask(service, body)) == expected
    assert expected


@EACH_SERVICE
@pytest.mark.parametrize("members", [{"fhirServer": None, "fhirAuthorization": None, "extension": None}, {}])
def test_item_13_an_optional_member_that_is_null_is_as_good_as_left_out(
    hospital: Hospital, service: Service, members: Any
) -> None:
    context = {"encounterId": None} | context_of(service)
    if "encounterId" not in MEMBERS[service.hook]:
        context["encounterId"] = None
    body = call_of(service, context=context, **members)
    assert cards_of(hospital.ask(service, body)) == cards_of(hospital.ask(service))


@EACH_SERVICE
@pytest.mark.parametrize("nothing", [None, {}])
def test_item_13_so_is_an_empty_prefetch(hospital: Hospital, service: Service, nothing: Any) -> None:
    bare = hospital.ask(service, call_of(service, ...))
    assert hospital.ask(service, call_of(service, nothing)).data == bare.data


def test_item_13_also_where_a_token_is_given(ehr: FlaskClient) -> None:
    body = call(chart(), fhirServer="https://ehr.example.org/fhir", fhirAuthorization=TOKEN | UNKNOWN)
    assert cards_of(ehr.post(SERVICE, json=body))
