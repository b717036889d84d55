"""Facts for tests: vector A of the clinical reference, where everything is met, and what a test wants otherwise."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

from fhir_mappings.facts import Differentiation as Diff
from fhir_mappings.facts import (
    DiseaseExtent,
    Evidence,
    ExtrahepaticDisease,
    Fact,
    Facts,
    Gap,
    GapKind,
    Grade,
    HistologicGrade,
    InvolvementMethod,
    Ki67,
    Ki67Reading,
    LiverInvolvement,
    LiverMetastases,
    MitosisUnit,
    MitoticCount,
    OpenOrder,
    OrderKind,
    PortalClass,
    Presence,
    PrimaryResection,
    PrimarySite,
    Resectability,
    ResidualStatus,
    Response,
    ResponseAssessment,
    ResponseCourse,
    Tissue,
    TransplantStatus,
)
from fhir_mappings.interval import Interval, point
from fhir_mappings.when import PartialDate, parse_date

ON = date(2026, 11, 23)  # the day of evaluation of every test vector
FACT_NAMES = tuple(
    item.name
    for item in fields(Facts)
    if item.name not in ("patient", "issues", "mendings", "foreign", "unread_parts")
)


def day(text: str) -> PartialDate:
    """A date as FHIR writes it."""
    parsed = parse_date(text)
    assert parsed is not None, text
    return parsed


def gap(kind: GapKind = GapKind.NOT_RECORDED, reason: str = "Nothing is on record.") -> Fact[Any]:
    """A fact without a value."""
    return Fact(gap=Gap(kind, reason))


def known(value: Any, reference: str = "Observation/1", when: str | None = None) -> Fact[Any]:
    """A fact with a value and one piece of evidence."""
    dated = day(when) if when else None
    return Fact(value, (Evidence(reference, "value", dated, "http://loinc.org|0-0", "label", "as written"),))


def interval(text: str) -> Interval:
    """An interval as mathematicians write it: "[5,15]", "(10,100]", or one number."""
    if text[0] not in "[(":
        return point(text)
    low, high = text[1:-1].split(",")
    return Interval(point(low).low, point(high).low, text[0] == "[", text[-1] == "]")


def ki67(text: str, tissue: Tissue = Tissue.LIVER_METASTASIS, when: str = "2025-11-01") -> Fact[Ki67]:
    """One Ki-67 reading in percent."""
    reading = Ki67Reading(interval(text), tissue, day(when), "Observation/ki67")
    return known(Ki67(reading.percent, (reading,)), "Observation/ki67", when)


def liver(text: str, when: str | None = "2026-10-20") -> Fact[LiverInvolvement]:
    """Liver involvement in percent."""
    value = LiverInvolvement(interval(text), day(when) if when else None, InvolvementMethod.VOLUMETRY)
    return known(value, "Observation/liver", when)


def mitoses(text: str, unit: MitosisUnit = MitosisUnit.PER_2_MM2) -> Fact[MitoticCount]:
    """A mitotic count."""
    return known(MitoticCount(interval(text), unit), "Observation/mitoses")


def grade(text: str, when: str | None = "2025-11-01") -> Fact[HistologicGrade]:
    """A histologic grade."""
    return known(HistologicGrade(Grade(text), day(when) if when else None), "Observation/grade", when)


def sites(
    *names: str, worst: PortalClass = PortalClass.PORTAL, classes: tuple[PortalClass, ...] = ()
) -> Fact[PrimarySite]:
    """Primary sites and their worst portal class."""
    return known(PrimarySite(names, worst, classes), "Condition/net")


def resected(when: str | None = "2025-10-01", residual: str = "R0", **more: Any) -> Fact[PrimaryResection]:
    """A resection of the primary."""
    date_ = day(when) if when else None
    value = PrimaryResection(True, date_, ResidualStatus(residual), **more)
    return known(value, "Procedure/resection", when)


NOT_RESECTED: Fact[PrimaryResection] = known(PrimaryResection(performed=False), "Observation/in-situ")


def absent(when: str | None = "2026-10-20", *, whole_body: bool = True) -> Fact[ExtrahepaticDisease]:
    """No disease outside the liver, on imaging of a day."""
    as_of = day(when) if when else None
    return known(
        ExtrahepaticDisease(Presence.ABSENT, as_of, whole_body_imaging=whole_body), "Observation/pet", when
    )


def present(*extents: DiseaseExtent, sites: tuple[str, ...] = ()) -> Fact[ExtrahepaticDisease]:
    """Disease outside the liver."""
    value = ExtrahepaticDisease(Presence.PRESENT, day("2026-10-20"), extents, sites)
    return known(value, "Condition/extrahepatic", "2026-10-20")


WORDS = {
    "CR": Response.COMPLETE,
    "PR": Response.PARTIAL,
    "RESPONSE": Response.RESPONSE,
    "SD": Response.STABLE,
    "PD": Response.PROGRESSION,
    "CONFLICT": Response.CONFLICTING,
}


def course(*entries: str) -> Fact[ResponseCourse]:
    """Assessments such as "2026-01-10 SD"; a question mark behind the word makes one preliminary."""
    found = tuple(_assessment(index, entry) for index, entry in enumerate(entries))
    return known(ResponseCourse(found), "Observation/response", entries[-1].split()[0])


def _assessment(index: int, entry: str) -> ResponseAssessment:
    when, word = entry.split()
    response = WORDS[word.rstrip("?")]
    return ResponseAssessment(response, day(when), f"Observation/response-{index}", confirmed="?" not in word)


def orders(*kinds: OrderKind) -> Fact[tuple[OpenOrder, ...]]:
    """Orders already placed."""
    return known(tuple(OpenOrder(kind, f"ServiceRequest/{kind}") for kind in kinds))


def facts(**overrides: Any) -> Facts:
    """Vector A (clinical.md 7.6): 45 years old, ileum, everything met; any field may be given otherwise."""
    return replace(_VECTOR_A, **overrides)


_VECTOR_A = Facts(
    patient="Patient/a",
    birth_date=known(day("1981-03-14"), "Patient/a"),
    deceased=known(False, "Patient/a"),
    neuroendocrine_tumour=known(Presence.PRESENT, "Condition/net"),
    differentiation=known(Diff.NET_G1, "Condition/net"),
    primary_site=sites("ileum"),
    ki67_percent=ki67("2"),
    mitotic_count=gap(),
    histologic_grade=grade("G1"),
    liver_metastases=known(LiverMetastases(Presence.PRESENT, day("2025-08-01")), "Condition/liver"),
    liver_involvement_percent=liver("30"),
    liver_resectability=known(Resectability.UNRESECTABLE, "Observation/board"),
    extrahepatic_disease=absent(),
    primary_resection=resected(),
    disease_response=course("2026-01-10 SD", "2026-05-02 SD", "2026-10-20 SD"),
    transplant_status=gap(),
    other_malignancy=gap(),
    carcinoid_syndrome=gap(),
    carcinoid_heart_disease=gap(),
    end_of_life_care=gap(),
    transplant_refusal=gap(),
    pregnancy=gap(),
    hereditary_syndrome=gap(),
    general_comorbidity=gap(),
    open_orders=known((), "ServiceRequest"),
)

LISTED: Fact[TransplantStatus] = known(TransplantStatus.LISTED, "ServiceRequest/listing")

VECTORS: dict[str, tuple[Facts, str]] = {  # clinical.md 7.6 under milan-net-2016
    "A": (facts(), "meets"),
    "B": (
        facts(ki67_percent=ki67("12"), differentiation=known(Diff.NET_G2), histologic_grade=grade("G2")),
        "outside",
    ),
    "C": (facts(liver_involvement_percent=liver("[26,50]")), "incomplete"),
    "D": (facts(disease_response=course("2026-07-01 PD", "2026-10-20 SD")), "not-yet"),
    "E": (
        facts(
            disease_response=course("2026-01-10 SD", "2026-02-01 SD"),
            liver_involvement_percent=liver("30", "2026-02-01"),
            extrahepatic_disease=absent("2026-02-01"),
        ),
        "incomplete",
    ),
    "F": (facts(primary_site=sites("lung", worst=PortalClass.NOT_PORTAL)), "outside"),
    "G": (facts(primary_site=sites("pancreas"), primary_resection=NOT_RESECTED), "not-yet"),
    "H": (facts(birth_date=known(day("1965"))), "incomplete"),
    "I": (
        facts(
            primary_resection=resected("2026-06-01"),
            disease_response=course("2026-01-10 SD", "2026-05-02 SD", "2026-11-20 SD"),
        ),
        "not-yet",
    ),
    "J": (
        facts(
            primary_resection=resected("2026-05-20"),
            disease_response=course("2026-01-10 SD", "2026-05-02 SD", "2026-11-20 SD"),
        ),
        "meets",
    ),
    "K": (facts(primary_site=sites("rectum", worst=PortalClass.NOT_PORTAL)), "outside"),
    "L": (facts(other_malignancy=known(Presence.PRESENT, "Condition/breast")), "borderline"),
    "M": (facts(deceased=known(True, "Patient/a")), "not-applicable"),
}
