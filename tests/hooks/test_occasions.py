"""When a hook is an occasion to speak, and how: the table of the issue, row by row."""

from typing import Any

import pytest

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.contexts import Context, OrderSelectContext, OrderSignContext, ProblemContext
from cds_service.hooks.occasions import Indicator, Manner, Occasion, manner, occasion
from fhir_mappings.drafted import DraftKind
from fhir_mappings.facts import OrderKind
from fhir_mappings.valueset import terminology
from tests.hooks.assessments import assessment

Json = dict[str, Any]
REFERRAL, RESECTION, IMAGING = "306316000", "61326000", "764695006"
IDS: Json = {"user_id": "Practitioner/1", "patient_id": "p1"}
MAY_BE_CANDIDATE = (Verdict.MEETS, Verdict.INCOMPLETE, Verdict.BORDERLINE, Verdict.NOT_YET)


def drafts(*codes: str) -> Json:
    orders = [
        {
            "resourceType": "ServiceRequest",
            "id": f"d{number}",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
        }
        for number, code in enumerate(codes)
    ]
    return {"resourceType": "Bundle", "entry": [{"resource": order} for order in orders]}


def found_in(context: Context) -> Occasion | None:
    return occasion(context, terminology(), lambda *_: None)


def spoken(drafted: DraftKind, verdict: Verdict, orders: tuple[OrderKind, ...] = ()) -> Manner | None:
    given: Assessment = assessment(verdict, orders=orders, not_assessed=())
    return manner(Occasion(frozenset({drafted})), given)


# --- what concerns us -------------------------------------------------------------------------------------------------


def test_opening_a_chart_is_always_an_occasion() -> None:
    assert found_in(Context(**IDS)) == Occasion()


def test_an_order_to_sign_is_an_occasion_only_if_it_is_of_a_kind_we_speak_about() -> None:
    assert found_in(OrderSignContext(**IDS, draft_orders=drafts("80146002"))) is None
    assert found_in(OrderSignContext(**IDS, draft_orders={})) is None
    found = found_in(OrderSignContext(**IDS, draft_orders=drafts("80146002", RESECTION)))
    assert found is not None
    assert found.drafts == {DraftKind.LIVER_RESECTION}


@pytest.mark.parametrize(
    ("selections", "kinds"),
    [
        (["ServiceRequest/d0"], {DraftKind.TRANSPLANT_EVALUATION}),
        (["https://ehr.example.org/R4/ServiceRequest/d1"], {DraftKind.LIVER_RESECTION}),
        (
            ["ServiceRequest/d0", "ServiceRequest/d1"],
            {DraftKind.TRANSPLANT_EVALUATION, DraftKind.LIVER_RESECTION},
        ),
        (["d0"], {DraftKind.TRANSPLANT_EVALUATION}),
        (["ServiceRequest/d0/_history/2"], {DraftKind.TRANSPLANT_EVALUATION}),
        (["urn:uuid:0"], {DraftKind.TRANSPLANT_EVALUATION, DraftKind.LIVER_RESECTION}),
        (["urn:uuid:0", "ServiceRequest/d1"], {DraftKind.LIVER_RESECTION}),
        ([], None),
        (["ServiceRequest/other"], None),
        (["other", "", "/", "ServiceRequest"], None),
        (["MedicationRequest/d0"], None),
    ],
)
def test_of_the_drafts_on_the_pad_only_those_just_selected_are_an_occasion(
    selections: list[str], kinds: set[DraftKind] | None
) -> None:
    context = OrderSelectContext(**IDS, draft_orders=drafts(REFERRAL, RESECTION), selections=selections)
    found = found_in(context)
    assert (None if found is None else found.drafts) == kinds


@pytest.mark.parametrize(("selections", "is_occasion"), [(["ServiceRequest/other"], True), ([], False)])
def test_a_draft_without_an_id_may_be_what_was_selected(selections: list[str], is_occasion: bool) -> None:
    pad = drafts(REFERRAL)
    del pad["entry"][0]["resource"]["id"]
    context = OrderSelectContext(**IDS, draft_orders=pad, selections=selections)
    assert (found_in(context) is not None) is is_occasion


def test_every_draft_on_the_pad_counts_as_ordered() -> None:
    context = OrderSelectContext(
        **IDS, draft_orders=drafts(REFERRAL, IMAGING), selections=["ServiceRequest/d0"]
    )
    found = found_in(context)
    assert found is not None
    assert found.ordered == {OrderKind.TRANSPLANT_REFERRAL, OrderKind.SOMATOSTATIN_RECEPTOR_PET}


@pytest.mark.parametrize(("code", "concerns"), [("C7A.012", True), ("C78.7", True), ("I10", False)])
def test_a_new_problem_is_an_occasion_if_it_is_the_tumour_or_a_liver_metastasis(
    code: str, *, concerns: bool
) -> None:
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}
    problem = {"resourceType": "Condition", "code": {"coding": [coding]}}
    context = ProblemContext(**IDS, conditions={"entry": [{"resource": problem}]})
    assert (found_in(context) is not None) is concerns


# --- how we speak -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(Verdict))
def test_on_opening_a_chart_the_advice_is_information(verdict: Verdict) -> None:
    assert manner(Occasion(), assessment(verdict)) == Manner(Indicator.INFO)


@pytest.mark.parametrize(
    ("verdict", "indicator"),
    [
        (Verdict.OUTSIDE, Indicator.WARNING),
        (Verdict.NOT_YET, Indicator.WARNING),
        (Verdict.INCOMPLETE, Indicator.INFO),
        (Verdict.BORDERLINE, Indicator.INFO),
        (Verdict.RESECTION_FIRST, Indicator.INFO),
        (Verdict.MEETS, None),
    ],
)
def test_a_transplant_order_is_warned_of_outside_and_not_yet_and_met_with_silence_where_all_is_met(
    verdict: Verdict, indicator: Indicator | None
) -> None:
    how = spoken(DraftKind.TRANSPLANT_EVALUATION, verdict)
    assert (None if how is None else how.indicator) is indicator


def test_a_referral_that_is_being_drafted_is_not_proposed_again() -> None:
    how = spoken(DraftKind.TRANSPLANT_EVALUATION, Verdict.INCOMPLETE)
    assert how is not None
    assert OrderKind.TRANSPLANT_REFERRAL in how.ordered


@pytest.mark.parametrize(
    "drafted", [DraftKind.LIVER_RESECTION, DraftKind.LIVER_EMBOLISATION, DraftKind.RADIONUCLIDE_THERAPY]
)
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_treatment_order_gets_a_word_where_the_patient_may_be_a_candidate(
    drafted: DraftKind, verdict: Verdict
) -> None:
    how = spoken(drafted, verdict)
    assert (how is not None) is (verdict in MAY_BE_CANDIDATE)
    assert how is None or how.indicator is Indicator.INFO


@pytest.mark.parametrize(
    ("verdict", "orders", "speaks"),
    [
        (Verdict.INCOMPLETE, (OrderKind.SOMATOSTATIN_RECEPTOR_PET,), False),
        (Verdict.INCOMPLETE, (OrderKind.SOMATOSTATIN_RECEPTOR_PET, OrderKind.LIVER_MRI), True),
        (Verdict.NOT_YET, (OrderKind.KI67,), True),
        (Verdict.MEETS, (OrderKind.TRANSPLANT_REFERRAL,), True),
        (Verdict.MEETS, (), False),
        (Verdict.OUTSIDE, (OrderKind.KI67,), False),
        (Verdict.NOT_APPLICABLE, (OrderKind.KI67,), False),
    ],
)
def test_receptor_imaging_gets_a_word_where_something_else_is_open_too(
    verdict: Verdict, orders: tuple[OrderKind, ...], *, speaks: bool
) -> None:
    assert (spoken(DraftKind.RECEPTOR_IMAGING, verdict, orders) is not None) is speaks


@pytest.mark.parametrize("verdict", list(Verdict))
def test_receptor_imaging_gets_a_word_where_a_part_was_not_read_and_the_answer_is_open(
    verdict: Verdict,
) -> None:
    unread = assessment(verdict, orders=(), not_assessed=("Observation resources could not be read",))
    how = manner(Occasion(frozenset({DraftKind.RECEPTOR_IMAGING})), unread)
    assert (how is not None) is (verdict in MAY_BE_CANDIDATE and verdict is not Verdict.MEETS)


def test_a_transplant_order_beside_others_decides_how_we_speak() -> None:
    both = Occasion(frozenset({DraftKind.TRANSPLANT_EVALUATION, DraftKind.LIVER_RESECTION}))
    how = manner(both, assessment(Verdict.NOT_YET))
    assert how is not None
    assert (how.indicator, how.topic) == (Indicator.WARNING, "transplant-order")
