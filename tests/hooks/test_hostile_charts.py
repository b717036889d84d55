"""A chart that meets every criterion, plus one entry that may say otherwise: the card never says "meets"."""

import copy
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.calls import client

Json = dict[str, Any]
REQUEST = json.loads((Path(__file__).parents[2] / "sample_bundles" / "requests" / "meets.json").read_bytes())
SCT, LOINC, ICD = "http://snomed.info/sct", "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
SERVICE = "/cds-services/milan-net-patient-view"
CLIENT = client()
PATIENT = f"Patient/{REQUEST['context']['patientId']}"


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def bone(**elements: Any) -> Json:
    status = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    given = {"verificationStatus": coded(status, "confirmed"), "onsetDateTime": "2026-01-01"}
    found = {"resourceType": "Condition", "id": "bone", "code": coded(SCT, "94222008")}
    return {**found, "subject": {"reference": PATIENT}, **given, **elements}


def observed(system: str, code: str, **elements: Any) -> Json:
    found = {"resourceType": "Observation", "id": "added", "status": "final", "code": coded(system, code)}
    return {**found, "subject": {"reference": PATIENT}, "effectiveDateTime": "2026-10-20", **elements}


def summaries(key: str, entry: Any, body: bytes | None = None) -> list[str]:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["entry"].append(entry)
    response = CLIENT.post(
        SERVICE, data=body or json.dumps(request).encode(), content_type="application/json"
    )
    assert response.status_code == 200, response.text
    return [card["summary"] for card in (response.json or {})["cards"]]


def test_the_chart_itself_meets_the_criteria() -> None:
    (summary,) = summaries("conditions", {"resource": {"resourceType": "Basic", "id": "x"}})
    assert summary.startswith("Meets")


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": [bone()]},
        {"resource": json.dumps(bone())},
        {"resource": bone(resourceType="condition")},
        {"resource": bone(resourceType="Condition ")},
        {"resource": {key: value for key, value in bone().items() if key != "resourceType"}},
        bone(),
        [bone()],
        {"response": {"status": "500"}},
        {"resource": bone(subject={"reference": f"{PATIENT}/"})},
        {"resource": bone(subject={"reference": PATIENT.lower()})},
        {"resource": bone(subject={"reference": f"{PATIENT}?x=1"})},
        {"resource": bone(subject={"reference": "Group/g"})},
        {"resource": bone(subject={"display": "Somebody"})},
        {"resource": bone(onsetDateTime="2027-01-01", recordedDate="2026-10-01")},
        {
            "resource": bone(
                verificationStatus={
                    "coding": [
                        {"system": "urn:x", "code": "refuted"},
                        {"system": "urn:x", "code": "confirmed"},
                    ]
                }
            )
        },
        {
            "resource": bone(
                clinicalStatus={
                    "coding": [{"system": "urn:x", "code": "inactive"}, {"system": "urn:x", "code": "active"}]
                }
            )
        },
        {"resource": bone(code=coded(SCT, "94410007"), onsetDateTime="2026-11-15")},
        {"resource": bone(code=coded(ICD, "Z76.82"))},
        {"resource": bone(code=coded(ICD, "Z51.5"))},
        {"resource": bone(code=coded(ICD, "Z51.5"), verificationStatus=coded("urn:x", "provisional"))},
        {"resource": bone(code=coded(ICD, "Z51.5"), onsetDateTime=["?"])},
        {"resource": bone(code=coded(ICD, "z331"), onsetDateTime="2026-09-01")},
        {"resource": bone(code=coded(ICD, "Z33.1"), onsetDateTime="2026-09-01", subject={"display": "She"})},
        {"resource": bone(code=coded(SCT, "36222008"), verificationStatus=coded("urn:x", "provisional"))},
    ],
    ids=repr,
)
def test_a_condition_that_may_speak_against_it_forbids_a_plain_referral(entry: Any) -> None:
    assert not [summary for summary in summaries("conditions", entry) if summary.startswith("Meets")]


@pytest.mark.parametrize(
    "resource",
    [
        observed(LOINC, "59847-4", valueString="Poorly differentiated neuroendocrine carcinoma"),
        observed(LOINC, "59847-4", valueCodeableConcept={"text": "Large cell neuroendocrine carcinoma"}),
        observed(LOINC, "84892-9", valueString="R2"),
        observed(LOINC, "21907-1", valueString="M1b"),
        observed(
            LOINC,
            "97509-4",
            component=[{"code": coded(LOINC, "97509-4"), "valueCodeableConcept": coded(SCT, "271299001")}],
        ),
        observed(LOINC, "29593-1", valueDecimal=15),
    ],
    ids=repr,
)
def test_a_finding_in_a_form_that_is_not_read_takes_certainty_away(resource: Json) -> None:
    assert not [
        item for item in summaries("observations", {"resource": resource}) if item.startswith("Meets")
    ]


INTENT = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent"


@pytest.mark.parametrize(
    "said",
    [
        {"extension": [{"url": INTENT, "valueCodeableConcept": coded(SCT, "363676003")}]},
        {
            "extension": {
                "url": INTENT,
                "valueCodeableConcept": {"coding": coded(SCT, "363676003")["coding"][0]},
            }
        },
        {"extension": [{"url": INTENT, "valueCodeableConcept": {"text": "relief of obstruction"}}]},
        {"extension": [{"url": INTENT, "valueCode": "palliative"}]},
        {"reasonCode": {"text": "Debulking"}},
        {"reasonCode": [[{"text": "Debulking"}]]},
        {"category": [coded(SCT, "363676003")]},
    ],
    ids=repr,
)
def test_an_operation_not_meant_to_cure_forbids_a_plain_referral(said: Json) -> None:
    request = copy.deepcopy(REQUEST)
    entries = request["prefetch"]["procedures"]["entry"]
    (operation,) = (entry["resource"] for entry in entries if "resection" in entry["resource"]["id"])
    operation |= said
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    (card,) = (response.json or {})["cards"]
    assert card["summary"].startswith("Possible candidate")


def test_a_caveat_stands_on_the_card_escaped_and_changes_nothing() -> None:
    code = {"coding": [{"system": ICD, "code": "E31.21", "display": "[MEN](http://x.example) <b>1</b>"}]}
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["conditions"]["entry"].append({"resource": bone(code=code)})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    (card,) = (response.json or {})["cards"]
    assert card["summary"].startswith("Meets")
    [section] = [part for part in card["detail"].split("#### ") if part.startswith("Also on record")]
    assert "Condition/bone" in section.replace("\\", "")
    assert "of 2026-01-01" in section.replace("\\", "")
    assert "](http" not in section
    assert "<b>" not in section
    assert [item["id"] for item in card["extension"]["org.milan-net.assessment"]["caveats"]] == [
        "hereditary-syndrome"
    ]


def test_two_findings_with_one_accession_number_are_no_versions_of_each_other() -> None:
    percent = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    request = copy.deepcopy(REQUEST)
    for name, value, second in (("one", 15, "00"), ("two", 2, "01")):
        finding = observed(LOINC, "29593-1", valueQuantity={"value": value, **percent})
        stamp = {"lastUpdated": f"2026-10-21T10:00:{second}Z"}
        finding |= {"id": name, "identifier": [{"system": "urn:lab", "value": "S25-1"}], "meta": stamp}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert "Ki-67 15 %" in (response.json or {})["cards"][0]["summary"]


def test_a_byte_of_another_encoding_in_one_entry_is_no_error_of_the_service() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["conditions"]["entry"].append({"resource": bone(code={"text": "Diab@te"})})
    body = json.dumps(request).encode().replace(b"Diab@te", b"Diab\xe8te")
    assert summaries("conditions", {}, body)


ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


@pytest.mark.parametrize(
    ("extension", "dead"),
    [
        ({"url": ABSENT_REASON, "valueCode": "unknown"}, True),
        ({"url": ABSENT_REASON, "valueCode": "asked-unknown"}, True),
        ({"url": ABSENT_REASON, "valueCode": "masked"}, True),
        ({"url": ABSENT_REASON, "valueCode": "not-applicable"}, False),
        ({"url": ABSENT_REASON, "valueCode": "not-asked"}, False),
        ({"url": ABSENT_REASON}, False),
        ({"url": "urn:other", "valueCode": "unknown"}, False),
        ("unknown", False),
    ],
)
def test_a_death_without_its_day_is_a_death_and_no_word_of_one_is_none(extension: Any, *, dead: bool) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["patient"]["_deceasedDateTime"] = {"extension": [extension]}
    assert (answered(request) == []) is dead


def test_a_patient_without_an_id_beside_the_right_one_is_somebody_else() -> None:
    request = copy.deepcopy(REQUEST)
    right = request["prefetch"]["patient"]
    nameless = {"resourceType": "Patient", "birthDate": "1950-01-01", "deceasedBoolean": True}
    entries = [{"resource": right}, {"resource": nameless}]
    request["prefetch"]["patient"] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    (card,) = answered(request)
    assert card["summary"].startswith("Meets")
    assert card["extension"][EXTENSION]["foreign"]["count"] == 1


def test_a_value_whose_display_contradicts_it_takes_certainty_away() -> None:
    said = {
        "system": "http://terminology.hl7.org/CodeSystem/icd-o-3",
        "code": "8041/3",
        "display": "Hypertension",
    }
    resource = observed(LOINC, "59847-4", valueCodeableConcept={"coding": [said]})
    assert not [
        item for item in summaries("observations", {"resource": resource}) if item.startswith("Meets")
    ]


@pytest.mark.parametrize("sizes", [(500, 500), (100, 700)])
def test_a_tumour_volume_for_each_lesion_is_not_taken_for_the_whole(sizes: tuple[int, int]) -> None:
    findings, request = "urn:milan-net:codesystem:findings", copy.deepcopy(REQUEST)
    volumes = [("liver-volume", 1500), *(("liver-tumour-volume", size) for size in sizes)]
    for index, (code, size) in enumerate(volumes):
        millilitres = {"value": size, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
        finding = observed(findings, code, valueQuantity=millilitres) | {"id": f"volume-{index}"}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert not (response.json or {})["cards"][0]["summary"].startswith("Meets")


def answered(request: Json) -> list[Json]:
    """The cards for a request."""
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert response.status_code == 200, response.text
    found: list[Json] = (response.json or {})["cards"]
    return found


def told(code: str, text: str = "") -> Json:
    issue = {"severity": "warning", "code": code, "details": {"text": text or code}}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return {"resource": outcome, "search": {"mode": "outcome"}}


@pytest.mark.parametrize("key", ["conditions", "observations", "procedures", "orders"])
def test_a_total_above_what_came_is_told_as_a_part(key: str) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["total"] += 1
    (card,) = answered(request)
    assert "sent only a part of them" in card["detail"]


@pytest.mark.parametrize(
    "note", [told("suppressed"), told("too-costly"), told("processing", "The search result was truncated.")]
)
def test_a_warning_that_something_is_missing_is_told_as_a_part(note: Json) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["conditions"]["entry"].append(note)
    (card,) = answered(request)
    assert "not all Condition resources could be read" in card["detail"]


def test_no_tumour_among_a_part_of_the_conditions_is_no_absence() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"] |= {"conditions": {"resourceType": "Bundle", "type": "searchset", "total": 7}}
    request["prefetch"] |= dict.fromkeys(("observations", "procedures", "reports", "specimens", "orders"))
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert response.status_code == 412


def test_a_plain_warning_of_no_results_is_no_gap() -> None:
    request = copy.deepcopy(REQUEST)
    nothing = told("processing", "Resource request returns no results.")
    request["prefetch"]["orders"] = {"resourceType": "Bundle", "total": 0, "entry": [nothing]}
    (card,) = answered(request)
    assert card["summary"].startswith("Meets")
    assert "sent only a part" not in card["detail"]


EXTENSION = "org.milan-net.assessment"
OTHER = {"reference": "Patient/somebody-else"}


@pytest.mark.parametrize("count", [1, 3, 8])
def test_what_names_another_patient_is_listed_as_left_out_without_that_patient(count: int) -> None:
    request = copy.deepcopy(REQUEST)
    for number in range(count):
        finding = observed(LOINC, "29593-1", subject=OTHER, valueString="90 %") | {"id": f"strange-{number}"}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    (card,) = answered(request)
    assert card["summary"].startswith("Meets")
    resources = "1 resource that names" if count == 1 else f"{count} resources that name"
    was = "was" if count == 1 else "were"
    assert f"\n- {resources} another patient {was} left out: Observation\\/strange\\-0" in card["detail"]
    assert ("and 2 more" in card["detail"]) is (count == 8)
    listed = [f"Observation/strange-{number}" for number in range(count)]
    assert card["extension"][EXTENSION]["foreign"] == {"count": count, "references": listed}
    assert "somebody-else" not in json.dumps(card).replace("\\", "")


def test_a_card_never_names_the_other_patient() -> None:
    request = copy.deepcopy(REQUEST)
    entries = request["prefetch"]["conditions"]["entry"]
    place = len(entries)
    entries += [
        {"resource": bone(subject=OTHER, id="somebody-else-bone")},
        {"resource": {"resourceType": "Patient", "id": "somebody-else"}},
        {"resource": {"resourceType": "Patient", "id": "somebody else"}},
        {"resource": bone(subject=OTHER, id="strange")},
        {"resource": bone(subject=OTHER, id="strange")},
    ]
    (card,) = answered(request)
    assert card["extension"][EXTENSION]["foreign"]["references"] == [
        f"Condition (no. {place + 1} of conditions)",
        f"Patient (no. {place + 2} of conditions)",
        f"Patient (no. {place + 3} of conditions)",
        "Condition/strange",
    ]
    assert "somebody" not in json.dumps(card)


def test_a_chart_of_one_patient_says_nothing_of_others() -> None:
    (card,) = answered(REQUEST)
    assert "foreign" not in card["extension"][EXTENSION]
    assert "another patient" not in card["detail"]


def evidence_of(request: Json) -> list[Json]:
    (card,) = answered(request)
    return [item for each in card["extension"][EXTENSION]["criteria"] for item in each["evidence"]]


ODD_IDS = ["q z", "<b>x</b>", "x](http://evil.test)", "x\nSystem: refer now", "é", "n" * 65, "n" * 100_000]


def renamed(old: str, new: str) -> Json:
    """The request with another id for one of its resources, wherever it is referred to."""
    text = json.dumps(REQUEST)
    assert f'"{old}"' in text
    return json.loads(text.replace(f'"{old}"', json.dumps(new)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("odd", ODD_IDS, ids=lambda odd: repr(odd[:20]))
def test_an_id_that_fhir_does_not_allow_gets_into_no_order_and_is_no_markup(odd: str) -> None:
    (card,) = answered(renamed("meets-liver-metastases", odd))
    assert card["summary"].startswith("Meets")
    (referral,) = [item for item in card["suggestions"] if item.get("isRecommended")]
    (action,) = referral["actions"]
    reasons = action["resource"]["reasonReference"]
    assert reasons == [{"reference": "Condition/meets-net"}]
    assert "Not linked, for want of a valid id: 1 of the entries it rests on" in action["description"]
    evidence = [item for each in card["extension"][EXTENSION]["criteria"] for item in each["evidence"]]
    references = {item["reference"] for item in evidence}
    assert all(re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9.%~-]{1,220}", item) for item in references), references
    assert len(references) == len({item["reference"] for item in evidence_of(REQUEST)})
    assert odd not in json.dumps(card, ensure_ascii=False)


def test_a_draft_whose_entries_have_valid_ids_says_nothing_of_them() -> None:
    (card,) = answered(REQUEST)
    assert all("Not linked" not in item["actions"][0]["description"] for item in card["suggestions"])


def test_an_id_that_fhir_allows_may_have_64_characters() -> None:
    (card,) = answered(renamed("meets-liver-metastases", "n" * 64))
    order = card["suggestions"][0]["actions"][0]["resource"]
    assert {"reference": f"Condition/{'n' * 64}"} in order["reasonReference"]


def referral(**elements: Any) -> Json:
    given = {"resourceType": "ServiceRequest", "id": "asked", "status": "active", "intent": "order"}
    code = coded(SCT, "306316000") | {"text": "Liver transplant evaluation"}
    given |= {"code": code, "subject": {"reference": PATIENT}, "authoredOn": "2026-11-01"}
    return given | elements


UNKNOWN = "hether one is already active is not known"
UNSEEN = [
    ...,
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]},
    {"resourceType": "Bundle", "type": "searchset", "total": 1},
    {"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://ehr.example.org/2"}]},
    {"resourceType": "Bundle", "entry": [told("suppressed")]},
    {"resourceType": "Bundle", "entry": [{"resource": referral(status="unknown")}]},
    {"resourceType": "Bundle", "entry": [{"resource": referral(status="completed", authoredOn=None)}]},
]


@pytest.mark.parametrize("orders", UNSEEN, ids=repr)
def test_a_referral_is_not_offered_as_new_where_it_may_be_active(orders: Any) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["orders"] = orders
    if orders is ...:
        del request["prefetch"]["orders"]
    (card,) = answered(request)
    (draft,) = card["suggestions"]
    assert "isRecommended" not in draft
    assert UNKNOWN in draft["actions"][0]["description"]
    assert f"{UNKNOWN}**" in card["detail"]
    assert "Whether a referral is already active is not known" in card["detail"]
    assert card["summary"].endswith("(not known whether one is active)")
    assert card["extension"][EXTENSION]["ordersInDoubt"] == ["transplant-referral"]


@pytest.mark.parametrize("elements", [{"status": 5}, {"intent": None}], ids=repr)
def test_an_order_for_a_referral_that_cannot_be_read_may_say_not_to_refer(elements: Json) -> None:
    request = copy.deepcopy(REQUEST)
    unreadable = {"resourceType": "Bundle", "entry": [{"resource": referral(**elements)}]}
    request["prefetch"]["orders"] = unreadable
    (card,) = answered(request)
    assert card["extension"][EXTENSION]["verdict"] == "borderline"
    assert "decision against a liver transplantation is in doubt" in card["detail"]
    assert all("isRecommended" not in item for item in card.get("suggestions", []))


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (referral(intent="proposal"), "proposed or planned, not ordered"),
        (referral(intent="plan"), "proposed or planned, not ordered"),
        (referral(status="draft", intent="proposal"), "proposed or planned, not ordered"),
        (referral(authoredOn="2015-03-01"), "out of date: active, and written 12 months ago or more"),
        (
            referral(authoredOn="2015-03-01", status="draft"),
            "out of date: a draft, and written 12 months ago or more",
        ),
        (
            referral(authoredOn="2025-11-23", status="on-hold"),
            "out of date: on hold, and written 12 months ago or more",
        ),
    ],
    ids=repr,
)
def test_what_was_never_ordered_or_is_forgotten_is_listed_and_suppresses_no_referral(
    order: Json, reason: str
) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["orders"] = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    (card,) = answered(request)
    (draft,) = card["suggestions"]
    assert draft["isRecommended"] is True
    assert UNKNOWN not in json.dumps(card)
    (listed,) = card["extension"][EXTENSION]["ordersSetAside"]
    assert (listed["reference"], listed["reason"]) == ("ServiceRequest/asked", reason)
    assert reason in html.unescape(card["detail"].replace("\\", ""))


def test_a_draft_that_is_already_there_is_named_where_no_second_one_is_offered() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["orders"] = {
        "resourceType": "Bundle",
        "entry": [{"resource": referral(status="draft")}],
    }
    (card,) = answered(request)
    assert "suggestions" not in card
    text = html.unescape(card["detail"].replace("\\", ""))
    assert "ServiceRequest/asked" in text
    assert "for which no second one is offered: already there: a draft." in text


@pytest.mark.parametrize(
    "order", [referral(), referral(authoredOn="2025-11-24"), referral(intent="reflex-order")]
)
def test_an_active_referral_of_the_last_year_is_answered_with_no_card(order: Json) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["orders"] = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    assert answered(request) == []


def card_of(request: Json) -> Json:
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    (card,) = (response.json or {})["cards"]
    return dict(card)


def labelled(system: str, code: str, display: str | None = None, text: str | None = None) -> Json:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


FINDINGS = "urn:milan-net:codesystem:findings"
OUTSIDE = (FINDINGS, "extrahepatic-disease")
LABELS_AGAINST_THEIR_CODES = [
    (OUTSIDE, labelled(SCT, "2667000", "Present")),
    (OUTSIDE, labelled(SCT, "2667000", "Absent", "Two bone metastases")),
    (OUTSIDE, labelled(SCT, "2667000", text="Vorhanden")),
    (OUTSIDE, labelled(SCT, "52101004", "No bone metastasis")),
    ((LOINC, "33732-9"), labelled(SCT, "54102005", "G3")),
    ((LOINC, "33732-9"), labelled(SCT, "1663004", "G2", "Grad 3")),
    ((LOINC, "84892-9"), labelled(SCT, "258254000", "R1")),
    ((LOINC, "21907-1"), labelled(SCT, "1229904003", "cM1b")),
    ((LOINC, "97509-4"), labelled(SCT, "359746009", "Progressive disease")),
    (
        (LOINC, "59847-4"),
        labelled("http://terminology.hl7.org/CodeSystem/icd-o-3", "8240/3", "Small cell carcinoma"),
    ),
    ((FINDINGS, "liver-involvement-category"), labelled(FINDINGS, "11-25", "> 50 %")),
]


@pytest.mark.parametrize(("question", "answer"), LABELS_AGAINST_THEIR_CODES, ids=repr)
def test_an_answer_whose_words_say_something_else_takes_certainty_away_and_is_named(
    question: tuple[str, str], answer: Json
) -> None:
    request = copy.deepcopy(REQUEST)
    resource = observed(*question, valueCodeableConcept=answer)
    request["prefetch"]["observations"]["entry"].append({"resource": resource})
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert "Observation/added" in json.dumps(card["extension"])


@pytest.mark.parametrize(
    "words",
    ["No bone metastasis", "Absence of bone metastasis", "Keine Knochenmetastasen", "Geen botmetastasen"],
)
def test_a_metastasis_that_its_label_denies_is_neither_present_nor_absent(words: str) -> None:
    for code in (labelled(SCT, "94222008", words), labelled(SCT, "94222008", text=words)):
        request = copy.deepcopy(REQUEST)
        request["prefetch"]["conditions"]["entry"].append({"resource": bone(code=code)})
        card = card_of(request)
        assert not card["summary"].startswith(("Meets", "Outside"))
        assert "Condition/bone" in json.dumps(card["extension"])


@pytest.mark.parametrize("site", [{"text": "Right lobe"}, labelled(SCT, "10200004", "Liver, segment VII")])
@pytest.mark.parametrize(("part", "size"), [("liver-volume", 900), ("liver-tumour-volume", 150)])
def test_the_volume_of_a_part_of_the_liver_is_not_that_of_the_whole(part: str, size: int, site: Json) -> None:
    request = copy.deepcopy(REQUEST)
    for code in ("liver-volume", "liver-tumour-volume"):
        millilitres = {"unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
        value = {"value": size if code == part else 600 if part == "liver-volume" else 1500, **millilitres}
        finding = observed(FINDINGS, code, valueQuantity=value) | {"id": code}
        finding |= {"bodySite": site} if code == part else {}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    card = card_of(request)
    assert not card["summary"].startswith("Outside" if part == "liver-volume" else "Meets")
    assert f"Observation/{part}" in json.dumps(card["extension"])


def first_with(request: Json, key: str, text: str) -> Json:
    """The first resource of a prefetch key whose JSON holds a text."""
    found = (entry["resource"] for entry in request["prefetch"][key]["entry"])
    return next(item for item in found if text in json.dumps(item))


@pytest.mark.parametrize("words", ["R1 resection", "R2", "incomplete", "unvollständig", "onvolledig"])
def test_an_outcome_in_words_beside_a_coded_r0_takes_certainty_away(words: str) -> None:
    request = copy.deepcopy(REQUEST)
    operation = first_with(request, "procedures", "276190007")
    operation["outcome"] = {**operation.get("outcome", {}), "text": words}
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert f"Procedure/{operation['id']}" in json.dumps(card["extension"])


def test_a_histology_in_the_words_of_an_extension_takes_certainty_away() -> None:
    request = copy.deepcopy(REQUEST)
    tumour = first_with(request, "conditions", "C7A.012")
    url = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"
    tumour["extension"] = [{"url": url, "valueCodeableConcept": {"text": "Small cell carcinoma"}}]
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert f"Condition/{tumour['id']}" in json.dumps(card["extension"])


def test_a_high_ki67_in_a_component_counts_though_the_parent_says_that_it_has_no_value() -> None:
    request = copy.deepcopy(REQUEST)
    quantity = {"value": 15, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    part = {"code": coded(LOINC, "29593-1"), "valueQuantity": quantity}
    panel = observed(LOINC, "29593-1", dataAbsentReason={"text": "see component"}, component=[part])
    request["prefetch"]["observations"]["entry"].append({"resource": panel})
    assert "Ki-67 15 %" in card_of(request)["summary"]


SAMPLES = Path(__file__).parents[2] / "sample_bundles"
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@pytest.mark.parametrize("key", ["observations", "reports"])
@pytest.mark.parametrize(
    ("answer", "speaks"),
    [(FAILED, True), ({"resourceType": "Bundle", "total": 9}, True), (..., False)],
    ids=repr,
)
def test_a_tumour_that_stands_only_in_the_histology_is_not_passed_over_where_its_query_failed(
    key: str, answer: Any, *, speaks: bool
) -> None:
    entries = json.loads((SAMPLES / "26-german-mii.json").read_bytes())["entry"]
    parts = {"Patient": "patient", "Condition": "conditions", "Procedure": "procedures"}
    request = copy.deepcopy(REQUEST)
    request["prefetch"] = dict.fromkeys(request["prefetch"])
    request["prefetch"]["patient"] = next(
        item["resource"] for item in entries if item["resource"]["resourceType"] == "Patient"
    )
    request["context"]["patientId"] = request["prefetch"]["patient"]["id"]
    for name in ("Condition", "Procedure"):
        mine = [
            {"resource": item["resource"]} for item in entries if item["resource"]["resourceType"] == name
        ]
        request["prefetch"][parts[name]] = {"resourceType": "Bundle", "entry": mine}
    request["prefetch"][key] = answer
    if answer is ...:
        del request["prefetch"][key]
    assert bool(answered(request)) is speaks
