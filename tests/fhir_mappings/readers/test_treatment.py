"""Resection of the primary and course of the disease (terminology.md 2 e, f; clinical.md 1.5, 5.2, 7.4)."""

from typing import Any

import pytest

from fhir_mappings.facts import Facts, GapKind, PrimaryResection, ResidualStatus, Response
from tests.builders import (
    ICD_CM,
    ICD_O,
    LOINC,
    MII,
    PCS,
    SCT,
    Json,
    coded,
    concept,
    condition,
    extension,
    facts_of,
    histology,
    net,
    observation,
    procedure,
    ref,
    response,
    specimen,
)

ILEOCOLIC, WHIPPLE, DISTAL, RIGHT, LEFT, SIGMOID = (
    f"{SCT}|{code}" for code in ("276190007", "116241004", "401004", "359571009", "315324009", "1390003")
)
ILEUM, LIVER = f"{SCT}|34516001", f"{SCT}|10200004"
R0, R1, R2, RX = (f"{SCT}|{code}" for code in ("258254000", "278271003", "278272005", "258253006"))
STABLE, WORSE, BETTER, UNDETERMINED = (
    f"{SCT}|{code}" for code in ("359746009", "271299001", "268910001", "709137006")
)


def resection(*resources: Json) -> PrimaryResection | None:
    return facts_of(*resources).primary_resection.value


def gap(facts: Facts) -> GapKind | None:
    return facts.primary_resection.gap.kind if facts.primary_resection.gap else None


# --- what removes which primary ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primary", "operation", "removed"),
    [
        ("C7A.012", ILEOCOLIC, True),
        ("C7A.012", f"{PCS}|0DBB0ZZ", True),
        ("C7A.012", f"{PCS}|0DTB4ZZ", True),
        ("C7A.012", RIGHT, True),
        ("C7A.012", f"{SCT}|54357003", True),
        ("C7A.012", f"{PCS}|0DTA0ZZ", False),  # the jejunum
        ("C7A.012", LEFT, False),
        ("C7A.012", WHIPPLE, False),
        ("C7A.011", f"{PCS}|0DTB0ZZ", False),
        ("C7A.010", WHIPPLE, True),
        ("C7A.010", DISTAL, False),
        ("C7A.010", f"{SCT}|54357003", False),
        ("C7A.020", f"{SCT}|80146002", True),
        ("C7A.020", RIGHT, True),
        ("C7A.020", f"{PCS}|0DTB0ZZ", False),
        ("C7A.021", RIGHT, True),
        ("C7A.021", LEFT, False),
        ("C7A.021", SIGMOID, False),
        ("C7A.025", SIGMOID, True),
        ("C7A.025", RIGHT, False),
        ("C7A.025", f"{SCT}|43075005", True),
        ("C7A.026", f"{SCT}|87677003", True),
        ("C7A.092", f"{SCT}|85217002", True),
        ("C25.4", DISTAL, True),
        ("C25.4", f"{PCS}|0FBG0ZZ", True),
        ("C25.4", f"{PCS}|0DTB0ZZ", False),
    ],
)
def test_an_operation_removes_the_primaries_of_its_own_organs(
    primary: str, operation: str, removed: bool
) -> None:
    found = facts_of(net(f"{ICD_CM}|{primary}"), procedure(operation)).primary_resection
    assert (found.value is not None and found.value.performed) is removed
    assert removed or found.discarded


@pytest.mark.parametrize("code", [f"{PCS}|0DBB0ZX", f"{PCS}|0FBG0ZX", f"{SCT}|307616002", f"{PCS}|0FB00ZZ"])
def test_a_biopsy_and_a_liver_resection_are_no_resection_of_the_primary(code: str) -> None:
    facts = facts_of(net(), procedure(code))
    assert gap(facts) is GapKind.NOT_RECORDED


def test_a_body_site_narrows_what_a_code_means() -> None:
    small_bowel = f"{SCT}|54357003"
    assert resection(net(), procedure(small_bowel, bodySite=[concept(f"{SCT}|21306003")])) is None
    assert resection(net(), procedure(small_bowel, bodySite=[concept(ILEUM)])) is not None


def test_the_body_site_of_organs_removed_as_one_narrows_nothing() -> None:
    assert resection(net(), procedure(RIGHT, bodySite=[concept(f"{SCT}|32713005")])) is not None


def test_a_reason_links_an_operation_of_unstated_organ() -> None:
    primary = net()
    local = procedure(f"{PCS}|0DBB8ZZ", reasonReference=[ref(primary)])
    value = resection(primary, local)
    assert value is not None
    assert value.local_excision


def test_a_local_excision_without_site_or_reason_settles_nothing() -> None:
    assert gap(facts_of(net(), procedure(f"{PCS}|0DBB8ZZ"))) is GapKind.INDETERMINATE


def test_an_operation_for_the_net_at_another_organ_settles_nothing() -> None:
    primary = net(f"{ICD_CM}|C25.4")
    assert (
        gap(facts_of(primary, procedure(ILEOCOLIC, reasonReference=[ref(primary)]))) is GapKind.INDETERMINATE
    )


def test_a_resection_for_a_primary_of_unknown_site_settles_nothing() -> None:
    assert gap(facts_of(net(f"{ICD_CM}|C7A.00"), procedure(ILEOCOLIC))) is GapKind.INDETERMINATE


def test_a_resection_of_diagnostic_intent_is_none() -> None:
    item = procedure(ILEOCOLIC, extension=[extension("procedure-intent", f"{SCT}|261004008")])
    fact = facts_of(net(), item).primary_resection
    assert fact.value is None
    assert [each.reason for each in fact.discarded] == ["for diagnosis only"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("stopped", GapKind.INDETERMINATE),
        ("unknown", GapKind.INDETERMINATE),
        ("in-progress", GapKind.NOT_RECORDED),
        ("preparation", GapKind.NOT_RECORDED),
        ("entered-in-error", GapKind.NOT_RECORDED),
    ],
)
def test_only_a_completed_operation_counts(status: str, expected: GapKind) -> None:
    facts = facts_of(net(), procedure(ILEOCOLIC, status=status))
    assert gap(facts) is expected
    assert facts.primary_resection.discarded


def test_an_operation_not_done_says_that_the_primary_is_in_situ() -> None:
    value = resection(net(), procedure(ILEOCOLIC, status="not-done"))
    assert value is not None
    assert not value.performed


@pytest.mark.parametrize("item", [procedure(ILEOCOLIC, status="unknown"), condition(f"{ICD_CM}|Z90.49")])
def test_an_operation_not_done_beside_a_sign_of_another_is_open(item: Json) -> None:
    assert gap(facts_of(net(), procedure(ILEOCOLIC, status="not-done"), item)) is GapKind.INDETERMINATE


def test_an_operation_elsewhere_not_done_says_nothing() -> None:
    assert gap(facts_of(net(), procedure(WHIPPLE, status="not-done"))) is GapKind.NOT_RECORDED


def test_done_after_all_outweighs_not_done() -> None:
    fact = facts_of(net(), procedure(ILEOCOLIC, status="not-done"), procedure(ILEOCOLIC)).primary_resection
    assert fact.value is not None
    assert fact.value.performed
    assert [item.reason for item in fact.discarded] == ["recorded as not done"]


@pytest.mark.parametrize("code", ["Z90.410", "Z90.411", "Z90.3", "Z90.49"])
def test_an_acquired_absence_alone_is_no_operation(code: str) -> None:
    facts = facts_of(net(f"{ICD_CM}|C25.4"), condition(f"{ICD_CM}|{code}"))
    assert gap(facts) is GapKind.INDETERMINATE


def test_every_primary_has_to_be_removed() -> None:
    two = (net(), net(f"{ICD_CM}|C25.4"))
    assert gap(facts_of(*two, procedure(ILEOCOLIC))) is GapKind.INDETERMINATE
    value = resection(*two, procedure(ILEOCOLIC), procedure(DISTAL, on="2025-12-01"))
    assert value is not None
    assert (value.sites, str(value.date), str(value.last_date)) == (
        ("ileum", "pancreas"),
        "2025-10-01",
        "2025-12-01",
    )


def test_a_local_excision_of_one_of_two_primaries_is_not_hidden_by_the_other_s_resection() -> None:
    local = procedure(f"{PCS}|0DB98ZZ", bodySite=[concept(f"{SCT}|38848004")])
    value = resection(net(), net(f"{ICD_CM}|C7A.010"), procedure(ILEOCOLIC), local)
    assert value is not None
    assert value.local_excision


def test_an_undated_operation_leaves_the_day_open() -> None:
    value = resection(net(), procedure(ILEOCOLIC, on=None))
    assert value is not None
    assert value.date is None


@pytest.mark.parametrize(
    ("on", "expected"), [("2025-10-01", True), ("2025-10-02", False), ("2025-10", True), (None, False)]
)
def test_a_resection_on_the_day_of_a_transplantation_is_part_of_it(on: str | None, expected: bool) -> None:
    value = resection(net(), procedure(ILEOCOLIC), procedure(f"{SCT}|18027006", on=on))
    assert value is not None
    assert value.with_transplant is expected


def test_a_resection_that_is_part_of_a_transplantation_is_so_without_a_day() -> None:
    transplant = procedure(f"{SCT}|18027006", on=None)
    value = resection(net(), transplant, procedure(ILEOCOLIC, partOf=[ref(transplant)]))
    assert value is not None
    assert value.with_transplant


# --- residual tumour --------------------------------------------------------------------------------------------------


def residual(*resources: Json) -> ResidualStatus | None:
    value = resection(net(), *resources)
    return value.residual if value else None


def status_of(value: str, on: str | None = "2025-10-01", **elements: Any) -> Json:
    return coded(f"{LOINC}|84892-9", value, on=on, **elements)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (R0, ResidualStatus.R0),
        (R1, ResidualStatus.R1),
        (R2, ResidualStatus.R2),
        (RX, ResidualStatus.NOT_STATED),
        (f"{MII}residualstatus|R0", ResidualStatus.R0),
    ],
)
def test_the_residual_status_is_read_from_outcome_and_observation(
    value: str, expected: ResidualStatus
) -> None:
    assert residual(procedure(ILEOCOLIC, outcome=concept(value))) is expected
    assert residual(procedure(ILEOCOLIC), status_of(value)) is expected
    operation = procedure(ILEOCOLIC)
    assert residual(operation, coded(f"{SCT}|445200009", value, partOf=[ref(operation)])) is expected


def test_without_a_statement_the_status_is_not_stated() -> None:
    assert residual(procedure(ILEOCOLIC)) is ResidualStatus.NOT_STATED


def test_the_worst_statement_counts_with_a_note() -> None:
    fact = facts_of(net(), procedure(ILEOCOLIC, outcome=concept(R0)), status_of(R1)).primary_resection
    assert fact.value is not None
    assert fact.value.residual is ResidualStatus.R1
    assert [note.flag for note in fact.notes] == ["residual-conflict"]


def test_a_preliminary_worse_statement_takes_r0_away() -> None:
    items = (procedure(ILEOCOLIC, outcome=concept(R0)), status_of(R2, status="preliminary"))
    assert residual(*items) is ResidualStatus.NOT_STATED
    assert residual(procedure(ILEOCOLIC), status_of(R0, status="preliminary")) is ResidualStatus.NOT_STATED


@pytest.mark.parametrize("on", ["2025-09-29", "2024"])
def test_a_statement_from_before_the_operation_is_not_its_own(on: str) -> None:
    assert residual(procedure(ILEOCOLIC), status_of(R0, on=on)) is ResidualStatus.NOT_STATED


@pytest.mark.parametrize("on", ["2025-09-30", "2025-09-30T23:00:00Z"])
def test_a_statement_of_the_day_before_may_be_of_another_clock(on: str) -> None:
    assert residual(procedure(ILEOCOLIC), status_of(R0, on=on)) is ResidualStatus.R0
    assert residual(procedure(ILEOCOLIC), status_of(R2, on=on)) is ResidualStatus.R2


@pytest.mark.parametrize("on", ["2025-09-29", "2024"])
def test_a_worse_statement_from_before_the_only_operation_takes_r0_away(on: str) -> None:
    resection = procedure(ILEOCOLIC, outcome=concept(R0))
    assert residual(resection, status_of(R2, on=on)) is ResidualStatus.NOT_STATED
    liver = procedure(f"{SCT}|307616002", on="2024-01-01")
    assert residual(resection, liver, status_of(R2, on=on)) is ResidualStatus.R0


def test_the_status_of_a_later_liver_resection_is_not_the_primary_s() -> None:
    liver = procedure(f"{SCT}|307616002", on="2026-03-01")
    assert (
        residual(procedure(ILEOCOLIC), liver, status_of(R0, partOf=[ref(liver)])) is ResidualStatus.NOT_STATED
    )
    assert residual(procedure(ILEOCOLIC), liver, status_of(R0, on="2026-03-02")) is ResidualStatus.NOT_STATED
    assert residual(procedure(ILEOCOLIC), liver, status_of(R0, on=None)) is ResidualStatus.NOT_STATED
    assert residual(procedure(ILEOCOLIC), liver, status_of(R0, on="2025-10-05")) is ResidualStatus.R0


def test_each_primary_needs_its_own_r0() -> None:
    one = procedure(ILEOCOLIC, outcome=concept(R0))
    value = resection(net(), net(f"{ICD_CM}|C25.4"), one, procedure(DISTAL))
    assert value is not None
    assert value.residual is ResidualStatus.NOT_STATED


def test_one_operation_under_two_codes_needs_one_r0() -> None:
    assert residual(procedure(ILEOCOLIC), procedure(f"{PCS}|0DTC0ZZ"), status_of(R0)) is ResidualStatus.R0


ANY_MARGIN, PROXIMAL, DISTAL_MARGIN = (f"{SCT}|{code}" for code in ("371488000", "372439002", "372440000"))
FREE, INVOLVED = f"{SCT}|47492008", f"{SCT}|52101004"


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        (((ANY_MARGIN, FREE),), ResidualStatus.R0),
        (((PROXIMAL, FREE), (DISTAL_MARGIN, FREE)), ResidualStatus.R0),
        (((PROXIMAL, FREE),), ResidualStatus.NOT_STATED),
        (((PROXIMAL, FREE), (DISTAL_MARGIN, INVOLVED)), ResidualStatus.R1),
        (((ANY_MARGIN, INVOLVED),), ResidualStatus.R1),
        (((ANY_MARGIN, f"{SCT}|2667000"),), ResidualStatus.R0),
        (((ANY_MARGIN, f"{SCT}|261665006"),), ResidualStatus.NOT_STATED),
    ],
)
def test_margins_are_r0_only_together_and_one_with_tumour_is_r1(
    margins: tuple[tuple[str, str], ...], expected: ResidualStatus
) -> None:
    items = (coded(code, value, on="2025-10-05") for code, value in margins)
    assert residual(procedure(ILEOCOLIC), *items) is expected


def test_the_margin_of_another_tumour_or_of_liver_tissue_is_not_the_primary_s() -> None:
    tissue = specimen(f"{SCT}|32713005")
    other = histology(f"{ICD_O}|8490/3", specimen=ref(tissue))
    margin = coded(ANY_MARGIN, FREE, on="2025-10-05", specimen=ref(tissue))
    assert residual(procedure(ILEOCOLIC), tissue, other, margin) is ResidualStatus.NOT_STATED
    liver = specimen(LIVER)
    assert (
        residual(procedure(ILEOCOLIC), liver, coded(ANY_MARGIN, FREE, specimen=ref(liver)))
        is ResidualStatus.NOT_STATED
    )


# --- course -----------------------------------------------------------------------------------------------------------


def course(*resources: Json) -> list[tuple[str, Response, bool]]:
    value = facts_of(*resources).disease_response.value
    return [(str(item.date), item.response, item.confirmed) for item in value.assessments] if value else []


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        (f"{LOINC}|97509-4", BETTER, Response.RESPONSE),
        (f"{LOINC}|88040-1", STABLE, Response.STABLE),
        (f"{LOINC}|21976-6", WORSE, Response.PROGRESSION),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|V", Response.COMPLETE),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|T", Response.PARTIAL),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|K", Response.STABLE),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|P", Response.PROGRESSION),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|Y", Response.PROGRESSION),
        (f"{SCT}|396432002", f"{MII}verlauf-gesamtbeurteilung|D", Response.CONFLICTING),
        (f"{LOINC}|88040-1", f"{LOINC}|LA28366-5", Response.COMPLETE),
        (f"{LOINC}|88040-1", f"{LOINC}|LA28369-9", Response.PARTIAL),
        (f"{LOINC}|88040-1", f"{LOINC}|LA28371-5", Response.STABLE),
        (f"{LOINC}|88040-1", f"{LOINC}|LA28370-7", Response.PROGRESSION),
        (f"{LOINC}|97509-4", "https://radlex.org|RID11514", Response.STABLE),
        (f"{LOINC}|97509-4", "http://radlex.org|11515", Response.PROGRESSION),
        (f"{LOINC}|97509-4", f"{SCT}|550991000124107", Response.COMPLETE),
    ],
)
def test_a_trend_is_read_in_every_shape(code: str, value: str, expected: Response) -> None:
    assert course(net(), coded(code, value)) == [("2026-10-20", expected, True)]


@pytest.mark.parametrize(
    "value", [UNDETERMINED, f"{MII}verlauf-gesamtbeurteilung|U", f"{MII}verlauf-gesamtbeurteilung|X"]
)
def test_what_cannot_be_evaluated_is_no_assessment(value: str) -> None:
    fact = facts_of(net(), response(value)).disease_response
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE
    assert [item.reason for item in fact.discarded] == ["not evaluable"]


def test_a_statement_of_the_metastases_is_no_trend() -> None:
    found = course(net(), response(f"{SCT}|399409002"))
    assert [confirmed for _, _, confirmed in found] == [False]


def test_a_value_that_cannot_be_read_may_be_a_progression() -> None:
    text = observation(f"{LOINC}|97509-4", valueString="grossly progressive")
    for item in (response("urn:lab|PD?"), text):
        assert course(net(), item) == [("2026-10-20", Response.CONFLICTING, False)]


def test_an_absent_value_is_no_assessment() -> None:
    assert course(net(), observation(f"{LOINC}|97509-4", dataAbsentReason={"text": "unknown"})) == []


def test_assessments_stand_in_the_order_of_their_days() -> None:
    found = course(
        net(),
        response(WORSE, on="2026-05-01"),
        response(STABLE, on="2026-10"),
        response(STABLE, on="2025-01-01"),
    )
    assert [day for day, _, _ in found] == ["2025-01-01", "2026-05-01", "2026-10"]


def test_the_day_is_that_of_the_imaging_and_never_of_issue() -> None:
    item = response(STABLE, on=None, issued="2026-10-25T10:00:00Z")
    assert course(net(), item) == []


@pytest.mark.parametrize("elements", [{"status": "preliminary"}, {"on": None}])
@pytest.mark.parametrize(
    ("value", "kept"), [(WORSE, True), (f"{MII}verlauf-gesamtbeurteilung|D", True), (STABLE, False)]
)
def test_an_unconfirmed_or_undated_progression_takes_certainty_and_a_good_one_counts_for_nothing(
    elements: dict[str, Any], value: str, kept: bool
) -> None:
    found = course(net(), response(STABLE, on="2026-01-01"), response(value, **elements))
    assert [confirmed for _, _, confirmed in found if not confirmed] == [False] * kept


def test_an_undated_progression_may_be_of_any_day_up_to_today() -> None:
    value = facts_of(net(), response(WORSE, on=None)).disease_response.value
    assert value is not None
    assert value.assessments[0].date.latest.isoformat() == "2026-11-23"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (WORSE, STABLE, Response.CONFLICTING),
        (WORSE, WORSE, Response.PROGRESSION),
        (BETTER, STABLE, Response.RESPONSE),
    ],
)
def test_two_readings_of_one_day_conflict_where_one_is_a_progression(
    first: str, second: str, expected: Response
) -> None:
    for items in ((first, second), (second, first)):
        assert course(net(), *(response(item) for item in items)) == [("2026-10-20", expected, True)]


def test_the_course_of_another_tumour_is_set_aside() -> None:
    cancer = condition(f"{ICD_CM}|C50.911")
    fact = facts_of(net(), cancer, response(WORSE, focus=[ref(cancer)])).disease_response
    assert fact.value is None
    assert [item.reason for item in fact.discarded] == ["belongs to another tumour"]


def test_a_focus_on_the_net_or_its_metastasis_is_the_net_s() -> None:
    primary, metastasis = net(), condition(f"{ICD_CM}|C7B.02")
    for target in (primary, metastasis):
        item = response(STABLE, focus=[ref(target)])
        assert course(primary, metastasis, condition(f"{ICD_CM}|C50.911"), item) == [
            ("2026-10-20", Response.STABLE, True)
        ]


@pytest.mark.parametrize(("on", "count"), [("2026-11-23", 1), ("2026-11-24", 0)])
def test_what_is_dated_after_the_day_of_evaluation_is_not_seen(on: str, count: int) -> None:
    assert len(course(net(), response(STABLE, on=on))) == count


@pytest.mark.parametrize("code", [f"{LOINC}|84892-9", f"{SCT}|371488000"])
def test_a_residual_status_that_cannot_be_read_may_have_been_r2(code: str) -> None:
    done = procedure(ILEOCOLIC)
    r0 = observation(f"{LOINC}|84892-9", on="2025-10-01", valueCodeableConcept=concept(R0))
    assert residual(done, r0) is ResidualStatus.R0
    assert gap(facts_of(net(), done, r0, observation(code, on="2025-10-40"))) is GapKind.UNREADABLE


# --- words against codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome",
    [
        {"text": "R1 resection"},
        {"text": "incomplete"},
        {"text": "R2-Resektion"},
        {"text": "unvollständig reseziert"},
        {"text": "onvolledige resectie"},
        {"coding": [{"system": "urn:local", "code": "7", "display": "R1"}]},
        concept(f"{R0}|R1"),
        concept(R0, text="microscopic residual tumour"),
    ],
)
def test_an_outcome_in_words_gives_no_status_and_takes_r0_away(outcome: Json) -> None:
    operation = procedure(ILEOCOLIC, outcome=outcome)
    fact = facts_of(net(), operation, status_of(R0)).primary_resection
    assert fact.value is not None
    assert fact.value.residual is ResidualStatus.NOT_STATED
    assert f"Procedure/{operation['id']}" in {item.evidence.reference for item in fact.discarded}
    assert [note.flag for note in fact.notes] == ["unconfirmed"]
    assert residual(operation) is ResidualStatus.NOT_STATED


def test_an_outcome_in_words_that_says_r0_gives_none_and_is_listed() -> None:
    fact = facts_of(net(), procedure(ILEOCOLIC, outcome={"text": "R0 resection"})).primary_resection
    assert fact.value is not None
    assert fact.value.residual is ResidualStatus.NOT_STATED
    assert [item.reason for item in fact.discarded] == ["a residual status in words only"]


@pytest.mark.parametrize("words", ["R0 resection", "RX", "uneventful", "no R1 margin", "successful"])
def test_an_outcome_in_words_that_is_no_worse_takes_nothing_from_r0(words: str) -> None:
    assert residual(procedure(ILEOCOLIC, outcome={"text": words}), status_of(R0)) is ResidualStatus.R0


def test_words_of_r2_do_not_make_a_coded_r1_worse() -> None:
    assert residual(procedure(ILEOCOLIC, outcome={"text": "R2"}), status_of(R1)) is ResidualStatus.R1


def test_a_residual_status_labelled_as_another_settles_nothing() -> None:
    assert gap(facts_of(net(), procedure(ILEOCOLIC), status_of(f"{R0}|R1"))) is GapKind.UNREADABLE


def test_an_operation_that_its_label_denies_is_in_doubt() -> None:
    denied = procedure(f"{ILEOCOLIC}|No ileocolic resection")
    assert gap(facts_of(net(), denied)) is GapKind.INDETERMINATE
    never = procedure(f"{ILEOCOLIC}|No ileocolic resection", status="not-done")
    assert gap(facts_of(net(), never)) is GapKind.INDETERMINATE


def test_a_response_labelled_as_a_progression_leaves_the_course_open() -> None:
    fact = facts_of(net(), response(STABLE), response(f"{STABLE}|Progressive disease")).disease_response
    assert fact.value is None
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.UNREADABLE


def test_a_mislabelled_answer_that_was_entered_in_error_takes_nothing_away() -> None:
    slip = response(f"{STABLE}|Progressive disease", status="entered-in-error")
    assert len(course(net(), response(STABLE), slip)) == 1


def test_of_two_answers_with_one_code_only_the_one_that_is_labelled_otherwise_cannot_be_read() -> None:
    right = response(f"{SCT}|359746009|Patient's condition stable")
    wrong = response(f"{SCT}|359746009|Patient's condition worsened")
    for answers in ((right, wrong, right), (wrong, right, wrong)):
        assert [issue.reference for issue in facts_of(*answers).issues] == [ref(wrong)["reference"]]
