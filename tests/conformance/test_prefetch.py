"""What a prefetch may hold, what is fetched instead, and what is said when neither brings it (cds-hooks.md 2.3 and 10)."""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.services import SERVICES, Service
from fhir_mappings.record import PARTS
from tests.conformance.hospital import SAMPLES, Hospital, asking, call_of, context_of, sample
from tests.faults.server import Exchange, FaultyServer
from tests.hooks.calls import (
    LIVER,
    NET,
    OUTCOME,
    PATIENT,
    SERVICE,
    Body,
    bundle,
    call,
    cards_of,
    chart,
    client,
    condition,
    outcome_of,
    strict,
)

EHR = client()
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
TOKEN = {
    "access_token": "canary-token",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "x",
    "subject": "c",
}
KI67 = {
    "resourceType": "Observation",
    "id": "ki67",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29593-1"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-10-20",
    "valueQuantity": {"value": 3, "unit": "%"},
}
ON_SERVER = (PATIENT, NET, LIVER, KI67)
WITHOUT_TUMOUR = bundle(condition("asthma", "J45.909"))
WITH_TUMOUR_IN_CONTEXT = ("problem-list-item-create",)


@pytest.fixture
def ehr() -> FlaskClient:
    return EHR


def granted(server: FaultyServer) -> Body:
    return {"fhirServer": server.base, "fhirAuthorization": TOKEN}


@EACH_SERVICE
def test_item_15_a_complete_prefetch_is_answered_without_a_call(tmp_path: Path, service: Service) -> None:
    with FaultyServer() as server, Hospital(tmp_path, **asking(server)) as hospital:
        (card,) = cards_of(hospital.ask(service, call_of(service, **granted(server))))
        assert card["extension"]["org.milan-net.assessment"]
        assert server.connections == 0


@EACH_SERVICE
@pytest.mark.parametrize("missing", [tuple(PARTS), ("patient",), ("observations",), ("conditions", "orders")])
def test_item_16_what_is_absent_is_fetched_with_the_token_to_the_same_answer(
    tmp_path: Path, service: Service, missing: tuple[str, ...]
) -> None:
    whole = chart(observations=bundle(KI67))
    part = {key: value for key, value in whole.items() if key not in missing}
    with FaultyServer(resources=ON_SERVER) as server, Hospital(tmp_path, **asking(server)) as hospital:
        expected = cards_of(hospital.ask(service, call_of(service, whole)))
        found = cards_of(hospital.ask(service, call_of(service, part or ..., **granted(server))))
        assert found == expected
        assert len(server.seen) == len(missing)
        assert server.tokens == {"Bearer canary-token"}
        assert len(expected) == 1


@EACH_SERVICE
@pytest.mark.parametrize(
    "given", [{}, {"fhirServer": "https://ehr.example.org/fhir"}], ids=["none", "no token"]
)
@pytest.mark.parametrize("key", ["patient", "conditions"])
def test_item_17_a_required_key_without_access_is_a_412_that_names_it(
    hospital: Hospital, service: Service, key: str, given: Body
) -> None:
    prefetch = chart(**({"conditions": WITHOUT_TUMOUR} | {key: ...}))
    response = hospital.ask(service, call_of(service, prefetch, **given))
    if service.hook in WITH_TUMOUR_IN_CONTEXT:  # where the conditions are all there, they hold no metastasis
        assert len(cards_of(response)) == (key == "conditions")
    else:
        assert response.status_code == 412
        assert outcome_of(response)["expression"] == [f"prefetch.{key}"]


@EACH_SERVICE
def test_item_17_a_required_key_whose_query_failed_is_a_412(tmp_path: Path, service: Service) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.answer(json.dumps(OUTCOME).encode(), 403)

    with FaultyServer(refuse) as server, Hospital(tmp_path, **asking(server)) as hospital:
        response = hospital.ask(service, call_of(service, chart(conditions=...), **granted(server)))
        assert server.seen
        if service.hook in WITH_TUMOUR_IN_CONTEXT:
            assert len(cards_of(response)) == 1
        else:
            assert response.status_code == 412
            assert outcome_of(response)["expression"] == ["prefetch.conditions"]


@EACH_SERVICE
@pytest.mark.parametrize("nothing", [None, bundle()], ids=["null", "empty"])
def test_item_18_no_data_is_not_asked_for_again(tmp_path: Path, service: Service, nothing: Any) -> None:
    prefetch = {"patient": PATIENT} | dict.fromkeys(list(PARTS)[1:], nothing)
    with FaultyServer() as server, Hospital(tmp_path, **asking(server)) as hospital:
        response = hospital.ask(service, call_of(service, prefetch, **granted(server)))
        cards_of(response)
        assert server.connections == 0


@EACH_SERVICE
@pytest.mark.parametrize("failed", [OUTCOME, bundle(OUTCOME)], ids=["value", "entry"])
@pytest.mark.parametrize("key", list(PARTS)[2:])
def test_item_19_a_failed_query_is_not_repeated(
    tmp_path: Path, service: Service, failed: Body, key: str
) -> None:
    with FaultyServer() as server, Hospital(tmp_path, **asking(server)) as hospital:
        body = call_of(service, chart(**{key: failed}), **granted(server))
        assert len(cards_of(hospital.ask(service, body))) == 1
        assert server.connections == 0


@EACH_SERVICE
@pytest.mark.parametrize("failed", [OUTCOME, bundle(OUTCOME)], ids=["value", "entry"])
def test_item_19_without_the_observations_nobody_meets_the_criteria(
    hospital: Hospital, service: Service, failed: Body
) -> None:
    body = sample(SAMPLES / "01-meets.json", service)
    body["prefetch"] = body["prefetch"] | {"observations": failed}
    (card,) = cards_of(hospital.ask(service, body))
    assert card["summary"].startswith("Possible candidate")
    assert "Observation resources could not be read" in card["detail"]


@EACH_SERVICE
def test_item_20_all_pages_are_used(tmp_path: Path, service: Service) -> None:
    with (
        FaultyServer(resources=ON_SERVER, page_size=1) as server,
        Hospital(tmp_path, **asking(server)) as hospital,
    ):
        expected = cards_of(hospital.ask(service, call_of(service, chart(observations=bundle(KI67)))))
        link = [{"relation": "next", "url": f"{server.base}/Condition?patient=p1&page=2"}]
        prefetch = chart(observations=bundle(KI67), conditions=bundle(NET, link=link))
        found = cards_of(hospital.ask(service, call_of(service, prefetch, **granted(server))))
        assert [seen.target for seen in server.seen] == ["/fhir/Condition?patient=p1&page=2"]
        assert found == expected


@EACH_SERVICE
def test_item_20_a_page_elsewhere_is_not_asked_for_and_what_is_missing_is_told(
    tmp_path: Path, service: Service
) -> None:
    with (
        FaultyServer(resources=ON_SERVER) as server,
        FaultyServer(resources=ON_SERVER) as stranger,
        Hospital(tmp_path, **asking(server)) as hospital,
    ):
        link = [{"relation": "next", "url": f"{stranger.base}/Condition?patient=p1&page=2"}]
        prefetch = chart(conditions=bundle(NET, LIVER, link=link))
        (card,) = cards_of(hospital.ask(service, call_of(service, prefetch, **granted(server))))
        assert (server.connections, stranger.connections) == (0, 0)
        assert "sent only a part" in card["detail"]


@EACH_SERVICE
def test_item_21_the_record_of_another_patient_says_nothing(hospital: Hospital, service: Service) -> None:
    foreign = [item | {"subject": {"reference": "Patient/p2"}} for item in (NET, LIVER, KI67)]
    context = context_of(service)
    if service.hook in WITH_TUMOUR_IN_CONTEXT:
        context["conditions"] = bundle(foreign[0])
    prefetch = chart(conditions=bundle(*foreign[:2]), observations=bundle(foreign[2]))
    assert hospital.ask(service, call_of(service, prefetch, context=context)).status_code == 412


def test_item_21_an_answer_about_another_patient_is_no_all_clear_for_one_with_a_tumour(
    ehr: FlaskClient,
) -> None:
    foreign = [item | {"subject": {"reference": "Patient/p2"}} for item in (NET, LIVER)]
    grade = {
        "resourceType": "Observation",
        "id": "histology",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "59847-4"}]},
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "128928004"}]},
    }
    prefetch = chart(conditions=bundle(*foreign), observations=bundle(grade))
    (card,) = cards_of(ehr.post(SERVICE, json=call(prefetch)))
    assert "another patient" in card["detail"]


DSTU2 = {
    "resourceType": "Condition",
    "id": "old",
    "patient": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C7A.012"}]},
    "category": {"coding": [{"code": "diagnosis"}]},
    "clinicalStatus": "active",
    "verificationStatus": "confirmed",
}
STU3 = DSTU2 | {"subject": DSTU2["patient"], "category": [{"coding": [{"code": "problem-list-item"}]}]}
ORDER_2 = {
    "resourceType": "DiagnosticOrder",
    "subject": {"reference": "Patient/p1"},
    "item": [{"code": {"text": "x"}}],
}
ORDER_3 = {"resourceType": "ReferralRequest", "type": {"text": "x"}, "subject": {"reference": "Patient/p1"}}


@EACH_SERVICE
@pytest.mark.parametrize(
    "shape", [DSTU2, STU3, ORDER_2, ORDER_3], ids=["DSTU2", "STU3", "order 2", "order 3"]
)
def test_item_22_shapes_of_older_fhir_versions_are_survived(
    hospital: Hospital, service: Service, shape: Body
) -> None:
    patient = PATIENT | {"careProvider": [{"reference": "Practitioner/1"}], "active": "true"}
    prefetch = chart(patient=patient, conditions=bundle(shape, shape), orders=bundle(shape))
    context = context_of(service)
    for name in ("draftOrders", "conditions", "appointments"):
        if name in context:
            context[name]["entry"].append({"resource": shape})
    response = hospital.ask(service, call_of(service, prefetch, context=context))
    assert response.status_code in (200, 412)
    strict(response.data)


@EACH_SERVICE
def test_item_23_an_ordinary_chart_is_answered_within_half_a_second(
    hospital: Hospital, service: Service
) -> None:
    body = sample(SAMPLES / "01-meets.json", service)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        cards_of(hospital.ask(service, body))
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5


@EACH_SERVICE
def test_item_23_a_server_that_hangs_is_given_up_in_time_and_told(tmp_path: Path, service: Service) -> None:
    def hang(exchange: Exchange) -> None:
        exchange.pause(10)
        exchange.reset()

    with FaultyServer(hang) as server, Hospital(tmp_path, deadline_ms=400, **asking(server)) as hospital:
        began = time.perf_counter()
        response = hospital.ask(service, call_of(service, chart(observations=...), **granted(server)))
        assert time.perf_counter() - began < 0.4 + 2.0  # machines that run tests are busy
        (card,) = cards_of(response)
    assert "Observation resources could not be read" in card["detail"]


@EACH_SERVICE
def test_item_24_the_same_body_gets_the_same_bytes(
    tmp_path: Path, hospital: Hospital, service: Service
) -> None:
    body = sample(SAMPLES / "01-meets.json", service)
    first = hospital.ask(service, body)
    assert hospital.ask(service, body).data == first.data
    with Hospital(tmp_path) as another:  # another process, another database
        assert another.ask(service, body).data == first.data


@EACH_SERVICE
def test_item_24_another_instance_gets_the_same_advice_under_other_uuids(
    hospital: Hospital, service: Service
) -> None:
    (one,) = cards_of(hospital.ask(service))
    (two,) = cards_of(hospital.ask(service, call_of(service, hookInstance=str(uuid4()))))
    assert one["uuid"] != two["uuid"]
    for name in ("summary", "detail", "indicator", "source", "extension"):
        assert one[name] == two[name]


@EACH_SERVICE
def test_item_24_nothing_of_one_call_is_left_for_the_next(hospital: Hospital, service: Service) -> None:
    expected = cards_of(hospital.ask(service))
    hospital.ask(service, sample(SAMPLES / "02-ki67-12-percent.json", service))
    assert cards_of(hospital.ask(service)) == expected


@EACH_SERVICE
def test_item_54_a_tumour_with_nothing_else_is_a_card_that_says_what_is_missing(
    hospital: Hospital, service: Service
) -> None:
    (card,) = cards_of(hospital.ask(service, call_of(service, {"conditions": bundle(NET, LIVER)})))
    assert "not sent" in card["detail"]
    assert card["summary"].startswith("Possible candidate")


@pytest.mark.parametrize("key", ["patient", "conditions"])
@pytest.mark.parametrize("value", [..., OUTCOME, bundle(OUTCOME), "<html>", 5, True, [], {}])
def test_item_17_a_required_key_that_did_not_arrive_is_a_412_naming_it(
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
def test_item_18_null_and_an_empty_bundle_are_no_data(ehr: FlaskClient, nothing: Any) -> None:
    for prefetch in (chart(conditions=nothing), {"patient": PATIENT, "conditions": nothing}):
        response = ehr.post(SERVICE, json=call(prefetch))
        assert cards_of(response) == []


def test_item_21_what_belongs_to_another_patient_is_not_used(ehr: FlaskClient) -> None:
    foreign = [NET | {"subject": {"reference": "Patient/p2"}}, condition("bp", "I10")]
    assert cards_of(ehr.post(SERVICE, json=call(chart(conditions=bundle(*foreign))))) == []


def test_item_21_another_patient_in_place_of_the_one_in_the_context_is_a_412(ehr: FlaskClient) -> None:
    prefetch = chart(patient=PATIENT | {"id": "p2"}, conditions=bundle())
    assert ehr.post(SERVICE, json=call(prefetch)).status_code == 412


def test_item_21_what_was_entered_in_error_is_not_used(ehr: FlaskClient) -> None:
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


@pytest.mark.parametrize("key", ["observations", "procedures", "reports", "specimens", "orders"])
def test_item_54_a_tumour_is_answered_with_a_card_that_says_what_was_not_sent(
    ehr: FlaskClient, key: str
) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(**{key: ...}))))
    assert card["summary"]
    if key == "observations":
        assert "not sent" in card["detail"]


def test_item_54_a_tumour_is_answered_with_a_card_even_without_the_patient(ehr: FlaskClient) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(patient=...))))
    assert "not sent" in card["detail"]


NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


def test_item_20_a_truncated_page_is_never_a_negative_finding(ehr: FlaskClient) -> None:
    response = ehr.post(SERVICE, json=call(chart(conditions=bundle(link=NEXT))))
    assert response.status_code == 412
    assert outcome_of(response)["expression"] == ["prefetch.conditions"]


def test_item_20_what_a_truncated_page_does_say_is_used(ehr: FlaskClient) -> None:
    (card,) = cards_of(ehr.post(SERVICE, json=call(chart(conditions=bundle(NET, LIVER, link=NEXT)))))
    assert "sent only a part" in card["detail"]


def test_item_54_a_tumour_that_cannot_be_read_is_not_passed_over_in_silence(ehr: FlaskClient) -> None:
    broken = NET | {"onsetDateTime": "not a date"}
    (card,) = cards_of(
        ehr.post(SERVICE, json=call({"patient": PATIENT, "conditions": bundle(broken, LIVER)}))
    )
    assert "Condition\\/net" in card["detail"]
