"""Liver metastases: whether there are any, since when, and whether they can be resected."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    LiverMetastases,
    Presence,
    Resectability,
)
from fhir_mappings.inputs import METASTASIS_SITE_CODES, UNSITED_METASTASIS
from fhir_mappings.readers.care import other_malignancy
from fhir_mappings.readers.conditions import is_secondary
from fhir_mappings.readers.findings import CodedFinding, coded_findings
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.m_category import m_categories
from fhir_mappings.readers.presence import has_value, stated_presence
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.readers.worded import ONLY_WORDS, worded_metastases
from fhir_mappings.resource import Resource, Use
from fhir_mappings.when import surely_before

_LIVER = frozenset({"body-site-liver", "metastasis-site-liver"})


# --- metastases -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Metastasis:
    """One statement of liver metastases; with a doubt it only takes certainty away."""

    resource: Resource
    element: str
    doubt: str = ""
    quoted: Evidence | None = None

    @property
    def evidence(self) -> Evidence:
        return self.quoted or self.resource.evidence(self.element)

    @property
    def is_sure(self) -> bool:
        return not self.refusal and not self.doubt

    @property
    def refusal(self) -> str:
        """Say why it is no current disease of the liver, though it names it."""
        if self.resource.is_negated:
            return "refuted"
        return "" if self.resource.is_current else "recorded as resolved or inactive: history"


@once
def liver_metastases(chart: Chart) -> Fact[LiverMetastases]:
    """Whether liver metastases are on record, and since when.

    A code that does not name the histology (C78.7) settles nothing while another malignancy is active
    (clinical.md 7.4, item 9). Absence needs a refuted entry, and nothing else that speaks of liver metastases.
    """
    found = [*_metastases(chart), *_coded(chart)]
    if not any(item.is_sure for item in found):
        found += _worded(chart, found)
    denied = tuple(Discarded(item.evidence, _DENIED) for item in _denied(chart))
    present = [item for item in found if item.is_sure]
    doubts = [item for item in found if not item.refusal and item.doubt]
    refused = [item for item in found if item.refusal]
    discarded = tuple(Discarded(item.evidence, item.refusal or item.doubt) for item in (*refused, *doubts))
    discarded += denied + chart.dropped("liver_metastases")
    if present:
        return _present(chart, present, discarded)
    is_refuted = bool(refused) and not doubts and all(item.resource.is_negated for item in refused)
    if is_refuted and chart.blind("liver_metastases") is None:
        evidence = tuple(item.resource.evidence("verificationStatus") for item in refused)
        return Fact(LiverMetastases(Presence.ABSENT), evidence)
    return Fact(gap=_no_metastases(chart, refused, doubts), discarded=discarded)


def _no_metastases(chart: Chart, refused: Sequence[_Metastasis], doubts: Sequence[_Metastasis]) -> Gap:
    if (blind := chart.blind("liver_metastases")) is not None:
        return blind
    if doubts:
        where = ", ".join(dict.fromkeys(item.resource.reference for item in doubts))
        said = "possible" if doubts[0].doubt == ONLY_WORDS else "recorded"
        return Gap(GapKind.INDETERMINATE, f"Liver metastases: {said}, but {doubts[0].doubt} ({where}).")
    if any(not item.resource.is_negated for item in refused):
        return Gap(GapKind.INDETERMINATE, "Liver metastases: only a history of them is on record.")
    return chart.missing("liver_metastases")


def _present(
    chart: Chart, present: Sequence[_Metastasis], discarded: tuple[Discarded, ...]
) -> Fact[LiverMetastases]:
    says_net = any(
        item.resource.meanings & {"liver-metastasis-net", "histology-metastatic-net"}
        or links(chart).is_linked_to_net(item.resource)
        for item in present
    )
    if not says_net and other_malignancy(chart).value is Presence.PRESENT:
        reason = (
            "Liver metastases: on record, but another malignancy is active and their histology is not stated."
        )
        unstated = tuple(Discarded(item.evidence, "histology not stated") for item in present)
        return Fact(gap=Gap(GapKind.INDETERMINATE, reason), discarded=unstated + discarded)
    days = [item.resource.date for item in present if item.resource.date]
    since = min(days, key=lambda day: day.earliest, default=None)
    return Fact(
        LiverMetastases(Presence.PRESENT, since),
        tuple(item.evidence for item in present),
        discarded=discarded,
    )


def _metastases(chart: Chart) -> Iterator[_Metastasis]:
    for item in chart.resources:
        element = _element(chart, item) if item.use is not Use.DROP else None
        if element is not None:
            yield _Metastasis(item, element, _doubt(chart, item))
    for found in m_categories(chart):
        if found.says_liver:
            yield _Metastasis(found.resource, found.element, found.resource.why, found.evidence)


_DENIED = "says that one finding is not there, which is no proof of a liver without metastases"
_OF_LIVER = frozenset({"liver-metastasis", "liver-metastasis-net", "liver-metastasis-review"})


def _coded(chart: Chart) -> Iterator[_Metastasis]:
    """Liver metastases that a report concludes, or an observation of a finding says are there."""
    for found in coded_findings(chart):
        if not found.is_denied and _is_of_liver(chart, found):
            item = replace(found.resource, meanings=found.resource.meanings | chart.meanings(found.concept))
            yield _Metastasis(item, found.element, _doubt(chart, item), found.evidence)


def _denied(chart: Chart) -> Iterator[CodedFinding]:
    return (found for found in coded_findings(chart) if found.is_denied and _is_of_liver(chart, found))


def _is_of_liver(chart: Chart, found: CodedFinding) -> bool:
    meanings = chart.meanings(found.concept)
    site = (
        chart.meanings(found.resource.data.get("bodySite")) if found.resource.kind == "Observation" else set()
    )
    return bool(meanings & _OF_LIVER or (meanings & UNSITED_METASTASIS and _LIVER & site))


def _worded(chart: Chart, known: Sequence[_Metastasis]) -> list[_Metastasis]:
    """What only words name in the liver, where nothing else does: possible, and no value."""
    spoken = {item.resource.reference for item in known}
    return [
        _Metastasis(found.resource, found.element, ONLY_WORDS, found.evidence)
        for found in worded_metastases(chart)
        if found.named.in_liver and found.resource.reference not in spoken
    ]


def _element(chart: Chart, item: Resource) -> str | None:
    """The element of a resource that speaks of liver metastases, if there is one."""
    if item.kind == "Condition":
        if item.meanings & {"liver-metastasis", "liver-metastasis-review", "history-of-liver-metastasis"}:
            return "code"
        is_unsited = item.meanings & UNSITED_METASTASIS or is_secondary(chart, item)
        return "bodySite" if is_unsited and _names_liver(chart, item.data.get("bodySite")) else None
    if item.kind != "Observation":
        return None
    if item.meanings & METASTASIS_SITE_CODES and _LIVER & chart.meanings(item.coded_value):
        return "valueCodeableConcept"
    return "code" if "history-of-liver-metastasis" in item.meanings else None


def _doubt(chart: Chart, item: Resource) -> str:
    """Why a statement of liver metastases does not count for certain."""
    if "history-of-liver-metastasis" in item.meanings:
        return "only a history of liver metastases, or its denial, is recorded"
    if "liver-metastasis-review" in item.meanings and "liver-metastasis" not in item.meanings:
        return "the code does not say whether it is a metastasis of the NET"
    tumour = links(chart).tumour_of(item)
    is_of_other = tumour is Tumour.OTHER or (tumour is Tumour.UNTOLD and links(chart).is_pointing(item))
    return REFUSALS[tumour] if is_of_other else item.why


def _names_liver(chart: Chart, sites: Iterable[object] | None) -> bool:
    return any(_LIVER & chart.meanings(site) for site in sites or ())


# --- resectability ----------------------------------------------------------------------------------------------------

_RESECTABILITY = {
    "resectability-resectable": Resectability.RESECTABLE,
    "resectability-unresectable": Resectability.UNRESECTABLE,
    "resectability-uncertain": Resectability.UNCERTAIN,
}
_Statement = tuple[Resource, Resectability | None]  # None: cannot be read


@once
def liver_resectability(chart: Chart) -> Fact[Resectability]:
    """The newest statement of a board or surgeon on whether the liver metastases can be resected.

    A statement that disagrees and may be as new - of the same day, undated, unconfirmed, unreadable - leaves it open.
    """
    found = chart.find({"liver-resectability-code", "resectability-unresectable"}, "Observation")
    stated = [(item, _stated(chart, item)) for item in (*found.usable, *found.candidates) if has_value(item)]
    silent = [item for item in (*found.usable, *found.candidates) if not has_value(item)]
    firm = [(item, value) for item, value in stated if item.use is Use.USE and value is not None]
    discarded = chart.dropped("liver_resectability") + tuple(
        Discarded(item.value_evidence(), item.why or "states no value that can be read")
        for item in (*silent, *(item for item, value in stated if (item, value) not in firm))
    )
    if not firm or chart.blind("liver_resectability") is not None:
        return Fact(gap=_not_stated(chart, stated), discarded=discarded)
    newest, value = max(firm, key=lambda pair: pair[0].date.latest if pair[0].date else date.min)
    rivals = [
        item for item, said in stated if said is not value and not surely_before(item.date, newest.date)
    ]
    if rivals:
        gap = Gap(GapKind.CONFLICTING, "Resectability: statements disagree, and none is surely the newest.")
        return Fact(gap=gap, discarded=discarded + _disagreeing(firm))
    return _resectability(firm, newest, value, discarded)


def _disagreeing(firm: Sequence[_Statement]) -> tuple[Discarded, ...]:
    return tuple(Discarded(item.value_evidence(), "statements disagree") for item, _ in firm)


def _resectability(
    firm: Sequence[_Statement],
    newest: Resource,
    value: Resectability | None,
    discarded: tuple[Discarded, ...],
) -> Fact[Resectability]:
    used = [item for item, said in firm if said is value and not surely_before(item.date, newest.date)]
    older = tuple(
        Discarded(item.value_evidence(), "a newer statement governs") for item, _ in firm if item not in used
    )
    evidence = tuple(replace(item.value_evidence(), value=value and str(value)) for item in used)
    return Fact(value, evidence, discarded=discarded + older)


def _not_stated(chart: Chart, stated: Sequence[_Statement]) -> Gap:
    blind = chart.blind("liver_resectability")
    if blind is not None or not stated:
        return blind or chart.missing("liver_resectability")
    reason = stated[0][0].why or "states no value that can be read"
    return Gap(GapKind.INDETERMINATE, f"Resectability: recorded, but {reason}.")


def _stated(chart: Chart, item: Resource) -> Resectability | None:
    """What a statement says; "unresectable: no" does not say that it can be resected."""
    values = {value for name, value in _RESECTABILITY.items() if name in chart.meanings(item.coded_value)}
    if len(values) == 1:
        return values.pop()
    is_unresectable = "resectability-unresectable" in item.meanings and not values
    return Resectability.UNRESECTABLE if is_unresectable and stated_presence(chart, item) else None
