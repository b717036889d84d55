"""Facts of the tumour: diagnosis, differentiation and histologic grade."""

from collections.abc import Iterable, Sequence

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Differentiation,
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    Grade,
    HistologicGrade,
    Note,
    Presence,
)
from fhir_mappings.inputs import METASTATIC_NET
from fhir_mappings.readers.conditions import is_active, net_conditions
from fhir_mappings.readers.histology import (
    Histology,
    Tumour,
    histologies,
    named_tumours,
    set_aside,
    unread_histologies,
)
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.readers.worded import ONLY_WORDS
from fhir_mappings.readers.worded_tumours import WordedTumour, worded_tumours
from fhir_mappings.relevance import OTHER_MALIGNANCY
from fhir_mappings.resource import Resource, Use
from fhir_mappings.when import PartialDate

_CLASSES: tuple[tuple[str, Differentiation], ...] = (  # the worst first
    ("histology-nec", Differentiation.NEC),
    ("histology-minen", Differentiation.MINEN),
    ("histology-net-g3", Differentiation.NET_G3),
    ("histology-nec-or-net", Differentiation.NEC_OR_NET),
    ("histology-net-g2", Differentiation.NET_G2),
    ("histology-net-g1", Differentiation.NET_G1),
    ("histology-net", Differentiation.NET),
    ("liver-metastasis-net", Differentiation.NET),
    ("histology-metastatic-net", Differentiation.NET),
    ("histology-nen-unspecified", Differentiation.UNSPECIFIED),
)
_ORDER = tuple(dict.fromkeys(value for _, value in _CLASSES))
_POORLY = {Differentiation.NEC, Differentiation.MINEN}
_GRADES_OF_NET = {
    Differentiation.NET_G3: Grade.G3,
    Differentiation.NET_G2: Grade.G2,
    Differentiation.NET_G1: Grade.G1,
}
_WELL = {*_GRADES_OF_NET, Differentiation.NET}
_VAGUE = {Differentiation.NET, Differentiation.UNSPECIFIED}


@once
def neuroendocrine_tumour(chart: Chart) -> Fact[Presence]:
    """Whether a neuroendocrine neoplasm is on record, well or poorly differentiated.

    Only a refuted diagnosis, with nothing else on record that names one, says that there is none (terminology.md 2 k).
    """
    statements = histologies(chart)
    usable = [item for item in statements if item.is_usable]
    rest = [item for item in statements if not item.is_usable]
    discarded = set_aside(rest) + chart.dropped("neuroendocrine_tumour")
    if usable:
        return Fact(Presence.PRESENT, _evidence(usable), discarded=discarded, notes=_history_note(usable))
    history = chart.find({"history-of-net"}, "Condition")
    worded = worded_tumours(chart)
    discarded += tuple(Discarded(item.evidence, ONLY_WORDS) for item in worded)
    syndrome = _syndromes(chart)
    discarded += tuple(Discarded(item.evidence("code"), "a syndrome, not a tumour") for item in syndrome)
    only_refuted = rest and not worded and not syndrome and all(item.resource.is_negated for item in rest)
    has_history = history.usable or history.candidates
    if only_refuted and not has_history and chart.blind("neuroendocrine_tumour") is None:
        return Fact(Presence.ABSENT, _evidence(rest), discarded=chart.dropped("neuroendocrine_tumour"))
    discarded += tuple(
        Discarded(item.evidence("code"), "history only") for item in (*history.usable, *history.candidates)
    )
    gap = _no_diagnosis(chart, rest, worded, is_history=bool(has_history))
    return Fact(gap=gap, discarded=discarded)


def _no_diagnosis(
    chart: Chart, rest: Sequence[Histology], worded: Sequence[WordedTumour], *, is_history: bool
) -> Gap:
    candidate = next((item.resource for item in rest if not item.resource.is_negated), None)
    blind = chart.blind("neuroendocrine_tumour")
    if blind is not None and _may_hide_a_diagnosis(chart):
        return blind
    if candidate is not None:
        return Gap(GapKind.INDETERMINATE, f"Neuroendocrine tumour: recorded, but {candidate.why}.")
    if is_history:
        return Gap(GapKind.INDETERMINATE, "Neuroendocrine tumour: only a history of one is on record.")
    if worded:
        where = ", ".join(dict.fromkeys(item.resource.reference for item in worded))
        return Gap(GapKind.INDETERMINATE, f"Neuroendocrine tumour: possible, but {ONLY_WORDS} ({where}).")
    if syndrome := _syndromes(chart):
        where = ", ".join(item.reference for item in syndrome)
        reason = f"Neuroendocrine tumour: possible, but only a carcinoid syndrome is on record ({where})."
        return Gap(GapKind.INDETERMINATE, reason)
    return Gap(GapKind.NOT_RECORDED, "Neuroendocrine tumour: nothing on record.")


@once
def _syndromes(chart: Chart) -> list[Resource]:
    """The active carcinoid syndromes: such a syndrome comes from a neuroendocrine tumour, and does not make one."""
    found = chart.find({"carcinoid-syndrome"}, "Condition")
    return [item for item in (*found.usable, *found.candidates) if is_active(item)]


def _may_hide_a_diagnosis(chart: Chart) -> bool:
    """Whether what is not known may be the diagnosis: an unreadable entry, the conditions, or more beside metastases.

    Where the conditions arrived whole and name neither, it would be a card for every patient of an EHR that sends only
    those (clinical.md 9, alert fatigue). WHO ICD-10 names no NET, so beside liver metastases the histology may, and so
    it may beside any malignancy where a query for it failed.
    """
    is_hinted = bool(
        chart.unread("neuroendocrine_tumour") or chart.find({"liver-metastasis"}, "Condition").usable
    )
    return is_hinted or not chart.is_whole("Condition") or _is_cut_off_beside_a_malignancy(chart)


def _is_cut_off_beside_a_malignancy(chart: Chart) -> bool:
    is_cut_off = any(chart.is_cut_off(kind) for kind in ("Observation", "DiagnosticReport"))
    return is_cut_off and bool(chart.find({OTHER_MALIGNANCY}, "Condition").usable)


def _history_note(usable: Sequence[Histology]) -> tuple[Note, ...]:
    if any(item.resource.is_current for item in usable):
        return ()
    text = "The neuroendocrine tumour is recorded as resolved, in remission or inactive."
    return (Note("recorded-as-history", text),)


@once
def differentiation(chart: Chart) -> Fact[Differentiation]:
    """What the histology says of the tumour. Pathology outranks a coded diagnosis, unless that one is the worse."""
    statements = histologies(chart)
    usable = [item for item in statements if item.is_usable]
    rest = set_aside(item for item in statements if not item.is_usable) + named_tumours(chart).other_tumours()
    rest += chart.dropped("differentiation")
    if not usable:
        gap = neuroendocrine_tumour(chart).gap or chart.missing("differentiation")
        return Fact(gap=gap, discarded=rest)
    unread = _unread(chart)
    if (blind := chart.blind("differentiation") or _in_words(unread)) is not None:
        reason = "another histology could not be read"
        return Fact(gap=blind, discarded=set_aside(usable, reason) + unread + rest)
    value = _governing(usable)
    worse = _worse([item for item in statements if item.resource.use is Use.CANDIDATE], value)
    if value is None or worse:
        gap = Gap(GapKind.CONFLICTING, _conflict_reason(usable, worse))
        return Fact(gap=gap, discarded=set_aside(usable, "sources disagree") + rest)
    used = [item for item in usable if _class(item) is value]
    others = [item for item in usable if _class(item) is not value]
    return Fact(value, _evidence(used), discarded=set_aside(others, f"{value} governs") + rest)


@once
def _unread(chart: Chart) -> tuple[Discarded, ...]:
    """The histologies that stand in words, of the Conditions of the NET and its metastases."""
    named = {item.resource.reference for item in histologies(chart) if not item.resource.is_negated}
    named |= {item.reference for item in net_conditions(chart) if not item.is_negated}
    return unread_histologies(chart, [item for item in chart.resources if item.reference in named])


def _in_words(unread: Sequence[Discarded]) -> Gap | None:
    if not unread:
        return None
    where = ", ".join(item.evidence.reference for item in unread)
    return Gap(GapKind.INDETERMINATE, f"Differentiation: the histology in {where} is not read from words.")


def _worse(candidates: Sequence[Histology], value: Differentiation | None) -> list[Histology]:
    """The unconfirmed statements that would change the answer for the worse."""
    return [
        item
        for item in candidates
        if value is not None
        and not item.resource.is_negated
        and _class(item) not in _VAGUE
        and _rank(_class(item)) < _rank(value)
    ]


def _conflict_reason(used: Sequence[Histology], worse: Sequence[Histology]) -> str:
    if worse:
        return f"Differentiation: an unconfirmed entry says {_class(worse[0])}."
    said = sorted({_class(item).value for item in used})
    return f"Differentiation: sources disagree ({'; '.join(said)})."


def _governing(usable: Sequence[Histology]) -> Differentiation | None:
    """The class that governs; None where one source says poorly and another well differentiated.

    Among grades of a NET the highest governs (clinical.md 7.4). "Neuroendocrine carcinoma" without its differentiation
    is not outranked by a grade that stands further from the microscope (terminology.md 2 a).
    """
    said = {_class(item) for item in usable}
    if said & _POORLY:
        is_contradicted = said & _WELL and not _only_generic(usable)
        return None if is_contradicted else min(said & _POORLY, key=_rank)
    top = max(item.source for item in usable)
    closest = min((_class(item) for item in usable if item.source is top), key=_rank)
    if closest is Differentiation.NEC_OR_NET:
        return Differentiation.NET_G3 if Differentiation.NET_G3 in said else closest
    graded = min(said & set(_GRADES_OF_NET), key=_rank, default=None)
    return graded or min(said & _WELL, key=_rank, default=closest)


def _only_generic(usable: Sequence[Histology]) -> bool:
    """Whether "NET" comes only from codes that merely say a metastasis is of neuroendocrine origin (C7B.02)."""
    return all(item.meanings & METASTATIC_NET for item in usable if _class(item) in _WELL)


def _class(item: Histology) -> Differentiation:
    return next(value for name, value in _CLASSES if name in item.meanings)


def _rank(value: Differentiation) -> int:
    return _ORDER.index(value)


def _evidence(items: Iterable[Histology]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(item.evidence for item in items))


# --- grade ------------------------------------------------------------------------------------------------------------

_GRADES = (("grade-g4", Grade.G4), ("grade-g3", Grade.G3), ("grade-g2", Grade.G2), ("grade-g1", Grade.G1))
_AT_LEAST = {"grade-high": Grade.G3, "grade-intermediate": Grade.G2, "grade-low": Grade.G1}
_NO_GRADE = {"grade-gx", "presence-unknown"}
_Graded = tuple[Grade, Evidence, PartialDate | None]


@once
def histologic_grade(chart: Chart) -> Fact[HistologicGrade]:
    """The highest histologic grade of the NET.

    Two-tier words (low, high) are no grade of it, but they and every unconfirmed or unread grade take certainty away
    where they may mean a higher one (terminology.md 2 h).
    """
    firm, doubts, refused = _grades(chart)
    discarded = tuple(Discarded(evidence, reason) for _, evidence, reason in doubts) + refused
    discarded += chart.dropped("histologic_grade")
    if (blind := chart.blind("histologic_grade")) is not None or not firm:
        gap = blind or _no_grade(chart, [reason for _, _, reason in doubts])
        return Fact(
            gap=gap, discarded=discarded + tuple(Discarded(item, "not certain") for _, item, _ in firm)
        )
    highest = max(grade for grade, _, _ in firm)
    above = [reason for grade, _, reason in doubts if (grade or Grade.G3) > highest]
    if above:
        gap = Gap(GapKind.CONFLICTING, f"Histologic grade: {highest}, but another entry {above[0]}.")
        return Fact(
            gap=gap, discarded=discarded + tuple(Discarded(item, "not certain") for _, item, _ in firm)
        )
    return _highest(firm, highest, discarded)


def _highest(
    firm: Sequence[_Graded], highest: Grade, discarded: tuple[Discarded, ...]
) -> Fact[HistologicGrade]:
    days = [day for grade, _, day in firm if grade is highest and day]
    lower = tuple(Discarded(item, f"{highest} governs") for grade, item, _ in firm if grade is not highest)
    return Fact(
        HistologicGrade(highest, max(days, key=lambda day: day.latest, default=None)),
        tuple(dict.fromkeys(item for grade, item, _ in firm if grade is highest)),
        discarded=discarded + lower,
    )


def _no_grade(chart: Chart, doubts: Sequence[str]) -> Gap:
    if doubts:
        return Gap(GapKind.INDETERMINATE, f"Histologic grade: the entry on record {doubts[0]}.")
    return chart.missing("histologic_grade")


_Doubt = tuple[Grade | None, Evidence, str]  # None: may mean any grade


def _grades(chart: Chart) -> tuple[list[_Graded], list[_Doubt], tuple[Discarded, ...]]:
    """Firm grades, doubtful ones, and entries that say nothing of the NET."""
    firm: list[_Graded] = []
    doubts: list[_Doubt] = []
    refused: list[Discarded] = []
    found = chart.find({"grade-code"}, "Observation")
    for item in (*found.usable, *found.candidates):
        tumour = links(chart).tumour_of_tissue(item)
        grade, doubt = _read_grade(chart, item)
        evidence = item.value_evidence()
        if tumour is Tumour.OTHER or (grade is None and not doubt):
            reason = REFUSALS[tumour] if tumour is Tumour.OTHER else "states no grade"
            refused.append(Discarded(evidence, reason))
        elif reason := doubt or _unconfirmed(item, tumour):
            doubts.append((grade, evidence, reason))
        elif grade is not None:
            firm.append((grade, evidence, item.date))
    for histology in histologies(chart):
        stated = _GRADES_OF_NET.get(_class(histology))
        if stated is not None and histology.is_usable:
            firm.append((stated, histology.evidence, histology.resource.date))
        elif stated is not None and not histology.resource.is_negated:
            doubts.append((stated, histology.evidence, f"is not confirmed: {histology.resource.why}"))
    doubts += [(None, item.evidence, f"is a histology {item.reason}") for item in _unread(chart)]
    return firm, doubts, tuple(refused)


def _unconfirmed(item: Resource, tumour: Tumour) -> str:
    if tumour is Tumour.UNTOLD:
        return REFUSALS[tumour]
    return f"is not confirmed: {item.why}" if item.use is not Use.USE else ""


def _read_grade(chart: Chart, item: Resource) -> tuple[Grade | None, str]:
    """The grade of an observation; or a doubt, with the least grade that the words mean."""
    meanings = chart.meanings(item.coded_value)
    grade = next((value for name, value in _GRADES if name in meanings), None)
    if grade is not None:
        return grade, ""
    least = next((value for name, value in _AT_LEAST.items() if name in meanings), None)
    if least is not None:
        return least, "is of a two-tier or three-tier scale, which is not G1 to G3"
    is_silent = (
        item.is_absent or meanings & _NO_GRADE or not any(name.startswith("value") for name in item.data)
    )
    return None, "" if is_silent else "holds no grade that can be read"
