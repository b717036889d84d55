"""The JSON of an assessment: valid against its schema, free of nulls, and in words that promise nothing."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import PARAMETERS, Policy, policies, policy
from cds_service.eligibility.rendering import as_json
from cds_service.eligibility.verdict import Flag, Nature, Verdict
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Facts,
    GapKind,
    Issue,
    Mending,
    OpenOrder,
    OrderKind,
    OrderState,
    Presence,
)
from tests.eligibility.builders import FACT_NAMES, LISTED, ON, VECTORS, day, facts, gap, ki67, known
from tests.eligibility.test_knowledge import CHARTS, POLICIES
from tests.eligibility.test_verdict import GATES, ORDERS

SCHEMA = json.loads((files("cds_service.eligibility") / "assessment.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
FORBIDDEN = ("eligible", "contraindicat")


def rendered(chart: Facts, item: Policy | None = None) -> dict[str, Any]:
    return as_json(assess(chart, item or policies()[0], ON, policies()))


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("item", policies(), ids=lambda item: item.id)
@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_valid_under_every_policy(name: str, item: Policy):
    VALIDATOR.validate(rendered(VECTORS[name][0], item))


@pytest.mark.parametrize(
    "changes", [*(item[0] for item in GATES.values()), *(item[0] for item in ORDERS.values())]
)
def test_every_gate_and_every_order_is_valid(changes: dict[str, Any]):
    VALIDATOR.validate(rendered(facts(**changes)))


def test_orders_in_doubt_orders_set_aside_and_what_is_foreign_are_valid():
    old = OpenOrder(OrderKind.TRANSPLANT_REFERRAL, "ServiceRequest/old", day("2015"))
    doubtful = OpenOrder(OrderKind.TRANSPLANT_REFERRAL, "ServiceRequest/x", None, OrderState.DOUBTFUL, "odd")
    mri = OpenOrder(OrderKind.LIVER_MRI, "ServiceRequest/mri", day("2026-11-01"), OrderState.DRAFT)
    pet = OpenOrder(OrderKind.SOMATOSTATIN_RECEPTOR_PET, "ServiceRequest/pet")  # that nothing asks for
    open_orders = known((old, doubtful, mri, pet))
    missing = rendered(facts(open_orders=open_orders, liver_involvement_percent=gap()))
    VALIDATOR.validate(missing)
    (placed,) = missing["ordersPlaced"]
    assert (placed["reference"], placed["reason"]) == ("ServiceRequest/mri", "already there: a draft")
    found = rendered(facts(open_orders=known((old, doubtful)), foreign=("Observation/x",)))
    VALIDATOR.validate(found)
    assert found["ordersInDoubt"] == ["transplant-referral"]
    assert [item["reference"] for item in found["ordersSetAside"]] == [
        "ServiceRequest/old",
        "ServiceRequest/x",
    ]
    assert found["foreign"] == {"count": 1, "references": ["Observation/x"]}


def test_what_was_not_read_is_told_by_its_clause_and_left_out_where_all_was():
    clause = "Specimen resources could not be read: the EHR's query for them failed"
    found = rendered(facts(unread_parts=(clause,)))
    VALIDATOR.validate(found)
    assert found["notAssessed"] == [clause]
    assert "notAssessed" not in rendered(facts())


@given(chart=CHARTS, item=POLICIES)
@settings(max_examples=50)
def test_any_chart_is_valid(chart: Facts, item: Policy):
    VALIDATOR.validate(rendered(chart, item))


@pytest.mark.parametrize("kind", GapKind)
def test_a_chart_of_gaps_is_valid(kind: GapKind):
    VALIDATOR.validate(rendered(facts(**{name: gap(kind) for name in FACT_NAMES})))


def test_the_schema_knows_the_words_of_the_code_and_no_others():
    definitions, top = SCHEMA["$defs"], SCHEMA["properties"]
    criterion = definitions["criterion"]["properties"]
    assert definitions["verdict"]["enum"] == [item.value for item in Verdict]
    assert definitions["criterionId"]["enum"] == list(PARAMETERS)
    assert criterion["flags"]["items"]["enum"] == [item.value for item in Flag]
    assert criterion["nature"]["enum"] == [item.value for item in Nature]
    assert criterion["gap"]["enum"] == [item.value for item in GapKind]
    assert definitions["orderKind"]["enum"] == [item.value for item in OrderKind]
    assert set(top["gate"]["enum"]) == {gate for _, gate in GATES.values()}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "eligible"),
        (("criteria", 0, "verdict"), "no"),
        (("criteria", 0, "evidence"), None),
        (("criteria",), []),
        (("evaluatedOn",), "yesterday"),
        (("gate",), "deceased"),
        (("surprise",), 1),
    ],
)
def test_the_schema_refuses_what_it_should(path: tuple[Any, ...], value: Any):
    document = rendered(facts())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(document)


def test_everything_that_an_assessment_holds_is_rendered():
    seen = Evidence(
        "Observation/1", "valueQuantity", day("2026-10"), "http://loinc.org|29593-1", "Ki-67", "12 %"
    )
    fact = replace(ki67("12"), evidence=(seen,), discarded=(Discarded(seen, "older"),))
    chart = facts(
        ki67_percent=fact,
        other_malignancy=known(Presence.PRESENT),
        issues=(Issue("Observation/2", "no code", ("ki67_percent",)),),
        mendings=(Mending("Patient/1", "name", "a list"),),
        birth_date=known(day("1966-12-01")),
    )
    found = rendered(chart)
    index = next(item for item in found["criteria"] if item["id"] == "ki-67")
    shown = {
        "reference": "Observation/1",
        "date": "2026-10",
        "element": "valueQuantity",
        "code": "http://loinc.org|29593-1",
        "value": "12 %",
    }
    assert index["evidence"] == [shown]
    assert index | {"evidence": []} == {
        "id": "ki-67",
        "label": "Ki-67",
        "verdict": "not-met",
        "nature": "permanent",
        "value": "12 %",
        "limit": "< 10 %",
        "reason": "Ki-67 is 12 %; the limit is < 10 %.",
        "evidence": [],
    }
    assert found["discarded"][0] == {"criterion": "ki-67", "reason": "older", **shown}
    assert found["considerations"][0]["id"] == "other-malignancy"
    assert found["issues"] == [
        {"reference": "Observation/2", "problem": "no code", "facts": ["ki67_percent"]}
    ]
    assert found["mendings"] == [{"reference": "Patient/1", "element": "name", "mended": "a list"}]
    assert found["agesOutOn"] == "2027-12-01"
    assert found["otherVerdicts"] == {"milan-net-2007": "borderline", "optn-nlrb-net": "borderline"}
    assert found["differences"][0]["criterion"] == "age"


def test_the_time_windows_are_rendered():
    found = rendered(VECTORS["D"][0])
    stability = next(item for item in found["criteria"] if item["id"] == "stability")
    assert found["resolvesOn"] == stability["resolvesOn"] == "2027-01-01"
    assert stability["staleOn"] == "2027-04-20"


def test_a_gate_is_rendered_without_criteria():
    found = rendered(facts(transplant_status=LISTED))
    assert (found["gate"], found["criteria"]) == ("listed", [])


@given(chart=CHARTS, item=POLICIES)
@settings(max_examples=50)
def test_nothing_is_null_or_empty_except_criteria_and_evidence(chart: Facts, item: Policy):
    for name, value in _members(rendered(chart, item)):
        assert value is not None
        assert value not in ("", [], {}) or name in ("criteria", "evidence")


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item
            yield from _members(item)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item)


# --- words ------------------------------------------------------------------------------------------------------------


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str) and not isinstance(value, Enum):
        yield value
    elif isinstance(value, dict) or hasattr(value, "items"):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))
    elif is_dataclass(value):
        yield from (text for item in fields(value) for text in _texts(getattr(value, item.name)))


def _promises(value: Any) -> list[str]:
    return [text for text in _texts(value) if any(word in text.lower() for word in FORBIDDEN)]


@given(chart=CHARTS, item=POLICIES)
@settings(max_examples=200)
def test_no_assessment_calls_a_patient_what_no_rule_can_know(chart: Facts, item: Policy):
    assert _promises(assess(chart, item, ON, policies())) == []


@pytest.mark.parametrize("name", VECTORS)
def test_no_vector_does_so_either(name: str):
    assert _promises(assess(VECTORS[name][0], policies()[0], ON, policies())) == []


@pytest.mark.parametrize("item", policies(), ids=lambda item: item.id)
def test_no_policy_does_so_either(item: Policy):
    assert _promises(item) == []


def test_the_words_are_really_looked_for():
    assert _promises(replace(assess(facts(), policies()[0], ON), headline="Eligible for transplant")) != []


@pytest.mark.parametrize("name", [item for item in VECTORS if item != "M"])
def test_every_reason_is_a_sentence(name: str):
    found: Assessment = assess(VECTORS[name][0], policy("milan-net-2016"), ON)
    for item in found.criteria:
        assert item.reason[0].isupper()
        assert item.reason.endswith(".")


def test_every_field_of_an_assessment_has_a_place_in_the_schema_or_a_reason_not_to():
    left_out = {
        "patient",  # the card goes back to the chart it came from
        "ages_out_exactly",  # for sentences; the schema says that the day may be the earliest possible one
        "policy_title",
        "policy_citation",  # both stand in the policy that `policy` and `policyVersion` name
    }
    names = {_camel(item.name) for item in fields(Assessment) if item.name not in left_out}
    assert names | {"discarded"} == set(SCHEMA["properties"])


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def test_the_answers_of_the_schema_are_the_ones_of_the_code():
    assert SCHEMA["$defs"]["answer"]["enum"] == ["met", "not-met", "unknown"]
