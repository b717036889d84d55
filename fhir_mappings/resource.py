"""One resource that matters, after mending and validation: typed access to what readers ask of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_mappings.facts import Evidence
from fhir_mappings.valueset import Terminology
from fhir_mappings.when import PartialDate, recorded_date, span

Json = Mapping[str, Any]
_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


class Use(Enum):
    """What a resource may be used for: as evidence, only to take certainty away, or not at all."""

    USE = "use"
    CANDIDATE = "candidate"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Resource:
    """A relevant resource. `meanings` are the value sets that hold one of its codes; `use` and `why` follow from its status.

    `is_current` is false for a Condition that is recorded as resolved, inactive or in remission: history, not disease.
    `is_negated` is true for a refuted Condition and a Procedure that was not done.
    """

    kind: str
    reference: str
    data: Json
    meanings: frozenset[str]
    date: PartialDate | None
    use: Use = Use.USE
    why: str = ""
    is_current: bool = True
    is_negated: bool = False
    identifiers: tuple[str, ...] = ()  # business identifiers, "system|value"
    updated: str = ""  # meta.lastUpdated
    server: str = ""  # where it stands, by its fullUrl

    def evidence(
        self, element: str, value: str | None = None, coding: Json | None = None, display: str | None = None
    ) -> Evidence:
        """Say where a value was read: `element` of this resource, with the code and the value as written."""
        shown = coding if coding is not None else next(iter(codings(self.data.get("code"))), {})
        return Evidence(self.reference, element, self.date, written(shown), display or _display(shown), value)

    @property
    def is_absent(self) -> bool:
        """Whether the resource says that it has no value: then none counts, whatever stands beside it."""
        return bool(self.data.get("dataAbsentReason"))

    @property
    def coded_value(self) -> Json | None:
        """The valueCodeableConcept, if there is one and it is not said to be absent."""
        return None if self.is_absent else self.data.get("valueCodeableConcept")

    def value_evidence(self) -> Evidence:
        """Say what stands in `value[x]`, as written; in `code` where there is no value."""
        element = min((name for name in self.data if name.startswith("value")), default="code")
        value = self.data.get(element)
        return self.evidence(element, _value_text(value) if element != "code" else None)


def codings(concept: object) -> list[Json]:
    """The codings of a CodeableConcept."""
    given = concept.get("coding") if isinstance(concept, dict) else None
    return [coding for coding in given if isinstance(coding, dict)] if given else []


def _value_text(value: object) -> str | None:
    """A value for a sentence: the code, words or flag of it; a quantity is written out by whoever measures it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        coded = [text for coding in codings(value) if (text := written(coding))]
        return coded[0] if coded else str(value["text"]) if value.get("text") else None
    return None if value is None else str(value)


def written(coding: Json) -> str | None:
    """A coding as `system|code`, as it stands in the record."""
    code = coding.get("code")
    return f"{coding.get('system', '')}|{code}" if code else None


def _display(coding: Json) -> str | None:
    display = coding.get("display")
    return display if isinstance(display, str) else None


def meanings_of(concept: object, terminology: Terminology) -> frozenset[str]:
    """The value sets that hold any coding of a concept."""
    found: frozenset[str] = frozenset()
    for coding in codings(concept):
        found |= terminology.meanings(coding.get("system"), coding.get("code"))
    return found


_DATED_BY = {
    "Observation": "effective",
    "DiagnosticReport": "effective",
    "Procedure": "performed",
    "Condition": "onset",
}


def clinical_date(kind: str, data: Json) -> PartialDate | None:
    """The day a resource speaks of: of the specimen, imaging, operation, onset or order; never the day of issue."""
    prefix = _DATED_BY.get(kind)
    if prefix is None:
        return recorded_date(data.get("authoredOn"))
    single = recorded_date(data.get(f"{prefix}DateTime")) or recorded_date(data.get(f"{prefix}Instant"))
    period = data.get(f"{prefix}Period")
    if single is None and isinstance(period, Mapping):
        single = span(recorded_date(period.get("start")), recorded_date(period.get("end")))
    recorded = recorded_date(data.get("recordedDate")) if kind == "Condition" else None
    if single is not None and recorded is not None and single.earliest > recorded.latest:
        return recorded  # an onset after the day it was recorded on is a slip of the pen
    return single or recorded


@cache
def _table() -> Mapping[str, Mapping[str, frozenset[str]]]:
    table = json.loads((files("fhir_mappings") / "status.json").read_text("utf-8"))
    return {
        kind: {use: frozenset(codes) for use, codes in uses.items()}
        for kind, uses in table.items()
        if kind != "description"
    }


def standing(kind: str, data: Json, on: date) -> tuple[Use, str, bool, bool]:
    """What the status of a resource allows: use, reason in words, whether it is current, whether it is negated."""
    if kind == "Condition":
        return _condition_standing(data, on)
    if kind == "Patient":
        return Use.USE, "", True, False
    status = str(data.get("status") or "")
    use = _use(kind, status)
    why = "" if use is Use.USE else f"status is {_known(kind, status)}"
    return use, why, True, kind == "Procedure" and status == "not-done"


def intent(data: Json) -> Use:
    """Whether a request was ordered: USE; proposed or planned: DROP; or says neither: CANDIDATE."""
    return _use("intent", str(data.get("intent") or ""))


def tells_of_a_death(element: object) -> bool:
    """Whether a day of death without a value says why the day is missing, and so that there is one.

    `data-absent-reason` has other codes too: "not applicable" or "not asked" say nothing of a death.
    """
    extensions = element.get("extension") if isinstance(element, Mapping) else None
    given = extensions if isinstance(extensions, list) else [extensions]
    return any(
        isinstance(item, Mapping)
        and item.get("url") == _ABSENT_REASON
        and _use("_deceasedDateTime", str(item.get("valueCode") or "")) is Use.USE
        for item in given
    )


def _condition_standing(data: Json, on: date) -> tuple[Use, str, bool, bool]:
    verification = _status_code(data.get("verificationStatus"))
    use = _use("verificationStatus", verification)
    if verification == _CONTRADICTORY:
        return Use.CANDIDATE, "its verification status contradicts itself", True, False
    why = "" if use is Use.USE else f"verification status is {_known('verificationStatus', verification)}"
    clinical = {str(coding.get("code") or "").lower() for coding in codings(data.get("clinicalStatus"))}
    is_current = clinical.isdisjoint(_table()["clinicalStatus"]["history"]) or "active" in clinical
    if clinical.isdisjoint(_table()["clinicalStatus"]["current"]) and has_abated(data, on):
        is_current = False
    return use, why, is_current, verification == "refuted"


def abated_on(data: Json) -> PartialDate | None:
    """The day by which a Condition was over; a period that has no end may go on."""
    period = data.get("abatementPeriod")
    ended = recorded_date(period.get("end")) if isinstance(period, Mapping) else None
    return recorded_date(data.get("abatementDateTime")) or ended


def has_abated(data: Json, on: date) -> bool:
    """Whether a Condition was surely over before a day (terminology.md 2 k)."""
    day = abated_on(data)
    return day is not None and day.latest < on


def _use(kind: str, status: str) -> Use:
    table = _table()[kind]
    return Use.USE if status in table["use"] else Use.DROP if status in table["drop"] else Use.CANDIDATE


_COMMON = (
    "preliminary",
    "partial",
    "unknown",
    "stopped",
    "provisional",
    "unconfirmed",
    "differential",
    "refuted",
)


def _known(kind: str, status: str) -> str:
    """The status for a sentence: only codes of FHIR itself are repeated, never free text of a record."""
    known = set(_COMMON).union(*_table()[kind].values())
    return (
        status if status in known and status else "not stated" if not status else "not one that FHIR defines"
    )


_CONTRADICTORY = "contradictory"


def _status_code(concept: object) -> str:
    """The verification status: the code that FHIR defines, else what is written, which no table lists."""
    words = (
        concept.get("text") if isinstance(concept, Mapping) else None
    )  # "Refuted" in words is not "missing"
    codes = [str(coding["code"]).strip().lower() for coding in codings(concept) if coding.get("code")]
    known = frozenset().union(*_table()["verificationStatus"].values())
    said = tuple(dict.fromkeys(code for code in codes if code in known))
    if len(said) > 1:
        return _CONTRADICTORY
    return next(iter((*said, *codes)), str(words or "").strip().lower())
