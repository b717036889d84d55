"""What matters of a record is read, and sorted by what it may be used for: as evidence, as a doubt, or not at all."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from datetime import date
from typing import Any

import msgspec
import pytest

from fhir_mappings.chart import Chart
from fhir_mappings.facts import GapKind
from fhir_mappings.inputs import inputs
from fhir_mappings.mapping import read_facts
from fhir_mappings.nodes import PrefetchValue
from fhir_mappings.prefetch import read_prefetch
from fhir_mappings.record import PARTS, PatientRecord, read_file
from fhir_mappings.relevance import OTHER_MALIGNANCY
from fhir_mappings.resource import Resource, Use
from fhir_mappings.valueset import is_other_malignancy, terminology

Json = dict[str, Any]
ON = date(2026, 11, 23)
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
KI67 = (LOINC, "29593-1")
MITOSES = (SNOMED, "406094009")
NET = (ICD_10_CM, "C7A.012")
LIVER_METASTASIS = (ICD_10_CM, "C7B.02")
COLECTOMY = (SNOMED, "359571009")
PATHOLOGY_REPORT = (LOINC, "11526-1")
REFERRAL = (SNOMED, "306316000")
USE, CANDIDATE, DROP = Use.USE, Use.CANDIDATE, Use.DROP


def concept(coding: tuple[str, str], **more: Any) -> Json:
    return {"coding": [{"system": coding[0], "code": coding[1], **more}]}


def resource(kind: str, coding: tuple[str, str], name: str = "x", **more: Any) -> Json:
    given = {
        "resourceType": kind,
        "id": name,
        "code": concept(coding),
        "subject": {"reference": "Patient/p1"},
        **more,
    }
    return {key: value for key, value in given.items() if value is not None}


def observation(name: str = "x", coding: tuple[str, str] = KI67, **more: Any) -> Json:
    given = {"status": "final", "effectiveDateTime": "2026-10-01", "valueQuantity": {"value": 2, "unit": "%"}}
    return resource("Observation", coding, name, **{**given, **more})


def condition(name: str = "x", coding: tuple[str, str] = NET, **more: Any) -> Json:
    return resource("Condition", coding, name, **more)


def record_of(*resources: Json) -> PatientRecord:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"}
    entries = [{"resource": item} for item in (patient, *resources)]
    [record] = read_file(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    )
    return record


def chart_of(*resources: Json, on: date = ON) -> Chart:
    return Chart(record_of(*resources), on, terminology(), inputs())


def only(chart: Chart, kind: str) -> Resource:
    [found] = [item for item in chart.resources if item.kind == kind]
    return found


def status_concept(code: str | None) -> Json | None:
    return None if code is None else {"coding": [{"system": "x", "code": code}]}


# --- status and negation (terminology.md 2 k) -------------------------------------------------------------------------

STATUSES: Mapping[str, tuple[tuple[str, str], str, Mapping[str, Use]]] = {
    "Observation": (
        *(KI67, "registered preliminary final amended corrected cancelled entered-in-error unknown"),
        {"final": USE, "amended": USE, "corrected": USE, "preliminary": CANDIDATE, "unknown": CANDIDATE},
    ),
    "DiagnosticReport": (
        PATHOLOGY_REPORT,
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
        dict.fromkeys(("final", "amended", "corrected", "appended"), USE)
        | dict.fromkeys(("partial", "preliminary", "unknown"), CANDIDATE),
    ),
    "Procedure": (
        COLECTOMY,
        "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
        {"completed": USE, "not-done": USE, "unknown": CANDIDATE, "stopped": CANDIDATE},
    ),
    "ServiceRequest": (
        REFERRAL,
        "draft active on-hold revoked completed entered-in-error unknown",
        # a draft or an order on hold is usable here: it keeps the same order from being proposed twice
        {"active": USE, "completed": USE, "draft": USE, "on-hold": USE, "unknown": CANDIDATE},
    ),
}


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, status) for kind, (_, statuses, _) in STATUSES.items() for status in statuses.split()],
)
def test_the_status_of_a_resource_says_what_it_may_be_used_for(kind: str, status: str):
    coding, _, uses = STATUSES[kind]
    intent = {"intent": "order"} if kind == "ServiceRequest" else {}
    item = only(chart_of(resource(kind, coding, status=status, **intent)), kind)
    expected = uses.get(status, DROP)
    assert item.use is expected
    assert item.why == ("" if expected is USE else f"status is {status}")
    assert item.is_negated is (status == "not-done")
    assert item.is_current


@pytest.mark.parametrize("kind", STATUSES)
def test_a_status_that_fhir_does_not_know_makes_a_candidate_and_is_not_repeated(kind: str):
    intent = {"intent": "order"} if kind == "ServiceRequest" else {}
    item = only(chart_of(resource(kind, STATUSES[kind][0], status="canary", **intent)), kind)
    assert (item.use, item.why) == (CANDIDATE, "status is not one that FHIR defines")


@pytest.mark.parametrize(
    ("status", "use", "negated"),
    [
        ("confirmed", USE, False),
        (None, USE, False),
        ("unconfirmed", CANDIDATE, False),
        ("provisional", CANDIDATE, False),
        ("canary", CANDIDATE, False),
        ("entered-in-error", DROP, False),
        ("differential", DROP, False),
        ("refuted", USE, True),
        ("Refuted", USE, True),
    ],
)
def test_the_verification_of_a_condition_says_what_it_may_be_used_for(
    status: str | None, use: Use, negated: bool
):
    item = only(chart_of(condition(verificationStatus=status_concept(status))), "Condition")
    assert (item.use, item.is_negated) == (use, negated)
    assert "canary" not in item.why


@pytest.mark.parametrize(
    ("written", "use", "negated"),
    [
        ({"text": "Refuted"}, USE, True),
        ({"text": "confirmed"}, USE, False),
        ({"text": "not sure"}, CANDIDATE, False),
        ("refuted", USE, True),
        ([{"coding": [{"code": "refuted"}]}], USE, True),
        ({"coding": {"code": "refuted"}}, USE, True),
        ({"coding": [{"code": "local"}, {"code": "refuted"}]}, USE, True),
        ({"coding": [{"display": "x"}, {"code": "entered-in-error"}]}, DROP, False),
    ],
)
def test_a_verification_is_found_wherever_it_is_written(written: Any, use: Use, negated: bool):
    item = only(chart_of(condition(verificationStatus=written)), "Condition")
    assert (item.use, item.is_negated) == (use, negated)


@pytest.mark.parametrize(
    ("status", "is_current"),
    [
        *[(status, True) for status in ("active", "recurrence", "relapse", "unknown", None, "Active")],
        *[(status, False) for status in ("inactive", "remission", "resolved", "Resolved")],
    ],
)
def test_a_condition_is_current_unless_it_is_recorded_as_over(status: str | None, is_current: bool):
    item = only(chart_of(condition(clinicalStatus=status_concept(status))), "Condition")
    assert (item.use, item.is_current) == (USE, is_current)


@pytest.mark.parametrize(
    ("status", "use"),
    [
        ("available", USE),
        ("unavailable", USE),
        (None, USE),
        ("entered-in-error", DROP),
        ("unsatisfactory", DROP),
        ("canary", CANDIDATE),
    ],
)
def test_a_specimen_is_read_when_something_refers_to_it(status: str | None, use: Use):
    specimen = {"resourceType": "Specimen", "id": "s", **({"status": status} if status else {})}
    chart = chart_of(observation(specimen={"reference": "Specimen/s"}), specimen)
    assert [item.kind for item in chart.resources] == ["Observation", "Patient"]
    found = chart.by_reference({"reference": "Specimen/s"})
    assert found is not None
    assert (found.use, found.kind) == (use, "Specimen")


def test_find_sorts_by_use_and_names_what_it_leaves_out():
    chart = chart_of(
        observation("final"),
        observation("early", status="preliminary"),
        observation("wrong", status="entered-in-error"),
    )
    found = chart.find({"ki67-code"}, "Observation")
    assert [item.reference for item in found.usable] == ["Observation/final"]
    assert [item.reference for item in found.candidates] == ["Observation/early"]
    assert [(item.evidence.reference, item.reason) for item in found.discarded] == [
        ("Observation/wrong", "status is entered-in-error")
    ]
    assert chart.find({"ki67-code"}, "Condition") == chart.find({"mitosis-code"}, "Observation")


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "use"),
    [
        ("2026-11-22", USE),
        ("2026-11-23", USE),
        ("2026-11-23T23:59:59Z", USE),
        ("2026-11", USE),
        ("2026", USE),
        ("2026-11-24", DROP),
        ("2026-12", DROP),
        ("2027", DROP),
    ],
)
def test_what_can_only_be_dated_after_the_day_of_evaluation_is_left_out(when: str, use: Use):
    item = only(chart_of(observation(effectiveDateTime=when)), "Observation")
    assert (item.use, item.why) == (use, "" if use is USE else "dated after the day of evaluation")


def test_a_period_counts_from_its_start():
    for start, use in (("2026-11-23", USE), ("2026-11-24", DROP)):
        given = observation(effectiveDateTime=None, effectivePeriod={"start": start, "end": "2027-01-01"})
        assert only(chart_of(given), "Observation").use is use


def test_the_clinical_date_is_never_the_day_of_issue():
    assert (
        only(chart_of(observation(effectiveDateTime=None, issued="2026-10-02T00:00:00Z")), "Observation").date
        is None
    )
    day = only(chart_of(condition(recordedDate="2026-02")), "Condition").date
    assert str(day) == "2026-02"
    day = only(chart_of(condition(recordedDate="2026-02", onsetDateTime="2025")), "Condition").date
    assert str(day) == "2025"


# --- versions ---------------------------------------------------------------------------------------------------------

IDENTIFIER = [{"system": "urn:lab", "value": "1"}]


def version(updated: str | None, **more: Any) -> Json:
    return observation(**{"meta": {"lastUpdated": updated} if updated else None, **more})


def uses(*resources: Json) -> list[tuple[int, str]]:
    """The value and the use of every Observation, in the order of their values."""
    items = [item for item in chart_of(*resources).resources if item.kind == "Observation"]
    return sorted((item.data["valueQuantity"]["value"], item.use.value) for item in items)


def percent(value: int) -> Json:
    return {"value": value, "unit": "%"}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026-10-01T10:00:00Z", "2026-10-02T10:00:00Z"),
        ("2026-10-01T10:00:00+02:00", "2026-10-01T09:30:00Z"),
        ("2026-10-01T10:00:00Z", "2026-10-01T10:00:00.5Z"),
        ("2026-10-01T23:00:00-05:00", "2026-10-02T05:00:00Z"),
    ],
)
def test_a_newer_version_replaces_an_older_one(older: str, newer: str):
    one, other = version(older, valueQuantity=percent(2)), version(newer, valueQuantity=percent(12))
    assert uses(one, other) == uses(other, one) == [(2, "drop"), (12, "use")]
    item = next(item for item in chart_of(one, other).resources if item.use is DROP)
    assert item.why == "replaced by a newer version"


def test_a_newer_version_replaces_an_older_one_whatever_it_corrects():
    one = version("2026-10-01T10:00:00Z", identifier=IDENTIFIER, valueQuantity=percent(2))
    for change in (
        {"effectiveDateTime": "2026-09-01"},
        {"specimen": {"reference": "Specimen/b"}},
        {"identifier": None},
    ):
        other = version(
            "2026-10-02T10:00:00Z", **{"identifier": IDENTIFIER, "valueQuantity": percent(12), **change}
        )
        assert uses(one, other) == [(2, "drop"), (12, "use")]


def test_a_newer_version_in_error_takes_the_older_one_with_it():
    wrong = version("2026-10-02T10:00:00Z", status="entered-in-error", valueQuantity=percent(12))
    assert uses(version("2026-10-01T10:00:00Z"), wrong) == [(2, "drop"), (12, "drop")]


@pytest.mark.parametrize("updated", [None, "2026-10-01T10:00:00Z", "yesterday", 5])
def test_versions_of_which_none_is_the_newest_are_all_kept(updated: Any):
    assert uses(version(updated), version(updated, valueQuantity=percent(12))) == [(2, "use"), (12, "use")]


def test_identical_copies_count_once():
    assert uses(observation(), observation(), observation()) == [(2, "use")]
    assert uses(observation(identifier=IDENTIFIER), observation(identifier=IDENTIFIER)) == [(2, "use")]


def test_an_amendment_with_the_same_identifiers_replaces_what_it_amends():
    first = version("2026-10-01T10:00:00Z", name="a", identifier=IDENTIFIER)
    amended = version(
        "2026-10-05T10:00:00Z", name="b", identifier=IDENTIFIER, status="amended", valueQuantity=percent(12)
    )
    assert uses(first, amended) == uses(amended, first) == [(2, "drop"), (12, "use")]


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": [{"system": "urn:lab", "value": "2"}]},
        {"identifier": None},
        {"effectiveDateTime": "2026-09-01"},
        {"specimen": {"reference": "Specimen/b"}},
        {"coding": (SNOMED, "1255078008")},
    ],
)
def test_two_findings_of_one_report_are_no_versions_of_each_other(change: Json):
    first = version(
        "2026-10-01T10:00:00Z", name="a", identifier=IDENTIFIER, specimen={"reference": "Specimen/a"}
    )
    other = {
        "identifier": IDENTIFIER,
        "specimen": {"reference": "Specimen/a"},
        "valueQuantity": percent(12),
        **change,
    }
    assert uses(first, version("2026-10-05T10:00:00Z", name="b", **other)) == [(2, "use"), (12, "use")]


def test_of_two_versions_of_the_patient_the_newer_one_is_the_patient():
    for first, second in (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-01-01")):
        versions = [
            {
                "resourceType": "Patient",
                "id": "p1",
                "birthDate": day,
                "meta": {"lastUpdated": f"{day}T00:00:00Z"},
            }
            for day in (first, second)
        ]
        [record] = read_file(b"\n".join(json.dumps(item).encode() for item in versions))
        patient = Chart(record, ON, terminology(), inputs()).patient
        assert patient is not None
        assert patient.data["birthDate"] == "2026-02-01"


# --- labels and modifiers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "use"),
    [
        ("Ki-67 proliferation index", USE),
        ("MIB-1 / Ki67", USE),
        (None, USE),
        ("Estrogen receptor Ag", CANDIDATE),
        ("Progesterone receptor", CANDIDATE),
    ],
)
def test_a_code_under_the_label_of_something_else_is_a_candidate(label: str | None, use: Use):
    by_display = observation()
    by_text = observation()
    if label:
        by_display["code"]["coding"][0]["display"] = by_text["code"]["text"] = label
    for given in (by_display, by_text):
        item = only(chart_of(given), "Observation")
        assert item.use is use
        assert item.why == (
            "" if use is USE else "the display of its code names something else than the code means"
        )


def test_a_mislabelled_code_that_is_dropped_stays_dropped():
    given = observation(status="entered-in-error")
    given["code"]["text"] = "Estrogen receptor"
    assert only(chart_of(given), "Observation").use is DROP


# --- what cannot be read ----------------------------------------------------------------------------------------------


def facts_with(value_sets: set[str], kind: str) -> set[str]:
    return {name for name, given in inputs().items() if kind in given.kinds and given.value_sets & value_sets}


@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        ("Observation", KI67),
        ("Observation", MITOSES),
        ("Observation", (LOINC, "21858-6")),
        ("Observation", (SNOMED, "385421009")),
        ("Observation", ("urn:milan-net:codesystem:findings", "liver-volume")),
        ("Condition", NET),
        ("Condition", LIVER_METASTASIS),
        ("Condition", (ICD_10_CM, "C79.51")),
        ("Condition", (ICD_10_CM, "C50.911")),
        ("Procedure", COLECTOMY),
        ("Procedure", (SNOMED, "18027006")),
        ("ServiceRequest", REFERRAL),
    ],
)
def test_an_unreadable_resource_leaves_open_exactly_the_facts_whose_value_sets_hold_its_code(
    kind: str, coding: tuple[str, str]
):
    meanings = set(terminology().meanings(*coding))
    meanings |= {OTHER_MALIGNANCY} if kind == "Condition" and is_other_malignancy(*coding) else set()
    wrong = resource(kind, coding, status={"canary": "CANARY"}, verificationStatus={"canary": "CANARY"})
    chart = chart_of(wrong)
    [issue] = chart.issues
    assert issue.reference == f"{kind}/x"
    assert set(issue.facts) == facts_with(meanings, kind) != set()
    assert "canary" not in issue.problem.lower()
    for fact in inputs():
        blind = chart.blind(fact)
        assert (blind is not None) is (fact in issue.facts)
        assert blind is None or blind.kind is GapKind.UNREADABLE


@pytest.mark.parametrize(
    "code",
    [
        *(
            "29593-1",
            29593,
            True,
            ["29593-1"],
            {"coding": "29593-1"},
            {"coding": ["29593-1"]},
            {"coding": [5]},
        ),
        *(
            {"coding": [{"system": [LOINC], "code": "29593-1"}]},
            {"coding": [{"system": LOINC, "code": 29593}]},
        ),
        *(
            {"coding": [{"system": LOINC, "code": ["29593-1"]}]},
            {"coding": [{"system": {"a": 1}, "code": "x"}]},
        ),
        *([{"text": "a"}, {"text": "b"}], {"coding": [[{"system": LOINC, "code": "29593-1"}]]}),
    ],
)
@pytest.mark.parametrize("kind", ["Observation", "Condition", "Procedure"])
def test_a_code_of_an_odd_shape_may_mean_anything_of_its_type(kind: str, code: Any):
    chart = chart_of({**resource(kind, KI67, status="final"), "code": code})
    assert [issue.reference for issue in chart.issues] == [f"{kind}/x"]
    assert set(chart.issues[0].facts) == {name for name, given in inputs().items() if kind in given.kinds}


@pytest.mark.parametrize(
    "code",
    [
        *(
            None,
            {},
            [],
            {"text": "Ki-67"},
            {"coding": []},
            {"coding": None},
            {"coding": [None]},
            {"coding": [{}]},
        ),
        *(concept((LOINC, "718-7")), concept(("urn:local", "29593-1")), {"coding": [{"display": "Ki-67"}]}),
    ],
)
def test_a_code_that_says_nothing_matters_to_nobody(code: Any):
    chart = chart_of({**observation(), "code": code})
    assert chart.issues == ()
    assert chart.is_silent


@pytest.mark.parametrize(
    "code",
    [
        [concept(KI67)],
        {"coding": concept(KI67)["coding"][0]},
        {"coding": [None, *concept(KI67)["coding"]]},
        concept((" http://loinc.org/ ", " 29593-1 ")),
        concept(("urn:oid:2.16.840.1.113883.6.1", "29593-1")),
    ],
)
def test_a_code_in_a_bent_shape_is_mended_and_read(code: Any):
    chart = chart_of({**observation(), "code": code})
    assert chart.issues == ()
    assert len(chart.find({"ki67-code"}, "Observation").usable) == 1


def test_a_condition_may_say_what_it_is_in_its_histology_extension_only():
    histology = {
        "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior",
        "valueCodeableConcept": concept(("http://terminology.hl7.org/CodeSystem/icd-o-3", "8240/3")),
    }
    for code in (concept((ICD_10_CM, "C17.2")), {"text": "Tumour of the ileum"}, None):
        chart = chart_of({**condition(extension=[histology]), "code": code})
        assert len(chart.find({"histology-net"}, "Condition").usable) == 1


@pytest.mark.parametrize("code", [False, True, 0, 5, [], ["x"], {}, {"a": 1}])
@pytest.mark.parametrize("system", [None, ICD_10_CM, "http://hl7.org/fhir/sid/icd-10", [ICD_10_CM], 0, False])
def test_one_odd_coding_beside_a_good_one_makes_an_issue_and_no_error(code: Any, system: Any):
    given = condition()
    given["code"]["coding"].append({"system": system, "code": code})
    chart = chart_of(given)
    assert (
        chart.find({"histology-net"}, "Condition").usable or "neuroendocrine_tumour" in chart.issues[0].facts
    )
    extension = {"url": "http://x/histology-morphology-behavior", "valueCodeableConcept": given["code"]}
    for bent in ("x", [given["code"], given["code"]], given["code"]):
        assert isinstance(chart_of({**given, "code": bent, "extension": [extension]}).issues, tuple)


def test_an_unreadable_resource_that_comes_twice_is_named_once():
    wrong = observation(valueQuantity={"value": "CANARY"})
    chart = chart_of(wrong, wrong)
    assert [issue.reference for issue in chart.issues] == ["Observation/x"]
    gap = chart.blind("ki67_percent")
    assert gap is not None
    assert gap.reason == "Ki-67 index: Observation/x could not be read."


def test_a_nesting_too_deep_is_an_issue_of_its_resource_alone():
    bomb = '{"url":"a","extension":[' * 300 + "{}" + "]}" * 300
    given = json.dumps(condition("deep"))[:-1] + ', "onsetPeriod": {"extension": [' + bomb + "]}}"
    lines = [json.dumps(item) for item in ({"resourceType": "Patient", "id": "p1"}, observation())]
    [record] = read_file("\n".join([*lines, given]).encode())
    chart = Chart(record, ON, terminology(), inputs())
    assert [(issue.reference, issue.problem) for issue in chart.issues] == [
        ("Condition/deep", "nested too deeply")
    ]
    assert chart.find({"ki67-code"}, "Observation").usable


# --- parts that did not arrive ----------------------------------------------------------------------------------------


def prefetch_chart(**parts: Any) -> Chart:
    body = json.dumps({"prefetch": parts}).encode()
    decoded = msgspec.json.decode(body, type=dict[str, dict[str, PrefetchValue]])["prefetch"]
    return Chart(read_prefetch(decoded, body, "p1"), ON, terminology(), inputs())


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "CANARY"}]}
PAGE = {"resourceType": "Bundle", "link": [{"relation": "next", "url": "CANARY"}]}


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("absent", GapKind.NOT_SENT, "Observation resources could not be read: the EHR did not send them"),
        (
            OUTCOME,
            GapKind.UNREADABLE,
            "Observation resources could not be read: the EHR's query for them failed",
        ),
        (
            "<html>",
            GapKind.UNREADABLE,
            "Observation resources could not be read: the EHR's query for them failed",
        ),
        (
            PAGE,
            GapKind.NOT_SENT,
            "not all Observation resources could be read: the EHR sent only a part of them",
        ),
        (None, GapKind.NOT_RECORDED, "nothing on record"),
        ({"resourceType": "Bundle", "total": 0}, GapKind.NOT_RECORDED, "nothing on record"),
    ],
)
def test_why_nothing_was_found_is_kept_apart(value: Any, kind: GapKind, words: str):
    parts = dict.fromkeys(PARTS) | {"observations": value}
    if value == "absent":
        del parts["observations"]
    gap = prefetch_chart(**parts).missing("ki67_percent")
    assert (gap.kind, gap.reason) == (kind, f"Ki-67 index: {words}.")


def test_a_chart_is_silent_only_when_all_of_it_arrived_and_none_of_it_matters():
    whole: Json = dict.fromkeys(PARTS) | {"patient": {"resourceType": "Patient", "id": "p1"}}
    entry = {"resource": observation("y", (LOINC, "718-7"))}
    assert prefetch_chart(**whole).is_silent
    assert prefetch_chart(**whole | {"observations": {"resourceType": "Bundle", "entry": [entry]}}).is_silent
    for key in PARTS:
        assert not prefetch_chart(**{name: value for name, value in whole.items() if name != key}).is_silent
        assert not prefetch_chart(**whole | {key: OUTCOME}).is_silent
    assert not prefetch_chart(**whole | {"observations": observation()}).is_silent
    assert not prefetch_chart(**whole | {"observations": {**observation(), "code": "x"}}).is_silent


def test_another_patients_resource_is_no_part_of_the_chart():
    foreign = condition(subject={"reference": "Patient/p2"})
    bent = {**foreign, "id": "y", "code": "x"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": foreign}, {"resource": bent}]}
    chart = prefetch_chart(**dict.fromkeys(PARTS) | {"conditions": bundle})
    assert chart.resources == ()
    assert chart.issues == ()


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [
        "Condition/c",
        "https://ehr.example/fhir/Condition/c",
        "Condition/c/_history/4",
        "https://ehr.example/Condition/c/_history/4",
    ],
)
def test_a_reference_is_found_however_it_is_written(reference: str):
    found = chart_of(condition("c")).by_reference({"reference": reference})
    assert found is not None
    assert found.reference == "Condition/c"


@pytest.mark.parametrize(
    "reference",
    [
        None,
        "Condition/c",
        {},
        {"reference": None},
        {"reference": 5},
        {"reference": "Condition/d"},
        {"reference": "urn:uuid:9"},
        {"reference": ""},
        {"identifier": {"value": "c"}},
    ],
)
def test_a_reference_to_nothing_is_nothing(reference: Any):
    assert chart_of(condition("c")).by_reference(reference) is None


def test_a_urn_points_to_the_entry_that_has_it_as_its_url():
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "p1"}},
        {"fullUrl": "urn:uuid:2", "resource": {**condition("c"), "subject": {"reference": "urn:uuid:1"}}},
    ]
    [record] = read_file(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    chart = Chart(record, ON, terminology(), inputs())
    assert chart.target({"reference": "urn:uuid:2"}) == "Condition/c"
    assert chart.by_reference({"reference": "urn:uuid:2"}) is not None


# --- nothing of the record in what is reported ------------------------------------------------------------------------


STRUCTURE = frozenset({"resourceType", "id", "system", "code", "url", "reference"})


def canaried(value: Any, name: str = "") -> Any:
    """The same resource with every plain value that is not structure replaced by a canary."""
    if isinstance(value, dict):
        return {key: canaried(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [canaried(item, name) for item in value]
    return value if name in STRUCTURE else "CANARY value"


def test_issues_and_gaps_never_repeat_a_value_of_the_record():
    samples = [
        observation(valueQuantity={"value": "CANARY", "unit": "CANARY", "comparator": "CANARY"}),
        observation(status="CANARY CANARY", coding=MITOSES),
        observation(effectiveDateTime="CANARY", coding=(LOINC, "21858-6")),
        observation(valueCodeableConcept="CANARY", valueQuantity=None, coding=(SNOMED, "385421009")),
        condition(verificationStatus={"coding": [{"code": "CANARY", "display": "CANARY"}], "text": "CANARY"}),
        condition(clinicalStatus={"text": "CANARY"}, onsetDateTime="CANARY", coding=LIVER_METASTASIS),
        condition(verificationStatus=status_concept("CANARY"), coding=(ICD_10_CM, "C79.51")),
        resource("Procedure", COLECTOMY, status="CANARY", performedDateTime="CANARY"),
        resource("ServiceRequest", REFERRAL, status="CANARY", intent="CANARY", doNotPerform="CANARY"),
        {**resource("Procedure", COLECTOMY, status="completed"), "code": "CANARY"},
    ]
    for index, given in enumerate(samples):
        given["id"] = f"x{index}"
        for chosen in (given, canaried(deepcopy(given))):
            chosen["subject"] = {"reference": "Patient/p1", "display": "CANARY"}
            facts = read_facts(record_of(chosen), ON)
            said = [asdict(issue) for issue in facts.issues] + [asdict(item) for item in facts.mendings]
            said += [asdict(fact.gap) for name in inputs() if (fact := getattr(facts, name)).gap is not None]
            assert "CANARY" not in json.dumps(said, default=str), (index, said)


@pytest.mark.parametrize("subject", [{"display": "Somebody"}, {"identifier": {"value": "4711"}}])
def test_a_resource_that_hides_whose_it_is_is_an_issue_and_no_evidence(subject: Json):
    hidden = condition("hidden", subject=subject)
    facts = read_facts(record_of(hidden), ON)
    assert facts.neuroendocrine_tumour.gap is not None
    assert facts.neuroendocrine_tumour.gap.kind is GapKind.UNREADABLE
    assert [(item.reference, item.problem) for item in facts.issues] == [
        ("Condition/hidden", "its subject is no reference to a patient")
    ]
