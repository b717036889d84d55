"""Transplant status, other diseases and orders (terminology.md 2 j, k; clinical.md 6, 7.4)."""

import pytest

from fhir_mappings.facts import GapKind, OrderKind, OrderState, Presence, TransplantStatus
from fhir_mappings.mapping import read_facts
from fhir_mappings.record import read_file
from tests.builders import (
    ICD,
    ICD_CM,
    ICD_GM,
    ICD_O,
    LOINC,
    PCS,
    SCT,
    TODAY,
    Json,
    bundle,
    condition,
    extension,
    facts_of,
    facts_of_prefetch,
    histology,
    net,
    observation,
    order,
    patient,
    procedure,
    ref,
    searchset,
)

TRANSPLANT, WAITING, REFERRAL = f"{SCT}|18027006", f"{SCT}|471300007", f"{SCT}|306316000"
LIVER_REFERRAL = f"{REFERRAL}|Referral for liver transplant evaluation"


# --- transplant -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        condition(f"{ICD_CM}|Z94.4"),
        condition(f"{ICD_CM}|T86.41"),
        condition(f"{ICD_GM}|T86.40"),
        condition(f"{ICD_CM}|Z48.23"),
        condition(f"{SCT}|737297006"),
        condition(f"{SCT}|161671001"),
        condition(f"{ICD_CM}|T86.42", clinical="resolved"),
        procedure(TRANSPLANT),
        procedure(f"{PCS}|0FY00Z0"),
    ],
)
def test_a_transplanted_liver_is_known_in_every_shape(item: Json) -> None:
    assert facts_of(item).transplant_status.value is TransplantStatus.TRANSPLANTED


@pytest.mark.parametrize("code", [f"{ICD_CM}|Z52.6", f"{SCT}|105463007"])
def test_a_donor_is_no_recipient(code: str) -> None:
    assert facts_of(condition(code)).transplant_status.value is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (procedure(TRANSPLANT, status="not-done"), GapKind.NOT_RECORDED),
        (procedure(TRANSPLANT, status="entered-in-error"), GapKind.NOT_RECORDED),
        (procedure(TRANSPLANT, status="stopped"), GapKind.INDETERMINATE),
        (condition(f"{ICD_CM}|Z94.4", verification="provisional"), GapKind.INDETERMINATE),
        (condition(f"{ICD_CM}|Z94.4", verification="refuted"), GapKind.NOT_RECORDED),
    ],
)
def test_a_transplantation_not_done_or_unconfirmed_is_none_and_is_listed(
    item: Json, expected: GapKind
) -> None:
    fact = facts_of(item).transplant_status
    assert fact.gap is not None
    assert fact.gap.kind is expected
    assert fact.discarded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("On waiting list for liver transplant", TransplantStatus.LISTED),
        ("Warteliste Lebertransplantation", TransplantStatus.LISTED),
        ("On waiting list for kidney transplant", GapKind.NOT_RECORDED),
        ("On transplant waiting list", GapKind.INDETERMINATE),
        ("On transplant waiting list, see chart", GapKind.INDETERMINATE),  # "hart" is a heart in Dutch
        ("On waiting list for liver and kidney transplant", TransplantStatus.LISTED),
    ],
)
def test_a_waiting_list_counts_for_the_organ_it_names(
    text: str, expected: TransplantStatus | GapKind
) -> None:
    item = condition(WAITING)
    item["code"]["text"] = text
    fact = facts_of(item).transplant_status
    assert (fact.value or (fact.gap and fact.gap.kind)) is expected


def test_a_waiting_list_that_is_over_or_denied_does_not_count() -> None:
    over = condition(f"{WAITING}|On waiting list for liver transplant", clinical="resolved")
    assert facts_of(over).transplant_status.value is None
    denied = observation(f"{WAITING}|On waiting list for liver transplant", valueBoolean=False)
    assert facts_of(denied).transplant_status.value is None


# --- another malignancy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [f"{ICD_CM}|C50.911", f"{ICD}|C61", f"{ICD_CM}|C18.7", f"{ICD_CM}|C4A.9", f"{ICD_GM}|C34.1"]
)
def test_an_active_cancer_of_another_organ_is_another_malignancy(code: str) -> None:
    assert facts_of(net(), condition(code)).other_malignancy.value is Presence.PRESENT


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (condition(f"{ICD_CM}|C50.911", clinical="resolved"), GapKind.NOT_RECORDED),
        (condition(f"{ICD_CM}|C50.911", clinical="remission"), GapKind.NOT_RECORDED),
        (condition(f"{ICD_CM}|C50.911", verification="refuted"), GapKind.NOT_RECORDED),
        (condition(f"{ICD_CM}|C50.911", verification="entered-in-error"), GapKind.NOT_RECORDED),
        (condition(f"{ICD_CM}|C50.911", verification="provisional"), GapKind.CONFLICTING),
    ],
)
def test_history_and_unconfirmed_cancers_are_not_active_and_are_listed(item: Json, expected: GapKind) -> None:
    fact = facts_of(net(), item).other_malignancy
    assert fact.gap is not None
    assert fact.gap.kind is expected
    assert len(fact.discarded) == 1


@pytest.mark.parametrize("code", ["C7B.02", "C77.2", "C78.7", "C44.91", "C22.9", "C80.1", "Z85.3"])
def test_metastases_and_codes_of_no_second_cancer_are_none(code: str) -> None:
    assert facts_of(net(), condition(f"{ICD_CM}|{code}")).other_malignancy.value is None


@pytest.mark.parametrize("code", ["254837009", "254900004", "92814006", "363346000"])
def test_a_cancer_with_a_snomed_code_is_another_malignancy(code: str) -> None:
    assert facts_of(net(), condition(f"{SCT}|{code}")).other_malignancy.value is Presence.PRESENT


@pytest.mark.parametrize(
    "label",
    [
        "Malignant tumor of cervix (disorder)",
        "Mantle cell lymphoma",
        "Mammakarzinom",
        "Acute myeloid leukaemia",
    ],
)
def test_words_that_read_like_another_cancer_take_certainty_away_and_prove_nothing(label: str) -> None:
    for item in (condition(f"{SCT}|11111111111111|{label}"), condition(code={"text": label})):
        fact = facts_of(net(), item).other_malignancy
        assert fact.gap is not None
        assert fact.gap.kind is GapKind.CONFLICTING
        assert [found.evidence.reference for found in fact.discarded] == [ref(item)["reference"]]


@pytest.mark.parametrize(
    "label",
    [
        "Family history of cancer of colon",
        "History of malignant neoplasm (situation)",
        "Screening for malignant neoplasm of colon",
        "Carcinoma in situ of prostate",
        "Suspected lung cancer (situation)",
        "Metastatic carcinoma",
        "Neuroendocrine carcinoma, in words only",
        "Hypertensive disorder",
    ],
)
def test_words_that_take_it_back_are_no_other_cancer(label: str) -> None:
    gap = facts_of(net(), condition(f"{SCT}|11111111111111|{label}")).other_malignancy.gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


def test_a_cancer_that_is_only_in_words_and_resolved_is_history() -> None:
    gap = facts_of(
        net(), condition(code={"text": "Cervical cancer"}, clinical="resolved")
    ).other_malignancy.gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


def test_nobody_is_called_free_of_other_cancers_for_want_of_a_code() -> None:
    assert facts_of(net()).other_malignancy.value is None


@pytest.mark.parametrize("where", [b"Asthma", b"Encounter/1"])
def test_a_condition_in_another_encoding_may_be_another_malignancy(where: bytes) -> None:
    other = condition(f"{SCT}|195967001|Asthma", encounter={"reference": "Encounter/1"})
    data = bundle(patient(), net(), other)
    (record,) = read_file(data.replace(where, where + b"\xe9"))
    facts = read_facts(record, TODAY)
    assert facts.other_malignancy.gap is not None
    assert facts.other_malignancy.gap.kind is GapKind.UNREADABLE
    assert ["other_malignancy" in issue.facts for issue in facts.issues] == [True]


def test_the_who_code_of_the_net_s_own_organ_is_not_another_malignancy() -> None:
    primary = condition(f"{ICD}|C17.2")
    facts = facts_of(primary, histology(f"{ICD_O}|8240/3", focus=[ref(primary)]))
    assert facts.other_malignancy.value is None
    assert facts_of(condition(f"{ICD}|C17.2"), histology(f"{ICD_O}|8240/3")).other_malignancy.value is None


def test_a_net_histology_in_an_extension_makes_it_the_net() -> None:
    own = condition(f"{ICD}|C18.0", extension=[extension("histology-morphology-behavior", f"{ICD_O}|8240/3")])
    assert facts_of(own).other_malignancy.value is None
    other = condition(
        f"{ICD}|C18.0", extension=[extension("histology-morphology-behavior", f"{ICD_O}|8140/3")]
    )
    assert facts_of(net(), other).other_malignancy.value is Presence.PRESENT


@pytest.mark.parametrize("code", ["C17.2", "C17.9"])
def test_the_organ_of_the_net_coded_once_more_may_be_the_net(code: str) -> None:
    fact = facts_of(net(), condition(f"{ICD_CM}|{code}")).other_malignancy
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE


def test_the_same_organ_with_an_adenocarcinoma_in_focus_is_another_malignancy() -> None:
    cancer = condition(f"{ICD_CM}|C17.2")
    facts = facts_of(net(), cancer, histology(f"{ICD_O}|8140/3", focus=[ref(cancer)]))
    assert facts.other_malignancy.value is Presence.PRESENT


def test_one_organ_outside_the_gut_beside_an_unlinked_net_may_be_the_net() -> None:
    fact = facts_of(condition(f"{ICD}|C34.1"), histology(f"{ICD_O}|8240/3")).other_malignancy
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE


# --- carcinoid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"{ICD_CM}|E34.0",
        f"{ICD_CM}|E34.00",
        f"{ICD_CM}|E34.01",
        f"{ICD_CM}|E34.09",
        f"{ICD}|E34.0",
        f"{SCT}|35868009",
    ],
)
def test_every_code_of_the_syndrome_counts(code: str) -> None:
    assert facts_of(condition(code)).carcinoid_syndrome.value is Presence.PRESENT


@pytest.mark.parametrize("code", [f"{ICD_CM}|E34.01", f"{SCT}|36222008"])
def test_carcinoid_heart_disease_has_its_own_codes(code: str) -> None:
    assert facts_of(condition(code)).carcinoid_heart_disease.value is Presence.PRESENT
    assert facts_of(condition(f"{ICD_CM}|E34.00")).carcinoid_heart_disease.value is None


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({"verification": "refuted"}, GapKind.NOT_RECORDED),
        ({"clinical": "resolved"}, GapKind.NOT_RECORDED),
        ({"verification": "provisional"}, GapKind.INDETERMINATE),
    ],
)
def test_a_syndrome_refuted_over_or_unconfirmed_is_not_present(
    elements: dict[str, str], kind: GapKind
) -> None:
    fact = facts_of(condition(f"{SCT}|35868009", **elements)).carcinoid_syndrome
    assert fact.gap is not None
    assert fact.gap.kind is kind
    assert fact.discarded


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (REFERRAL, OrderKind.TRANSPLANT_REFERRAL),
        (f"{SCT}|764695006", OrderKind.SOMATOSTATIN_RECEPTOR_PET),
        (f"{LOINC}|36046-1", OrderKind.LIVER_MRI),
        (f"{LOINC}|44139-4", OrderKind.RESTAGING),
        (f"{SCT}|310731000146105", OrderKind.KI67),
        (f"{SCT}|40701008", OrderKind.ECHOCARDIOGRAM),
        (f"{SCT}|306313008", OrderKind.SURGICAL_REFERRAL),
    ],
)
def test_an_open_order_is_known_by_its_code(code: str, kind: OrderKind) -> None:
    found = facts_of(order(code)).open_orders.value
    assert found is not None
    assert [item.kind for item in found] == [kind]


@pytest.mark.parametrize(
    ("item", "state"),
    [
        (order(LIVER_REFERRAL), OrderState.ACTIVE),
        (order(LIVER_REFERRAL, status="on-hold"), OrderState.ON_HOLD),
        (order(LIVER_REFERRAL, status="draft"), OrderState.DRAFT),
        (order(LIVER_REFERRAL, status="completed"), OrderState.COMPLETED),
        (order(LIVER_REFERRAL, status="unknown"), OrderState.DOUBTFUL),
        (order(LIVER_REFERRAL, status="enroute"), OrderState.DOUBTFUL),
        (order(LIVER_REFERRAL, intent="proposal"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, intent="plan"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, intent="Plan"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, intent="directive"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, intent="option"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, status="draft", intent="proposal"), OrderState.PROPOSED),
        (order(LIVER_REFERRAL, intent="original-order"), OrderState.ACTIVE),
        (order(LIVER_REFERRAL, intent="filler-order"), OrderState.ACTIVE),
        (order(LIVER_REFERRAL, intent="wish"), OrderState.DOUBTFUL),
        (
            order(LIVER_REFERRAL, modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
            OrderState.DOUBTFUL,
        ),
        (order(f"{REFERRAL}|Referral for kidney and liver transplant"), OrderState.ACTIVE),
        (order(LIVER_REFERRAL, authoredOn=None), OrderState.ACTIVE),
        (order(LIVER_REFERRAL, authoredOn="2015-01-01"), OrderState.ACTIVE),
        (order(f"{LOINC}|36046-1", status="draft"), OrderState.DRAFT),
        (order(f"{SCT}|40701008|Echocardiography of the heart"), OrderState.ACTIVE),
        (order(f"{LOINC}|36046-1", intent="plan"), OrderState.PROPOSED),
    ],
)
def test_an_order_says_how_far_it_is(item: Json, state: OrderState) -> None:
    found = facts_of(item).open_orders.value
    assert found is not None
    assert [(each.state, bool(each.doubt)) for each in found] == [(state, state is OrderState.DOUBTFUL)]


@pytest.mark.parametrize(
    "item",
    [
        order(f"{LOINC}|36046-1", status="completed"),
        order(REFERRAL, status="revoked"),
        order(REFERRAL, status="entered-in-error"),
        order(REFERRAL, doNotPerform=True),
        order(REFERRAL, authoredOn="2027-01-01"),
        order(f"{REFERRAL}|Referral to kidney transplant surgeon"),
    ],
)
def test_an_order_that_is_over_or_for_another_organ_is_not_open_and_is_listed(item: Json) -> None:
    fact = facts_of(item).open_orders
    assert fact.value == ()
    assert len(fact.discarded) == 1


@pytest.mark.parametrize("code", [f"{SCT}|430193006|Referral to transplant"])  # medication reconciliation
def test_a_code_that_only_reads_like_a_referral_is_none(code: str) -> None:
    assert facts_of(order(code)).open_orders.value == ()


def test_a_referral_is_no_transplant_status() -> None:
    assert facts_of(order(REFERRAL)).transplant_status.value is None


def test_an_order_without_an_intent_is_not_read_and_makes_unknown() -> None:
    fact = facts_of(order(REFERRAL, intent=None)).open_orders
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.UNREADABLE


@pytest.mark.parametrize("sent", [(), (order(REFERRAL),)])
def test_of_a_part_of_the_orders_what_was_seen_counts_and_says_so(sent: tuple[Json, ...]) -> None:
    page = searchset(*sent) | {"total": len(sent) + 1}
    fact = facts_of_prefetch({"patient": patient(), "orders": page}).open_orders
    if sent:
        assert [note.flag for note in fact.notes] == ["incomplete"]
        assert fact.value is not None
    else:
        assert fact.gap is not None
        assert fact.gap.kind is GapKind.NOT_SENT


def test_an_order_not_to_do_it_is_none() -> None:
    assert facts_of(order(REFERRAL, doNotPerform=True)).open_orders.value == ()


@pytest.mark.parametrize(("text", "count"), [("Ki-67 on liver biopsy", 1), ("Ki 67", 1), ("HER2", 0)])
def test_plain_immunohistochemistry_is_an_order_of_ki67_where_its_text_says_so(text: str, count: int) -> None:
    item = order(f"{SCT}|117617002")
    item["code"]["text"] = text
    found = facts_of(item).open_orders.value
    assert found is not None
    assert len(found) == count
