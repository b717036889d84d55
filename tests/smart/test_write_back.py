"""What a user attests is offered to the EHR once, under an identifier, and what became of it is told for each resource."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cds_service.addresses import parse_base
from cds_service.smart.scopes import WRITTEN, wanted
from cds_service.smart.sessions import Session
from cds_service.smart.write_back import SENTENCES, Outcome, open_types, write
from tests.smart.hospital import Hospital

Open = Callable[..., Hospital]
READS = "launch openid fhirUser patient/*.rs"
WRITES = (
    f"{READS} patient/Observation.c patient/QuestionnaireResponse.c patient/Procedure.c patient/Condition.c"
)
FORM = "urn:uuid:5a0f3f0e-0000-4000-8000-000000000001"


def resource(kind: str, name: str, patient: str = "p1", **members: Any) -> dict[str, Any]:
    identifier: Any = {"system": "urn:milan-net:attested", "value": name}
    return {
        "resourceType": kind,
        "identifier": identifier if kind == "QuestionnaireResponse" else [identifier],
        "subject": {"reference": f"Patient/{patient}"},
        **members,
    }


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    first = {"fullUrl": FORM, "resource": resource("QuestionnaireResponse", "form")}
    rest = [{"fullUrl": f"urn:uuid:{number}", "resource": item} for number, item in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": [first, *rest]}


def observation(name: str = "ki67", **members: Any) -> dict[str, Any]:
    return resource("Observation", name, **{"derivedFrom": [{"reference": FORM}]} | members)


def signed_in(house: Hospital, scopes: str = WRITES) -> Session:
    house.ehr.granted = scopes
    return house.launched()


def outcomes(house: Hospital, session: Session, sent: dict[str, Any]) -> list[Outcome]:
    return [item.outcome for item in write(session, sent, house.launching.errands)]


@pytest.fixture(params=["each", "transaction"])
def house(request: pytest.FixtureRequest, open_hospital: Open) -> Hospital:
    return open_hospital(write_back=request.param)


def test_every_resource_is_stored_and_its_place_is_told(house: Hospital) -> None:
    session = signed_in(house)
    written = write(session, bundle(observation()), house.launching.errands)
    assert [item.outcome for item in written] == [Outcome.STORED, Outcome.STORED]
    assert [item.reference for item in written] == ["QuestionnaireResponse/w0", "Observation/w1"]
    assert [item.sentence for item in written] == ["The EHR has stored it."] * 2
    assert [item["resourceType"] for item in house.ehr.written] == ["QuestionnaireResponse", "Observation"]


def test_what_is_sent_twice_is_stored_once(house: Hospital) -> None:
    session = signed_in(house)
    assert outcomes(house, session, bundle(observation())) == [Outcome.STORED] * 2
    assert outcomes(house, session, bundle(observation())) == [Outcome.THERE] * 2
    assert len(house.ehr.written) == 2


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        (READS, [Outcome.FORBIDDEN, Outcome.FORBIDDEN]),
        (f"{READS} patient/Observation.c", [Outcome.FORBIDDEN, Outcome.UNREACHED]),
        (
            f"{READS} patient/QuestionnaireResponse.c patient/Observation.u",
            [Outcome.UNREACHED, Outcome.FORBIDDEN],
        ),
    ],
)
def test_without_the_scopes_nothing_is_sent_and_it_is_told_what_is_not_allowed(
    house: Hospital, scopes: str, told: list[Outcome]
) -> None:
    session = signed_in(house, scopes)
    assert outcomes(house, session, bundle(observation())) == told
    assert house.ehr.written == []


def test_an_operation_is_not_sent_where_only_observations_may_be(house: Hospital) -> None:
    session = signed_in(house, f"{READS} patient/Observation.c patient/QuestionnaireResponse.c")
    sent = bundle(observation(), resource("Procedure", "resection"))
    assert outcomes(house, session, sent) == [Outcome.UNREACHED, Outcome.UNREACHED, Outcome.FORBIDDEN]
    assert house.ehr.written == []


@pytest.mark.parametrize("kind", ["Procedure", "Condition"])
def test_an_operation_and_a_refuted_finding_are_stored_with_the_scopes_that_are_asked_for(
    house: Hospital, kind: str
) -> None:
    assert outcomes(house, house.launched(), bundle(resource(kind, "one"))) == [Outcome.STORED] * 2


def test_scopes_of_the_older_form_do(house: Hospital) -> None:
    session = signed_in(house, f"{READS} patient/Observation.write patient/QuestionnaireResponse.write")
    assert open_types(session) == {"Observation", "QuestionnaireResponse"}
    assert outcomes(house, session, bundle(observation())) == [Outcome.STORED] * 2


def test_a_tenant_that_does_not_want_it_is_sent_nothing(open_hospital: Open) -> None:
    house = open_hospital()
    session = signed_in(house)
    assert open_types(session) is None
    assert outcomes(house, session, bundle()) == [Outcome.FORBIDDEN]


def test_scopes_to_write_are_asked_for_where_the_tenant_wants_it(house: Hospital) -> None:
    house.launched()
    asked = set(house.ehr.asked[0]["scope"].split())
    assert asked >= {f"patient/{kind}.c" for kind in WRITTEN}


@pytest.mark.parametrize(("has_v2", "ending"), [(True, "c"), (False, "write")])
def test_everything_that_an_answer_is_written_as_is_asked_for(
    house: Hospital, ending: str, *, has_v2: bool
) -> None:
    smart = house.launched().tenant.smart
    assert smart is not None
    asked = set(wanted(smart, has_v2=has_v2))
    for kind in ("QuestionnaireResponse", "Observation", "Procedure", "Condition"):
        assert f"patient/{kind}.{ending}" in asked


@pytest.mark.parametrize(
    "other", [{"subject": {"reference": "Patient/p2"}}, {"subject": {}}, {"identifier": []}]
)
def test_nothing_is_sent_where_one_resource_is_about_another_patient_or_has_no_identifier(
    house: Hospital, other: dict[str, Any]
) -> None:
    assert outcomes(house, signed_in(house), bundle(observation(**other))) == [Outcome.UNREACHED] * 2
    assert house.ehr.written == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.FORBIDDEN),
        (403, Outcome.FORBIDDEN),
        (400, Outcome.REJECTED),
        (412, Outcome.REJECTED),
        (422, Outcome.REJECTED),
        (408, Outcome.UNKNOWN),
        (302, Outcome.UNKNOWN),
        (500, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
    ],
)
def test_a_refusal_is_told_for_what_it_is(house: Hospital, status: int, outcome: Outcome) -> None:
    session = signed_in(house)
    house.ehr.write_status = status
    told = write(session, bundle(), house.launching.errands)
    assert [item.outcome for item in told] == [outcome]
    assert told[0].reference is None


def test_what_refers_to_a_resource_that_was_not_stored_is_not_sent(open_hospital: Open) -> None:
    house = open_hospital(write_back="each")
    session = signed_in(house)
    house.ehr.write_status = 422
    sent = bundle(observation(), observation("alone", derivedFrom=[]))
    assert outcomes(house, session, sent) == [Outcome.REJECTED, Outcome.UNREACHED, Outcome.REJECTED]


def test_one_by_one_a_reference_leads_to_where_its_fellow_now_is(open_hospital: Open) -> None:
    house = open_hospital(write_back="each")
    write(signed_in(house), bundle(observation()), house.launching.errands)
    assert house.ehr.written[1]["derivedFrom"] == [{"reference": "QuestionnaireResponse/w0"}]


def test_what_is_not_heard_of_is_sent_once_and_said_to_be_unknown(open_hospital: Open) -> None:
    house = open_hospital(write_back="each", seconds=0.5)
    session = signed_in(house)
    house.ehr.pause = {"/QuestionnaireResponse": 3.0}
    assert outcomes(house, session, bundle()) == [Outcome.UNKNOWN]
    assert house.ehr.requests.count("/fhir/QuestionnaireResponse") == 1
    assert "Look in the chart" in SENTENCES[Outcome.UNKNOWN]


def test_a_server_that_is_gone_got_nothing(open_hospital: Open) -> None:
    gone = "http://127.0.0.1:1/fhir"
    house = open_hospital(write_back="each", fhir_servers=(open_hospital().ehr.base, gone))
    session = replace(signed_in(house), base=parse_base(gone))
    assert outcomes(house, session, bundle()) == [Outcome.UNREACHED]


def test_a_transaction_that_is_answered_by_halves_is_not_known(open_hospital: Open) -> None:
    house = open_hospital(write_back="transaction")
    session = signed_in(house)
    house.ehr.write_status = 200  # with an empty body
    assert outcomes(house, session, bundle(observation())) == [Outcome.UNKNOWN] * 2
