"""What a clinician states in the form, as FHIR R4: findings that the readers understand, each marked as attested.

Public contract: every resource carries the tag `urn:milan-net:codesystem:provenance|attested` and an identifier of the
system `urn:milan-net:identifier:attested`, and points to the QuestionnaireResponse it was made from.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import orjson

from fhir_mappings.questions import Field, Option, Question, coding_of, questions
from fhir_mappings.record import PatientRecord
from fhir_mappings.site_relations import removes
from fhir_mappings.valueset import terminology
from fhir_mappings.when import PartialDate

Json = dict[str, Any]
Value = Option | Decimal | PartialDate

PROVENANCE = "urn:milan-net:codesystem:provenance"
IDENTIFIER = "urn:milan-net:identifier:attested"
ATTESTED_IN = "urn:milan-net:extension:attested-in"
_NAMESPACE = UUID("5c2a8f0e-6d0c-5f0b-9f43-7b0d8a1c1e52")
_UCUM = "http://unitsofmeasure.org"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_KINDS = frozenset({"Observation", "Procedure", "Condition"})
TAG = {"system": PROVENANCE, "code": "attested", "display": "Attested by the user"}


@dataclass(frozen=True, slots=True)
class Given:
    """One answered question, or one line of a question that repeats: the values of its fields, checked."""

    fact: str
    values: Mapping[str, Value]

    def option(self, name: str) -> Option | None:
        """The answer chosen in a field."""
        value = self.values.get(name)
        return value if isinstance(value, Option) else None

    def number(self, name: str) -> Decimal | None:
        """The number typed into a field."""
        value = self.values.get(name)
        return value if isinstance(value, Decimal) else None

    @property
    def day(self) -> PartialDate | None:
        """The date typed."""
        value = self.values.get("date")
        return value if isinstance(value, PartialDate) else None


@dataclass(frozen=True, slots=True)
class Setting:
    """What a statement is about and who makes it. References are those of the record, `author` is a Reference.

    `sites` are the primary sites (ids), typed or recorded; `operations` the recorded resections of the primary.
    """

    patient: str
    author: Mapping[str, str]
    response: str  # "QuestionnaireResponse/..."
    tumours: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    operated_on: PartialDate | None = None


def attested_in(record: PatientRecord) -> frozenset[str]:
    """The references of what is in a record because a user stated it in the form and it was written back."""
    mark = PROVENANCE.encode()
    return frozenset(
        entry.reference
        for entry in record.entries
        if entry.type in _KINDS and mark in record.source(entry) and _is_tagged(record.source(entry))
    )


def _is_tagged(data: bytes) -> bool:
    try:
        meta = orjson.loads(data).get("meta")
    except orjson.JSONDecodeError:  # as bytes in another encoding
        return False
    tags = meta.get("tag") if isinstance(meta, dict) else None
    wanted = (PROVENANCE, TAG["code"])
    return isinstance(tags, list) and any(
        isinstance(tag, dict) and (tag.get("system"), tag.get("code")) == wanted for tag in tags
    )


def identified(resource: Mapping[str, Any]) -> Json:
    """The resource with an id that follows from its content: the same statement twice is one resource."""
    name = str(uuid5(_NAMESPACE, orjson.dumps(resource, option=orjson.OPT_SORT_KEYS).decode()))
    identifier = {"system": IDENTIFIER, "value": name}
    is_response = resource["resourceType"] == "QuestionnaireResponse"
    return {**resource, "id": name, "identifier": identifier if is_response else [identifier]}


def findings(given: Given, setting: Setting) -> list[Json]:
    """The resources that one answer is written as."""
    return [identified(item) for item in _WRITERS[given.fact](given, setting, questions()[given.fact])]


# --- answers as resources ---------------------------------------------------------------------------------------------


def _plain(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    """A coded value on a day."""
    yield _observation(question.code, given, setting, valueCodeableConcept=_concept(given.option("value")))


def _histology(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    yield from _plain(given, setting, question)
    chosen, grading = given.option("value"), question.grade
    if chosen is not None and grading is not None and chosen.id in grading.of:
        graded = {"coding": [coding_of(grading.of[chosen.id])]}
        yield _observation(grading.code, given, setting, valueCodeableConcept=graded)


def _proliferation(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    tissue = given.option("tissue")
    is_primary = tissue is not None and tissue.id == "primary"
    site = primary_code(setting.sites) if is_primary else tissue and tissue.finding_code
    elements = {"bodySite": {"coding": [site]}} if site else {}
    yield _observation(question.code, given, setting, **_measured(given, question), **elements)


def _involvement(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    """A percentage, a band, or the two volumes of one study."""
    if given.option("band") is not None:
        band = _concept(given.option("band"))
        yield _observation(question.codes["band"], given, setting, valueCodeableConcept=band)
    elif given.number("low") is not None:
        yield _observation(question.code, given, setting, **_measured(given, question))
    else:
        for name in ("tumour", "liver"):
            volume = _quantity(given.number(name), question.field(name))
            yield _observation(question.codes[name], given, setting, valueQuantity=volume)


def _elsewhere(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    """Whether there is disease outside the liver, and where."""
    method, site = given.option("method"), given.option("site")
    seen_by = _concept(method) or {"text": method.label if method else ""}
    value = _concept(given.option("value"))
    yield _observation(question.code, given, setting, valueCodeableConcept=value, method=seen_by)
    if site is not None:
        yield _observation(question.codes["site"], given, setting, valueCodeableConcept=_concept(site))


def _resection(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    """The operation, that there was none, or the residual status of the one on record."""
    performed, residual = given.option("performed"), given.option("residual")
    if performed is not None and performed.id == "recorded":
        day = given.day or setting.operated_on
        for operation in setting.operations:
            status = _observation(question.code, given, setting, valueCodeableConcept=_concept(residual))
            elements = {"effectiveDateTime": day.text} if day is not None else {}
            yield {**status, **elements, "partOf": [{"reference": operation}]}
    elif performed is not None and performed.id == "done":
        outcome = {"outcome": _concept(residual)} if residual is not None else {}
        dated = {"performedDateTime": given.day.text} if given.day is not None else {}
        yield _procedure("completed", given.option("operation"), setting) | dated | outcome
    else:
        yield _procedure("not-done", removal_of(setting.sites), setting)


def _metastases(given: Given, setting: Setting, question: Question) -> Iterator[Json]:
    """Liver metastases as the site of a metastasis, or ruled out: only a refuted Condition says that there are none."""
    chosen = given.option("value")
    if chosen is not None and chosen.id == "absent":
        yield _condition("refuted", given, setting)
    else:
        yield from _plain(given, setting, question)


def _disease(given: Given, setting: Setting, question: Question) -> Iterator[Json]:  # noqa: ARG001 - all writers are called alike
    yield _condition("confirmed", given, setting)


_WRITERS: Mapping[str, Callable[[Given, Setting, Question], Iterator[Json]]] = {
    "differentiation": _histology,
    "ki67_percent": _proliferation,
    "primary_site": _plain,
    "primary_resection": _resection,
    "liver_involvement_percent": _involvement,
    "extrahepatic_disease": _elsewhere,
    "disease_response": _plain,
    "liver_resectability": _plain,
    "liver_metastases": _metastases,
    "carcinoid_heart_disease": _disease,
}


def primary_code(sites: tuple[str, ...]) -> Mapping[str, str] | None:
    """The code of the first primary site that the form has one for."""
    known = (questions()["primary_site"].field("value").option(site) for site in sites)
    return next((option.code for option in known if option is not None), None)


def removal_of(sites: tuple[str, ...]) -> Option | None:
    """An operation of the form that removes the first of the sites: the one that was not done."""
    operations = questions()["primary_resection"].field("operation").options
    return next((item for site in sites for item in operations if site in _removed_by(item)), None)


def _removed_by(operation: Option) -> frozenset[str]:
    system, _, code = (operation.coding or "").rpartition("|")
    return frozenset().union(*(removes(name) for name in terminology().meanings(system, code)))


# --- resources --------------------------------------------------------------------------------------------------------


def _observation(code: str, given: Given, setting: Setting, **elements: object) -> Json:
    dated = {"effectiveDateTime": given.day.text} if given.day is not None else {}
    focus = {"focus": [{"reference": name} for name in setting.tumours]} if setting.tumours else {}
    return {
        **_own("Observation", setting),
        "status": "final",
        "code": {"coding": [coding_of(code)]},
        **focus,
        **dated,
        "performer": [dict(setting.author)],
        **elements,
        "derivedFrom": [{"reference": setting.response}],
    }


def _procedure(status: str, operation: Option | None, setting: Setting) -> Json:
    reasons = [{"reference": name} for name in setting.tumours]
    return {
        **_own("Procedure", setting),
        "extension": [{"url": ATTESTED_IN, "valueReference": {"reference": setting.response}}],
        "status": status,
        "code": _concept(operation),
        **({"reasonReference": reasons} if reasons else {}),
        "asserter": dict(setting.author),
    }


def _condition(verification: str, given: Given, setting: Setting) -> Json:
    active = {"clinicalStatus": _status(_CLINICAL, "active")} if verification == "confirmed" else {}
    return {
        **_own("Condition", setting),
        **active,
        "verificationStatus": _status(_VERIFICATION, verification),
        "code": _concept(given.option("value")),
        "recordedDate": given.day.text if given.day is not None else None,
        "asserter": dict(setting.author),
        "evidence": [{"detail": [{"reference": setting.response}]}],
    }


def _own(kind: str, setting: Setting) -> Json:
    return {"resourceType": kind, "meta": {"tag": [TAG]}, "subject": {"reference": setting.patient}}


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _concept(option: Option | None) -> Json:
    code = option.finding_code if option is not None else None
    return {"coding": [dict(code)]} if code is not None else {}


def _measured(given: Given, question: Question) -> Json:
    """A number, a number with a comparator, or a range."""
    field, high, comparator = question.field("low"), given.number("high"), given.option("comparator")
    low = _quantity(given.number("low"), field)
    if high is not None:
        return {"valueRange": {"low": low, "high": _quantity(high, field)}}
    return {"valueQuantity": {**low, "comparator": comparator.means} if comparator is not None else low}


def _quantity(number: Decimal | None, field: Field) -> Json:
    return {"value": plain(number or Decimal(0)), "unit": field.unit, "system": _UCUM, "code": field.unit}


def plain(number: Decimal) -> int | float:
    """A number as JSON writes it."""
    return int(number) if number == number.to_integral_value() else float(number)
