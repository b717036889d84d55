"""Draft orders of a hook's context: what they are for, by code, by the site's own code, else by their words."""

from typing import Any

import pytest

from fhir_mappings.drafted import DraftKind, drafted_orders, names_the_tumour
from fhir_mappings.facts import OrderKind
from fhir_mappings.valueset import terminology

SNOMED = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
Json = dict[str, Any]


def draft(code: Json | None, **members: Any) -> Json:
    """A draft as order-sign sends it: no Bundle type, no fullUrl, no intent."""
    given = {"code": code} if code is not None else {}
    return {
        "entry": [
            {
                "resource": {
                    "resourceType": "ServiceRequest",
                    "id": "d1",
                    "status": "draft",
                    **given,
                    **members,
                }
            }
        ]
    }


def coded(code: str, text: str | None = None) -> Json:
    return {"coding": [{"system": SNOMED, "code": code}]} | ({"text": text} if text else {})


def kind_of(bundle: Json) -> DraftKind | None:
    found = drafted_orders(bundle, "p1", terminology(), lambda *_: None)
    assert len(found) == 1
    return found[0].kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("306316000", DraftKind.TRANSPLANT_EVALUATION),
        ("18027006", DraftKind.TRANSPLANT_EVALUATION),
        ("61326000", DraftKind.LIVER_RESECTION),
        ("314617008", DraftKind.LIVER_EMBOLISATION),
        ("438415006", DraftKind.LIVER_EMBOLISATION),
        ("764695006", DraftKind.RECEPTOR_IMAGING),
        ("80146002", None),  # an appendectomy
    ],
)
def test_a_code_says_what_a_draft_is_for(code: str, kind: DraftKind | None) -> None:
    assert kind_of(draft(coded(code))) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Evaluation for liver transplant", DraftKind.TRANSPLANT_EVALUATION),
        ("Transplantation of the liver", DraftKind.TRANSPLANT_EVALUATION),
        ("Lebertransplantation: Evaluation", DraftKind.TRANSPLANT_EVALUATION),
        ("Living donor evaluation, liver transplant", None),
        ("Post-transplant clinic, liver transplant", None),
        ("Kidney transplant evaluation", None),
        ("Right hemihepatectomy", DraftKind.LIVER_RESECTION),
        ("IR: TACE of the right lobe", DraftKind.LIVER_EMBOLISATION),
        ("SIRT", DraftKind.LIVER_EMBOLISATION),
        ("Mustache", None),
        ("PRRT cycle 1", DraftKind.RADIONUCLIDE_THERAPY),
        ("177Lu-DOTATATE infusion", DraftKind.RADIONUCLIDE_THERAPY),
        ("Lutetium Lu 177 dotatate", DraftKind.RADIONUCLIDE_THERAPY),
        ("68Ga-DOTATATE PET/CT", DraftKind.RECEPTOR_IMAGING),
        ("PET/CT with DOTATOC", DraftKind.RECEPTOR_IMAGING),
        ("Complete blood count", None),
        ("", None),
    ],
)
def test_where_no_code_is_known_the_words_of_a_draft_say_what_it_is_for(
    text: str, kind: DraftKind | None
) -> None:
    assert kind_of(draft({"text": text})) is kind
    assert kind_of(draft({"coding": [{"system": "urn:local", "code": "77", "display": text}]})) is kind


def test_a_referral_to_a_transplant_surgeon_that_names_another_organ_is_not_about_a_liver() -> None:
    assert kind_of(draft(coded("306316000", "Kidney transplant evaluation"))) is None
    assert (
        kind_of(draft(coded("306316000", "Kidney and liver transplant evaluation")))
        is DraftKind.TRANSPLANT_EVALUATION
    )


def test_a_medication_can_be_radionuclide_therapy() -> None:
    order = {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Lutathera"}}
    assert kind_of({"entry": [{"resource": order}]}) is DraftKind.RADIONUCLIDE_THERAPY


def test_a_site_orders_under_its_own_code() -> None:
    own = {("urn:epic", "77"): OrderKind.TRANSPLANT_REFERRAL}
    bundle = draft({"coding": [{"system": "urn:epic", "code": "77"}]})
    (found,) = drafted_orders(
        bundle, "p1", terminology(), lambda system, code: own.get((system or "", code or ""))
    )
    assert (found.kind, found.order) == (DraftKind.TRANSPLANT_EVALUATION, OrderKind.TRANSPLANT_REFERRAL)


def test_every_draft_counts_as_ordered_also_one_on_which_nothing_is_said() -> None:
    (found,) = drafted_orders(
        draft({"coding": [{"system": "http://loinc.org", "code": "36046-1"}]}),
        "p1",
        terminology(),
        lambda *_: None,
    )
    assert (found.kind, found.order, found.reference) == (None, OrderKind.LIVER_MRI, "ServiceRequest/d1")


@pytest.mark.parametrize("status", ["cancelled", "revoked", "entered-in-error", "completed", "stopped"])
def test_an_order_that_is_gone_is_no_draft(status: str) -> None:
    assert not drafted_orders(draft(coded("306316000"), status=status), "p1", terminology(), lambda *_: None)


def test_an_order_not_to_do_something_is_no_draft() -> None:
    assert not drafted_orders(
        draft(coded("306316000"), doNotPerform=True), "p1", terminology(), lambda *_: None
    )


SUBJECTS = [
    ({"subject": {"reference": "Patient/p1"}}, True),
    ({"subject": {"reference": "https://ehr.example/fhir/Patient/p1/_history/2"}}, True),
    (
        {"subject": {"reference": "urn:uuid:0"}},
        True,
    ),  # a draft that names nobody here was sent for the patient
    ({"subject": {"display": "Somebody"}}, True),
    ({"subject": 7}, True),
    ({}, True),
    ({"subject": {"reference": "Patient/p11"}}, False),
    ({"subject": {"reference": "https://ehr.example/fhir/Patient/p2"}}, False),
    ({"patient": {"reference": "Patient/p2"}}, False),
]


@pytest.mark.parametrize(("subject", "counts"), SUBJECTS, ids=repr)
def test_a_draft_for_another_patient_is_no_draft_for_this_one(subject: Json, *, counts: bool) -> None:
    found = drafted_orders(draft(coded("306316000"), **subject), "p1", terminology(), lambda *_: None)
    assert bool(found) is counts


@pytest.mark.parametrize(
    "code",
    [
        [coded("306316000")],
        {"system": SNOMED, "code": "306316000"},
        {"coding": {"system": SNOMED, "code": "306316000"}, "text": "Liver"},
        {"concept": coded("306316000")},  # a CodeableReference of R5
        {"text": "OLT work-up"},
        {"text": "Evaluation for transplant (liver)"},
    ],
    ids=repr,
)
def test_a_draft_is_read_in_whatever_shape_its_code_has(code: Any) -> None:
    assert kind_of(draft(code)) is DraftKind.TRANSPLANT_EVALUATION


@pytest.mark.parametrize("name", ["medicationReference", "medicationCodeableConcept", "medication"])
def test_a_medication_may_be_named_by_a_reference(name: str) -> None:
    given = {"display": "Lutathera 7.4 GBq"} if name == "medicationReference" else {"text": "Lutathera"}
    order = {"resourceType": "MedicationRequest", name: {"concept": given} if name == "medication" else given}
    assert kind_of({"entry": [{"resource": order}]}) is DraftKind.RADIONUCLIDE_THERAPY


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("Liver metastases", True),
        ("Lebermetastasen", True),
        ("No liver metastases", False),
        ("Liver cyst", False),
    ],
)
def test_a_new_problem_in_words_concerns_us_as_it_does_on_the_list(text: str, *, concerns: bool) -> None:
    condition = {"resourceType": "Condition", "code": {"text": text}}
    assert names_the_tumour({"entry": [{"resource": condition}]}, terminology()) is concerns


@pytest.mark.parametrize(
    "bundle",
    [
        {},
        {"entry": None},
        {"entry": "x"},
        {"entry": [None, 1, [], {}, {"resource": None}, {"resource": []}]},
        {"entry": {"resource": {"resourceType": "Patient"}}},
    ],
)
def test_odd_bundles_hold_no_drafts(bundle: Json) -> None:
    assert drafted_orders(bundle, "p1", terminology(), lambda *_: None) == ()


@pytest.mark.parametrize(
    "code", [None, {"coding": None}, {"coding": [7, {"system": 1, "code": []}]}, {"text": 5}]
)
def test_a_draft_of_an_odd_shape_is_a_draft_for_nothing_we_know(code: Json | None) -> None:
    assert kind_of(draft(code)) is None


@pytest.mark.parametrize(
    ("code", "concerns"),
    [("C7A.012", True), ("C7B.02", True), ("C78.7", True), ("I10", False), (None, False), (7, False)],
)
def test_a_new_problem_concerns_us_when_it_is_the_tumour_or_a_liver_metastasis(
    code: Any, *, concerns: bool
) -> None:
    condition = {"resourceType": "Condition", "code": {"coding": [{"system": ICD_10_CM, "code": code}]}}
    assert names_the_tumour({"entry": [{"resource": condition}]}, terminology()) is concerns


@pytest.mark.parametrize(
    "code",
    [
        {"coding": {"system": ICD_10_CM, "code": "C7A.012"}},
        [{"coding": [{"system": ICD_10_CM, "code": "C7A.012"}]}],
        "Neuroendocrine tumour",
    ],
)
def test_a_new_problem_of_an_odd_shape_is_read_as_the_record_is_or_may_be_the_tumour(code: Any) -> None:
    condition = {"resourceType": "Condition", "code": code}
    assert names_the_tumour({"entry": [{"resource": condition}]}, terminology())


@pytest.mark.parametrize("wrap", [lambda item: item, lambda item: {"entry": [item]}])
def test_a_resource_without_its_wrapping_is_a_resource(wrap: Any) -> None:
    coding = {"system": ICD_10_CM, "code": "C7A.012"}
    condition = {"resourceType": "Condition", "code": {"coding": [coding]}}
    assert names_the_tumour(wrap(condition), terminology())
