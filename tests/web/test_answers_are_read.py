"""The form speaks the language of the readers: what is typed becomes a resource that is read as exactly that."""

from decimal import Decimal

import pytest

from cds_service.web.reading import Reading
from fhir_mappings.facts import (
    Differentiation,
    DiseaseExtent,
    Fact,
    Grade,
    InvolvementMethod,
    Presence,
    Resectability,
    ResidualStatus,
    Response,
    Tissue,
)
from fhir_mappings.interval import Interval, point
from fhir_mappings.questions import Option, questions
from tests.builders import ICD_CM, PCS, Json, coded, condition, net, procedure
from tests.web.forms import BARE, UNSITED, answer, reading_of, then

DONE = procedure(f"{PCS}|0DTB0ZZ", id="resection")


def typed(form: dict[str, str], *resources: Json) -> Reading:
    return then(reading_of(*(resources or BARE)), form)


def rests_on_what_was_typed(fact: Fact[object], reading: Reading) -> bool:
    return bool({item.reference for item in fact.evidence} & reading.attested)


@pytest.mark.parametrize("option", questions()["differentiation"].field("value").options, ids=lambda o: o.id)
def test_every_histology_is_read_as_what_was_chosen(option: Option) -> None:
    reading = typed(answer("differentiation", value=option.id))
    fact, grade = reading.facts.differentiation, reading.facts.histologic_grade
    said = {
        "net-g3": (Differentiation.NET, Grade.G3),
        "net-g2": (Differentiation.NET_G2, Grade.G2),
        "net-g1": (Differentiation.NET_G1, Grade.G1),
        "net": (Differentiation.NET, None),
        "minen": (None, None),
        "nec": (None, None),
    }
    expected = said.get(option.id)
    if expected is None:  # beside a diagnosis of a NET, "neuroendocrine neoplasm" adds nothing
        assert fact.value is Differentiation.NET
        return
    assert (fact.value, grade.value.grade if grade.value else None) == expected
    assert rests_on_what_was_typed(fact, reading) or expected[0] is None


@pytest.mark.parametrize("option", ["nec", "minen"])
def test_a_poorly_differentiated_histology_beside_a_diagnosis_of_a_net_is_a_conflict_and_neither_wins(
    option: str,
) -> None:
    fact = typed(answer("differentiation", value=option)).facts.differentiation
    assert fact.gap is not None
    assert fact.gap.kind == "conflicting"


@pytest.mark.parametrize(
    "option", [item for item in questions()["differentiation"].field("value").options if item.id != "net-g3"]
)
def test_a_histology_where_no_other_is_on_record_is_read_as_exactly_that(option: Option) -> None:
    metastasis = condition(f"{ICD_CM}|C78.7", id="mets")
    reading = typed(answer("differentiation", value=option.id), metastasis)
    assert str(reading.facts.differentiation.value) == option.means
    assert reading.facts.neuroendocrine_tumour.value is Presence.PRESENT


def test_a_net_g3_takes_the_tumour_out_as_a_recorded_one_would() -> None:
    reading = typed(answer("differentiation", value="net-g3"))
    (criterion,) = (item for item in reading.assessment.criteria if item.id == "differentiation")
    assert criterion.answer == "not-met"


@pytest.mark.parametrize(
    ("values", "percent"),
    [
        ({"low": "0"}, point(0)),
        ({"low": "2,5"}, point("2.5")),
        ({"low": "2.5 %"}, point("2.5")),
        ({"low": "0.5"}, point("0.5")),
        ({"low": "100"}, point(100)),
        ({"low": "3", "high": "5"}, Interval(Decimal(3), Decimal(5))),
        ({"low": "3", "high": "3"}, point(3)),
        ({"comparator": "lt", "low": "3"}, Interval(Decimal(0), Decimal(3), high_closed=False)),
        ({"comparator": "le", "low": "3"}, Interval(Decimal(0), Decimal(3))),
        ({"comparator": "ge", "low": "20"}, Interval(Decimal(20), Decimal(100))),
        ({"comparator": "gt", "low": "20"}, Interval(Decimal(20), Decimal(100), low_closed=False)),
    ],
)
@pytest.mark.parametrize("fact", ["ki67_percent", "liver_involvement_percent"])
def test_a_percentage_a_comparator_and_a_range_are_read_as_typed(
    fact: str, values: dict[str, str], percent: Interval
) -> None:
    tissue = {"tissue": "liver"} if fact == "ki67_percent" else {}
    reading = typed(answer(fact, **values, **tissue))
    found = getattr(reading.facts, fact)
    assert found.value.percent == percent
    assert rests_on_what_was_typed(found, reading)


@pytest.mark.parametrize(
    ("option", "tissue"),
    [
        ("primary", Tissue.PRIMARY),
        ("liver", Tissue.LIVER_METASTASIS),
        ("node", Tissue.OTHER_METASTASIS),
        ("other", Tissue.OTHER_METASTASIS),
        ("not-stated", Tissue.NOT_STATED),
    ],
)
def test_the_tissue_of_a_ki_67_is_read_as_chosen(option: str, tissue: Tissue) -> None:
    value = typed(answer("ki67_percent", low="4", tissue=option, date="2026-03")).facts.ki67_percent.value
    assert value is not None
    (reading,) = value.readings
    assert (reading.tissue, str(reading.date)) == (tissue, "2026-03")


@pytest.mark.parametrize("option", questions()["primary_site"].field("value").options, ids=lambda o: o.id)
def test_every_primary_site_is_read_as_the_organ_that_was_chosen(option: Option) -> None:
    reading = typed(answer("primary_site", value=option.id), *UNSITED)
    assert reading.facts.primary_site.value is not None
    assert reading.facts.primary_site.value.sites == (option.id,)
    assert rests_on_what_was_typed(reading.facts.primary_site, reading)


SITE_OF = {
    "pancreas": "pancreas",
    "pancreatic-head": "pancreas",
    "duodenum": "duodenum",
    "small-intestine": "ileum",
    "ileocolic": "ileum",
    "colon-right": "caecum",
    "colon-left": "colon-sigmoid",
    "colon": "colon-transverse",
    "appendix": "appendix",
    "stomach-distal": "stomach-distal",
    "stomach": "stomach",
    "rectum": "rectum",
    "lung": "lung",
}


@pytest.mark.parametrize(
    "option", questions()["primary_resection"].field("operation").options, ids=lambda o: o.id
)
def test_every_operation_is_read_as_the_resection_of_the_primary_it_removes(option: Option) -> None:
    form = answer("primary_site", value=SITE_OF[option.id]) | answer(
        "primary_resection", performed="done", operation=option.id, residual="r0", date="2025-10-01"
    )
    reading = typed(form, *UNSITED)
    value = reading.facts.primary_resection.value
    assert value is not None
    assert (value.performed, value.residual, str(value.date)) == (True, ResidualStatus.R0, "2025-10-01")
    assert not value.local_excision
    assert rests_on_what_was_typed(reading.facts.primary_resection, reading)


@pytest.mark.parametrize("site", sorted(set(SITE_OF.values())))
def test_a_primary_that_was_not_resected_is_read_as_not_resected(site: str) -> None:
    form = answer("primary_site", value=site) | answer("primary_resection", performed="not-done", date="")
    value = typed(form, *UNSITED).facts.primary_resection.value
    assert value is not None
    assert value.performed is False


RESIDUALS = {
    "r0": ResidualStatus.R0,
    "r1": ResidualStatus.R1,
    "r2": ResidualStatus.R2,
    "rx": ResidualStatus.NOT_STATED,
}


@pytest.mark.parametrize("option", RESIDUALS)
def test_a_residual_status_is_read_for_a_new_operation_and_for_the_one_on_record(option: str) -> None:
    new = answer(
        "primary_resection", performed="done", operation="small-intestine", residual=option, date="2025-10"
    )
    added = answer("primary_resection", performed="recorded", residual=option, date="")
    for reading in (typed(new), typed(added, *BARE, DONE)):
        value = reading.facts.primary_resection.value
        assert value is not None
        assert value.residual is RESIDUALS[option]


def test_a_site_that_is_typed_makes_the_operation_on_record_the_resection_of_the_primary() -> None:
    form = answer("primary_site", value="ileum") | answer(
        "primary_resection", performed="recorded", residual="r0", date="2025-10-01"
    )
    value = typed(form, *UNSITED, DONE).facts.primary_resection.value
    assert value is not None
    assert (value.performed, value.residual) == (True, ResidualStatus.R0)


def test_a_residual_status_never_reaches_an_operation_that_is_not_the_primary_s() -> None:
    liver = procedure(f"{PCS}|0FB00ZZ", id="liver", on="2026-01-10")
    form = answer("primary_resection", performed="recorded", residual="r0", date="")
    value = typed(form, *BARE, DONE, liver).facts.primary_resection.value
    assert value is not None
    assert value.sites == ("ileum",)
    assert str(value.date) == "2025-10-01"


def test_a_residual_status_stays_with_its_operation_also_after_one_on_the_liver() -> None:
    liver = procedure(f"{PCS}|0FB00ZZ", id="liver", on="2026-01-10")
    form = answer("primary_resection", performed="recorded", residual="r0", date="2026-02-01")
    value = typed(form, *BARE, DONE, liver).facts.primary_resection.value
    assert value is not None
    assert value.residual is ResidualStatus.R0


BANDS = {
    "up-to-10": (Decimal(0), Decimal(10)),
    "11-25": (Decimal(10), Decimal(25)),
    "26-50": (Decimal(25), Decimal(50)),
    "over-50": (Decimal(50), Decimal(100)),
}


@pytest.mark.parametrize("band", BANDS)
def test_a_band_of_liver_involvement_is_read_as_its_limits(band: str) -> None:
    value = typed(answer("liver_involvement_percent", band=band)).facts.liver_involvement_percent.value
    assert value is not None
    assert (value.percent.low, value.percent.high) == BANDS[band]
    assert value.method is InvolvementMethod.CATEGORY


def test_two_volumes_are_read_as_volumetry_of_one_study() -> None:
    form = answer("liver_involvement_percent", tumour="450", liver="1500")
    value = typed(form).facts.liver_involvement_percent.value
    assert value is not None
    assert (value.percent, value.method) == (point(30), InvolvementMethod.VOLUMETRY)


@pytest.mark.parametrize(("method", "is_whole_body"), [("sstr-pet", True), ("pet", False), ("ct-mri", False)])
def test_absence_outside_the_liver_carries_the_imaging_that_shows_it(
    method: str, is_whole_body: bool
) -> None:
    reading = typed(answer("extrahepatic_disease", value="absent", method=method))
    value = reading.facts.extrahepatic_disease.value
    assert value is not None
    assert (value.presence, str(value.as_of)) == (Presence.ABSENT, "2026-10-20")
    assert value.whole_body_imaging is is_whole_body


@pytest.mark.parametrize(
    "site", [None, *(o.id for o in questions()["extrahepatic_disease"].field("site").options)]
)
def test_disease_outside_the_liver_is_read_with_its_site(site: str | None) -> None:
    form = answer(
        "extrahepatic_disease", value="present", method="ct-mri", **({"site": site} if site else {})
    )
    value = typed(form).facts.extrahepatic_disease.value
    assert value is not None
    assert value.presence is Presence.PRESENT
    named = site in {"bone", "lung", "brain", "peritoneum", "adrenal", "other"}
    assert (site in value.sites) is named
    assert (DiseaseExtent.ORGAN in value.extents) is named


RESPONSES = {
    "complete": Response.COMPLETE,
    "partial": Response.PARTIAL,
    "stable": Response.STABLE,
    "progression": Response.PROGRESSION,
}


def test_every_response_is_read_on_its_own_day_and_in_order() -> None:
    form = {}
    for row, option in enumerate(RESPONSES, start=1):
        form |= answer("disease_response", row=row, value=option, date=f"2026-0{row}-10")
    value = typed(form).facts.disease_response.value
    assert value is not None
    assert [item.response for item in value.assessments] == list(RESPONSES.values())
    assert [str(item.date) for item in value.assessments] == [f"2026-0{row}-10" for row in (1, 2, 3, 4)]


@pytest.mark.parametrize("option", Resectability)
def test_every_statement_of_resectability_is_read_as_made(option: Resectability) -> None:
    reading = typed(answer("liver_resectability", value=option.value))
    assert reading.facts.liver_resectability.value is option
    assert rests_on_what_was_typed(reading.facts.liver_resectability, reading)


def test_liver_metastases_that_nobody_coded_are_read_as_present() -> None:
    reading = typed(answer("liver_metastases", value="present", date="2025-08"), net(id="net"))
    value = reading.facts.liver_metastases.value
    assert value is not None
    assert (value.presence, str(value.since)) == (Presence.PRESENT, "2025-08")
    assert rests_on_what_was_typed(reading.facts.liver_metastases, reading)


def test_liver_metastases_that_were_ruled_out_are_read_as_absent() -> None:
    reading = typed(answer("liver_metastases", value="absent"), net(id="net"))
    assert reading.facts.liver_metastases.value is not None
    assert reading.facts.liver_metastases.value.presence is Presence.ABSENT
    assert reading.assessment.gate == "no-liver-metastases"


def test_carcinoid_heart_disease_is_read_as_present() -> None:
    syndrome = condition(f"{ICD_CM}|E34.00", id="syndrome")
    reading = typed(answer("carcinoid_heart_disease", value="present"), *BARE, syndrome)
    assert reading.facts.carcinoid_heart_disease.value is Presence.PRESENT
    assert rests_on_what_was_typed(reading.facts.carcinoid_heart_disease, reading)


def test_what_is_typed_belongs_to_the_net_also_where_another_tumour_is_on_record() -> None:
    breast = condition(f"{ICD_CM}|C50.911", id="breast")
    other = coded("http://loinc.org|59847-4", "http://terminology.hl7.org/CodeSystem/icd-o-3|8500/3", id="h")
    reading = typed(answer("ki67_percent", low="4", tissue="not-stated"), *BARE, breast, other)
    assert reading.facts.ki67_percent.value is not None
    assert reading.facts.ki67_percent.value.percent == point(4)


def test_nothing_else_is_read_into_an_answer() -> None:
    before = reading_of(*BARE)
    changed = {
        "ki67_percent": answer("ki67_percent", low="4", tissue="liver"),
        "liver_resectability": answer("liver_resectability", value="unresectable"),
        "disease_response": answer("disease_response", row=1, value="stable"),
        "liver_involvement_percent": answer("liver_involvement_percent", low="20"),
    }
    for fact, form in changed.items():
        after = then(before, form)
        for name in questions():
            if name != fact:
                assert getattr(after.facts, name) == getattr(before.facts, name), (fact, name)
