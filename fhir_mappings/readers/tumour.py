"""Facts of the tumour: diagnosis, differentiation, primary site, and the Ki-67 index, mitoses and grade of its tissue."""

from collections.abc import Iterable, Sequence

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Differentiation,
    Discarded,
    Fact,
    Gap,
    GapKind,
    Grade,
    HistologicGrade,
    Presence,
)
from fhir_mappings.inputs import METASTATIC_NET
from fhir_mappings.readers.histology import Histology, Tumour, histologies, links
from fhir_mappings.resource import Resource, Use, codings, written

_CLASSES: tuple[tuple[str, Differentiation], ...] = (  # the worst first
    ("histology-nec", Differentiation.NEC),
    ("histology-minen", Differentiation.MINEN),
    ("histology-net-g3", Differentiation.NET_G3),
    ("histology-net-g2", Differentiation.NET_G2),
    ("histology-net-g1", Differentiation.NET_G1),
    ("histology-nec-or-net", Differentiation.NEC_OR_NET),
    ("histology-net", Differentiation.NET),
    ("liver-metastasis-net", Differentiation.NET),
    ("histology-metastatic-net", Differentiation.NET),
    ("histology-nen-unspecified", Differentiation.UNSPECIFIED),
)
_POORLY = {Differentiation.NEC, Differentiation.MINEN}
_GRADED = (Differentiation.NET_G3, Differentiation.NET_G2, Differentiation.NET_G1)
_WELL = {*_GRADED, Differentiation.NET}


@once
def neuroendocrine_tumour(chart: Chart) -> Fact[Presence]:
    """Whether a neuroendocrine neoplasm is on record, well or poorly differentiated."""
    statements = histologies(chart)
    usable = [item for item in statements if item.is_usable]
    if usable:
        return Fact(Presence.PRESENT, _evidence(usable))
    if chart.blind("neuroendocrine_tumour") is not None:
        return Fact(gap=chart.missing("neuroendocrine_tumour"))
    candidates = [item for item in statements if not item.resource.is_negated]
    if candidates:
        reason = f"Neuroendocrine tumour: recorded, but {candidates[0].resource.why}."
        return Fact(gap=Gap(GapKind.INDETERMINATE, reason), discarded=_discarded(candidates))
    if statements:
        return Fact(Presence.ABSENT, _evidence(statements))
    history = chart.find({"history-of-net"}, "Condition").usable
    if history:
        reason = "Neuroendocrine tumour: only a history of one is on record."
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, reason),
            discarded=tuple(Discarded(item.evidence("code"), "history only") for item in history),
        )
    return Fact(gap=chart.missing("neuroendocrine_tumour"))


@once
def differentiation(chart: Chart) -> Fact[Differentiation]:
    """What the histology says of the tumour. Pathology outranks a coded diagnosis, unless that one is the worse."""
    statements = [item for item in histologies(chart) if not item.resource.is_negated]
    usable = [item for item in statements if item.is_usable]
    if not usable:
        return Fact(
            gap=neuroendocrine_tumour(chart).gap or chart.missing("differentiation"),
            discarded=_discarded(statements),
        )
    if (blind := chart.blind("differentiation")) is not None:
        return Fact(gap=blind, discarded=_discarded(usable, "another histology could not be read"))
    value, used, discarded = _governing(usable)
    candidates = [item for item in statements if not item.is_usable]
    worse = [
        item
        for item in candidates
        if value is not None
        and _rank(_class(item)) < _rank(value)
        and _class(item) not in (value, Differentiation.NET)
    ]
    if value is None or worse:
        reason = _conflict_reason(used, worse)
        return Fact(
            gap=Gap(GapKind.CONFLICTING, reason),
            discarded=_discarded((*used, *worse), "sources disagree") + discarded,
        )
    return Fact(value, _evidence(used), discarded=discarded + _discarded(candidates))


def _conflict_reason(used: Sequence[Histology], worse: Sequence[Histology]) -> str:
    if worse:
        return f"Differentiation: an unconfirmed entry says {_class(worse[0])}."
    said = sorted({_class(item).value for item in used})
    return f"Differentiation: sources disagree ({'; '.join(said)})."


def _governing(
    usable: Sequence[Histology],
) -> tuple[Differentiation | None, Sequence[Histology], tuple[Discarded, ...]]:
    """The class that governs, the statements it rests on and those set aside; None when sources contradict each other."""
    top = max(item.source for item in usable)
    said = {_class(item) for item in usable}
    governing = {_class(item) for item in usable if item.source is top}
    if said & _POORLY and (said & _WELL and not _only_generic(usable)):
        return None, usable, ()
    value = min(said if said & _POORLY else governing, key=_rank)
    more_specific = min(said - _POORLY, key=_rank, default=value)
    if (
        value in (Differentiation.NET, Differentiation.UNSPECIFIED, Differentiation.NEC_OR_NET)
        and more_specific in _WELL
    ):
        value = more_specific
    used = [item for item in usable if _class(item) is value]
    return value, used, _discarded([item for item in usable if _class(item) is not value], f"{value} governs")


def _only_generic(usable: Sequence[Histology]) -> bool:
    """Whether "NET" comes only from codes that merely say a metastasis is of neuroendocrine origin (C7B.02)."""
    return all(item.meanings & METASTATIC_NET for item in usable if _class(item) in _WELL)


def _class(item: Histology) -> Differentiation:
    return next(value for name, value in _CLASSES if name in item.meanings)


def _rank(value: Differentiation) -> int:
    order = [item for _, item in _CLASSES]
    return order.index(value)


def _evidence(items: Iterable[Histology]) -> tuple:  # type: ignore[type-arg]
    return tuple(dict.fromkeys(item.evidence for item in items))


def _discarded(items: Iterable[Histology], reason: str = "") -> tuple[Discarded, ...]:
    return tuple(
        dict.fromkeys(Discarded(item.evidence, reason or item.resource.why or "refuted") for item in items)
    )


# --- grade ------------------------------------------------------------------------------------------------------------

_GRADES = (("grade-g4", Grade.G4), ("grade-g3", Grade.G3), ("grade-g2", Grade.G2), ("grade-g1", Grade.G1))


@once
def histologic_grade(chart: Chart) -> Fact[HistologicGrade]:
    """The highest histologic grade of the NET; two-tier words (low, high) are no grade of it."""
    found = chart.find({"grade-code"}, "Observation")
    graded: list[tuple[Grade, Resource]] = []
    discarded = list(found.discarded)
    for item in (*found.usable, *found.candidates):
        grade, refusal = _grade(chart, item)
        if grade is not None and item.use is Use.USE:
            graded.append((grade, item))
        else:
            discarded.append(Discarded(_value_evidence(item), refusal or item.why))
    graded += [
        (grade, item.resource)
        for item in histologies(chart)
        if item.is_usable
        for grade in _grade_of_histology(item)
    ]
    if not graded or chart.blind("histologic_grade") is not None:
        return Fact(gap=chart.missing("histologic_grade"), discarded=tuple(discarded))
    highest = max(grade for grade, _ in graded)
    used = [item for grade, item in graded if grade is highest]
    lower = tuple(
        Discarded(_value_evidence(item), f"{highest} governs")
        for grade, item in graded
        if grade is not highest
    )
    value = HistologicGrade(highest, next((item.date for item in used if item.date), None))
    return Fact(value, tuple(_value_evidence(item) for item in used), discarded=tuple(discarded) + lower)


def _grade(chart: Chart, item: Resource) -> tuple[Grade | None, str]:
    tumour = links(chart).tumour_of(item)
    if tumour is not Tumour.NET:
        return (
            None,
            f"speaks of {tumour.value}"
            if tumour is Tumour.OTHER
            else "cannot be assigned to one of two tumours",
        )
    meanings = chart.meanings(item.data.get("valueCodeableConcept"))
    grade = next((value for name, value in _GRADES if name in meanings), None)
    return grade, "" if grade else "the value is no grade G1 to G4"


def _grade_of_histology(item: Histology) -> tuple[Grade, ...]:
    grades = {
        Differentiation.NET_G1: Grade.G1,
        Differentiation.NET_G2: Grade.G2,
        Differentiation.NET_G3: Grade.G3,
    }
    grade = grades.get(_class(item))
    return (grade,) if grade else ()


def _value_evidence(item: Resource):  # type: ignore[no-untyped-def]
    element = next((name for name in item.data if name.startswith("value")), "code")
    value = next((written(coding) for coding in codings(item.data.get(element))), None)
    return item.evidence(element, value)
