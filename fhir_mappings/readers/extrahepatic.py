"""Disease outside the liver: present, absent on positive evidence, or unknown. No code is never "none"."""

from collections.abc import Iterable, Mapping, Sequence

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    ExtrahepaticDisease,
    Fact,
    Gap,
    GapKind,
    Note,
    Presence,
)
from fhir_mappings.readers.extrahepatic_findings import Finding, extrahepatic_findings


@once
def extrahepatic_disease(chart: Chart) -> Fact[ExtrahepaticDisease]:
    """Whether there is disease outside liver and primary (terminology.md 2 d, clinical.md 7.4).

    Absence needs positive evidence. A newer negative study of equal or better kind cancels an older positive one; a
    standing Condition is not cancelled but contradicted, and an unconfirmed finding only takes certainty away.
    """
    findings, refused = extrahepatic_findings(chart)
    negatives = [item for item in findings if item.presence is Presence.ABSENT and not item.doubt]
    found = [item for item in findings if item not in negatives]
    cancelled = [item for item in found if any(_cancels(study, item) for study in negatives)]
    standing = [item for item in found if item not in cancelled and not item.doubt]
    doubts = [item for item in found if item not in cancelled and item.doubt]
    discarded = (
        refused
        + tuple(Discarded(item.evidence, item.doubt) for item in doubts)
        + _set_aside(cancelled, "a newer negative study of equal or better kind")
    )
    if standing:
        return _present_or_conflict(standing, negatives, discarded)
    return _absent_or_gap(chart, negatives, doubts, discarded)


def _set_aside(items: Iterable[Finding], reason: str) -> tuple[Discarded, ...]:
    return tuple(Discarded(item.evidence, reason) for item in items)


def _answers(study: Finding, positive: Finding) -> bool:
    """Whether a negative study is of equal or better kind than a positive finding (clinical.md 7.4)."""
    return study.whole_body or (study.kind == positive.kind and not positive.whole_body)


def _cancels(study: Finding, positive: Finding) -> bool:
    """Whether a study is newer than a finding and answers it; a standing claim is not cancelled by any."""
    if positive.is_problem or positive.day is None or study.day is None:
        return False
    return positive.day.latest < study.day.earliest and _answers(study, positive)


def _contradicts(study: Finding, positive: Finding) -> bool:
    """Whether a negative study speaks against a finding of its own day, or against an older standing claim."""
    if study.day is None:
        return False
    if positive.day is None:
        return positive.is_problem and study.whole_body
    is_same_day = study.day.earliest <= positive.day.latest and positive.day.earliest <= study.day.latest
    return is_same_day or (positive.day.latest < study.day.earliest and _answers(study, positive))


def _present_or_conflict(
    standing: Sequence[Finding],
    negatives: Sequence[Finding],
    discarded: tuple[Discarded, ...],
) -> Fact[ExtrahepaticDisease]:
    against = [study for study in negatives if any(_contradicts(study, item) for item in standing)]
    if all(any(_contradicts(study, item) for study in negatives) for item in standing):
        gap = Gap(GapKind.CONFLICTING, _conflict_reason(standing, against))
        return Fact(gap=gap, discarded=discarded + _set_aside((*standing, *negatives), "sources disagree"))
    days = [item.day for item in standing if item.day]
    value = ExtrahepaticDisease(
        Presence.PRESENT,
        max(days, key=lambda day: day.latest, default=None),
        tuple(dict.fromkeys(item.extent for item in standing if item.extent is not None)),
        tuple(sorted({item.site for item in standing if item.site})),
    )
    evidence = tuple(dict.fromkeys(item.evidence for item in standing))
    return Fact(
        value, evidence, discarded=discarded + _set_aside(negatives, "a positive finding stands against it")
    )


def _conflict_reason(standing: Sequence[Finding], against: Sequence[Finding]) -> str:
    sites = ", ".join(sorted({item.site or "extrahepatic disease" for item in standing}))
    days = ", ".join(sorted({str(study.day) for study in against}))
    return f"Extrahepatic disease: {sites} on record, but the study of {days} found none."


def _absent_or_gap(
    chart: Chart,
    negatives: Sequence[Finding],
    doubts: Sequence[Finding],
    discarded: tuple[Discarded, ...],
) -> Fact[ExtrahepaticDisease]:
    dated = [item for item in negatives if item.day is not None]
    negative = max(dated, key=lambda item: (item.whole_body, item.day and item.day.latest), default=None)
    gap = chart.blind("extrahepatic_disease") or _doubtful(doubts, negatives)
    if gap is None and negative is None:
        gap = _undated(negatives) or chart.missing("extrahepatic_disease")
    if gap is not None or negative is None:
        reason = _WHY_UNPROVEN.get(gap.kind, "") if gap is not None else ""
        return Fact(gap=gap, discarded=discarded + _set_aside(negatives, reason))
    text = "The absence does not rest on somatostatin-receptor imaging on record."
    older = _set_aside((item for item in negatives if item is not negative), "another study governs")
    return Fact(
        ExtrahepaticDisease(Presence.ABSENT, negative.day, whole_body_imaging=negative.whole_body),
        (negative.evidence,),
        discarded=discarded + older,
        notes=() if negative.whole_body else (Note("no-whole-body-imaging", text),),
    )


_WHY_UNPROVEN: Mapping[GapKind, str] = {
    GapKind.UNREADABLE: "the record is incomplete",
    GapKind.NOT_SENT: "the record is incomplete",
    GapKind.CONFLICTING: "sources disagree",
    GapKind.INDETERMINATE: "absence without a date",
}


def _doubtful(doubts: Sequence[Finding], negatives: Sequence[Finding]) -> Gap | None:
    unconfirmed = next((item for item in doubts if item.presence is Presence.PRESENT), None)
    if unconfirmed is None:
        return None
    kind = GapKind.CONFLICTING if negatives else GapKind.INDETERMINATE
    return Gap(kind, f"Extrahepatic disease: an unconfirmed finding is on record ({unconfirmed.doubt}).")


def _undated(negatives: Sequence[Finding]) -> Gap | None:
    if not negatives:
        return None
    return Gap(GapKind.INDETERMINATE, "Extrahepatic disease: the study that found none has no date.")
