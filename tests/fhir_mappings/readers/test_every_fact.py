"""What holds for every fact: gaps keep their kinds apart, the order of the input is nothing, and nothing is hidden."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from fhir_mappings.facts import Fact, Facts, GapKind, Issue
from fhir_mappings.inputs import inputs
from fhir_mappings.mapping import FACT_NAMES
from fhir_mappings.record import PARTS
from tests.builders import (
    ICD_CM,
    LOINC,
    OWN,
    SCT,
    Json,
    coded,
    condition,
    extrahepatic,
    facts_of,
    facts_of_prefetch,
    grade,
    histology,
    ki67,
    net,
    observation,
    order,
    patient,
    percent,
    procedure,
    response,
    searchset,
)


def one_of_each() -> dict[str, Json]:
    """A resource that gives each fact its value; all of them together are one chart."""
    return {
        "neuroendocrine_tumour": net(),
        "differentiation": histology(f"{SCT}|1286769009"),
        "primary_site": coded(f"{SCT}|399687005", f"{SCT}|34516001"),
        "ki67_percent": ki67(2),
        "mitotic_count": observation(f"{SCT}|405920001", valueQuantity=percent(1, unit="/2mm2")),
        "histologic_grade": grade(f"{SCT}|54102005"),
        "liver_metastases": condition(f"{ICD_CM}|C7B.02"),
        "liver_involvement_percent": observation(
            f"{OWN}|liver-involvement-percent", valueQuantity=percent(30)
        ),
        "liver_resectability": coded(f"{OWN}|liver-metastases-resectability", f"{OWN}|unresectable"),
        "extrahepatic_disease": extrahepatic(),
        "primary_resection": procedure(f"{SCT}|276190007"),
        "disease_response": response(f"{SCT}|359746009"),
        "transplant_status": condition(f"{ICD_CM}|Z94.4"),
        "other_malignancy": condition(f"{ICD_CM}|C50.911"),
        "carcinoid_syndrome": condition(f"{ICD_CM}|E34.00"),
        "carcinoid_heart_disease": condition(f"{SCT}|36222008"),
        "end_of_life_care": condition(f"{ICD_CM}|Z51.5"),
        "transplant_refusal": order(f"{SCT}|306316000", doNotPerform=True),
        "pregnancy": condition(f"{ICD_CM}|Z33.1", onsetDateTime="2026-05-04"),
        "hereditary_syndrome": condition(f"{ICD_CM}|E31.21"),
        "general_comorbidity": condition(f"{ICD_CM}|I50.9"),
        "open_orders": order(f"{LOINC}|36046-1"),
    }


CODED = list(one_of_each())
PARENTS = {"primary_resection": ["neuroendocrine_tumour"], "liver_metastases": ["neuroendocrine_tumour"]}
NO_GAP = {"open_orders"}  # of a part that was read whole, "no order" is a value


def fact(facts: Facts, name: str) -> Fact[Any]:
    found: Fact[Any] = getattr(facts, name)
    return found


def kind(facts: Facts, name: str) -> GapKind | None:
    gap = fact(facts, name).gap
    return gap.kind if gap else None


def with_parents(name: str, item: Json) -> list[Json]:
    return [*(one_of_each()[parent] for parent in PARENTS.get(name, ())), item]


def broken(item: Json) -> Json:
    """The same resource, valid JSON and no valid FHIR."""
    dates = ("onsetDateTime", "effectiveDateTime", "performedDateTime", "authoredOn")
    return item | {next(name for name in dates if name in item): {"no": "date"}}


def test_every_fact_that_codes_speak_of_is_tested_here() -> None:
    assert [*CODED, "birth_date", "deceased"] != []
    assert set(CODED) | {"birth_date", "deceased"} == set(FACT_NAMES)


@pytest.mark.parametrize("name", CODED)
def test_its_resource_gives_a_fact_its_value_and_evidence(name: str) -> None:
    item = one_of_each()[name]
    found = fact(facts_of(*with_parents(name, item)), name)
    assert found.value
    assert f"{item['resourceType']}/{item['id']}" in {each.reference for each in found.evidence}


@pytest.mark.parametrize("name", sorted(set(FACT_NAMES) - NO_GAP - {"birth_date"}))
def test_without_a_resource_a_fact_is_not_recorded(name: str) -> None:
    assert kind(facts_of(patient()), name) is GapKind.NOT_RECORDED


@pytest.mark.parametrize("name", CODED)
def test_with_its_resource_unreadable_a_fact_is_unreadable_and_the_resource_is_named(name: str) -> None:
    item = broken(one_of_each()[name])
    facts = facts_of(*with_parents(name, item))
    if name not in PARENTS or name == "primary_resection":
        assert kind(facts, name) is GapKind.UNREADABLE
    assert [issue.reference for issue in facts.issues] == [f"{item['resourceType']}/{item['id']}"]
    assert name in facts.issues[0].facts


FAVOURABLE = [
    "differentiation",
    "primary_site",
    "mitotic_count",
    "histologic_grade",
    "liver_involvement_percent",
    "liver_resectability",
    "extrahepatic_disease",
    "disease_response",
]


@pytest.mark.parametrize("name", FAVOURABLE)
def test_a_second_resource_that_is_unreadable_makes_a_favourable_fact_unknown(name: str) -> None:
    item = one_of_each()[name]
    facts = facts_of(item, broken(one_of_each()[name]))
    assert kind(facts, name) is GapKind.UNREADABLE


def test_a_second_ki67_that_is_unreadable_may_be_any() -> None:
    value = facts_of(ki67(2), broken(ki67(2))).ki67_percent.value
    assert value is not None
    assert str(value.percent) == "2-100"


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("state", ["not sent", "failed", "truncated"])
def test_a_part_that_did_not_arrive_whole_leaves_a_gap_of_its_own(name: str, state: str) -> None:
    whole: dict[str, Json | None] = dict.fromkeys(PARTS) | {"patient": patient()}
    for key in [key for key, resource_type in PARTS.items() if resource_type in inputs()[name].kinds]:
        if state == "not sent":
            del whole[key]
        elif state == "failed":
            whole[key] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
        else:
            whole[key] = searchset() | {"link": [{"relation": "next", "url": "https://ehr.example/2"}]}
    expected = GapKind.UNREADABLE if state == "failed" else GapKind.NOT_SENT
    assert kind(facts_of_prefetch(whole), name) is expected


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("change", ["error", "future"])
def test_a_resource_in_error_or_of_the_future_is_dropped_and_listed(name: str, change: str) -> None:
    item = one_of_each()[name]
    changed = in_error(item) if change == "error" else of_the_future(item)
    found = fact(facts_of(*with_parents(name, changed)), name)
    own = f"{item['resourceType']}/{item['id']}"
    assert own not in {each.reference for each in found.evidence}
    assert own in {each.evidence.reference for each in found.discarded}


def in_error(item: Json) -> Json:
    if item["resourceType"] == "Condition":
        return item | {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    return item | {"status": "entered-in-error"}


def of_the_future(item: Json) -> Json:
    dates = ("onsetDateTime", "effectiveDateTime", "performedDateTime", "authoredOn")
    return item | {name: "2026-11-24" for name in dates if name in item}


def chart() -> list[Json]:
    resources = list(one_of_each().values())
    return [patient(), *resources, *(in_error(item) | {"id": f"{item['id']}x"} for item in resources)]


def test_the_order_of_the_input_and_copies_of_it_change_nothing() -> None:
    resources = chart()
    wanted = facts_of(*resources)
    for other in (
        resources[::-1],
        resources[7:] + resources[:7],
        resources + resources,
        resources[::2] + resources[1::2],
    ):
        assert facts_of(*other) == wanted


def references(found: Facts) -> Iterable[str]:
    for name in FACT_NAMES:
        yield from (item.reference for item in fact(found, name).evidence)
        yield from (item.evidence.reference for item in fact(found, name).discarded)


def test_every_resource_that_matters_is_evidence_or_is_set_aside_by_name() -> None:
    resources = chart()
    named = set(references(facts_of(*resources)))
    assert {f"{item['resourceType']}/{item['id']}" for item in resources[1:]} <= named


def test_everything_set_aside_has_a_reason() -> None:
    found = facts_of(*chart())
    for name in FACT_NAMES:
        assert all(item.reason for item in fact(found, name).discarded), name


def test_an_issue_names_no_value_of_the_record() -> None:
    (issue,) = facts_of(broken(net())).issues
    assert replace(issue, problem="") == Issue(issue.reference, "", issue.facts)
    assert "no" not in issue.problem.split()
