"""Facts of the patient's care: transplant status, orders already placed, and other diseases that matter."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Fact,
    Gap,
    GapKind,
    OpenOrder,
    OrderKind,
    Presence,
    TransplantStatus,
)
from fhir_mappings.readers.conditions import OtherMalignancies, net_conditions, other_malignancies
from fhir_mappings.resource import Resource, Use, codings
from fhir_mappings.when import add_months

_REFERRAL_MONTHS = 12  # a completed referral counts as active for a year [judgement]


@cache
def _organ_words() -> Mapping[str, re.Pattern[str]]:
    """The words of each organ, found where a word begins: "hart" is a heart in Dutch, and no part of a chart."""
    words = json.loads((files("fhir_mappings") / "valuesets" / "organ-keywords.json").read_text("utf-8"))
    return {name: re.compile(rf"\b(?:{'|'.join(words[name])})") for name in ("liver", "other")}


def _names(item: Resource, organ: str) -> bool:
    """Whether the text or a display of a resource's code names an organ."""
    code = item.data.get("code") or {}
    words = (code.get("text"), *(coding.get("display") for coding in codings(code)))
    return bool(_organ_words()[organ].search(" ".join(str(part) for part in words if part).lower()))


# --- transplant -------------------------------------------------------------------------------------------------------

_WAITING = frozenset({"transplant-waitlist"})
_TRANSPLANT = frozenset({"liver-transplant-procedure", "liver-transplant-status"})


@once
def transplant_status(chart: Chart) -> Fact[TransplantStatus]:
    """Whether the patient has a transplanted liver, is listed for one, or has an active referral for one.

    A donor is no recipient, and a waiting list for another organ none for a liver (terminology.md 2 j).
    """
    transplanted = [item for item in _transplants(chart) if item.use is Use.USE]
    waiting = [item for item in _waiting(chart) if item.use is Use.USE and _names(item, "liver")]
    referrals = chart.find({"order-transplant-referral"}, "ServiceRequest").usable
    referred = [item for item in referrals if _is_live_referral(chart.on, item)]
    for status, items in (
        (TransplantStatus.TRANSPLANTED, transplanted),
        (TransplantStatus.LISTED, waiting),
        (TransplantStatus.REFERRED, referred),
    ):
        if items:
            evidence = tuple(item.evidence("code") for item in items)
            return Fact(status, evidence, discarded=_unused(chart, items))
    return Fact(gap=_no_status(chart), discarded=_unused(chart, ()))


def _unused(chart: Chart, used: Iterable[Resource]) -> tuple[Discarded, ...]:
    """Everything that speaks of a transplantation and is not what the status rests on."""
    kinds = ("Procedure", "Condition", "Observation", "ServiceRequest")
    found = chart.find(_TRANSPLANT | _WAITING | {"order-transplant-referral"}, *kinds)
    taken = {item.reference for item in used}
    return found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or _why_unused(chart, item))
        for item in (*found.usable, *found.candidates)
        if item.reference not in taken
    )


def _why_unused(chart: Chart, item: Resource) -> str:
    if "transplant-donor" in item.meanings:
        return "a donor, not a recipient"
    if item.is_negated:
        return "not done, or refuted"
    if not item.is_current:
        return "recorded as resolved or inactive: history"
    if item.kind == "ServiceRequest" and not _is_live_referral(chart.on, item):
        return "not active, not for a liver, or completed long ago"
    return "names another organ, or none" if item.meanings & _WAITING else "another entry says more"


def _no_status(chart: Chart) -> Gap:
    if (blind := chart.blind("transplant_status")) is not None:
        return blind
    candidate = next((item for item in (*_transplants(chart), *_waiting(chart)) if item.why), None)
    if candidate is not None:
        return Gap(GapKind.INDETERMINATE, f"Transplant status: recorded, but {candidate.why}.")
    if any(not _names(item, "other") for item in _waiting(chart)):
        reason = "Transplant status: on a transplant waiting list, the organ is not stated."
        return Gap(GapKind.INDETERMINATE, reason)
    return chart.missing("transplant_status")


def _transplants(chart: Chart) -> list[Resource]:
    found = chart.find(_TRANSPLANT, "Procedure", "Condition")
    return [
        item
        for item in (*found.usable, *found.candidates)
        if "transplant-donor" not in item.meanings and not item.is_negated
    ]


def _waiting(chart: Chart) -> list[Resource]:
    found = chart.find(_WAITING, "Condition", "Observation")
    items = (*found.usable, *found.candidates)
    return [
        item
        for item in items
        if item.is_current and not item.is_negated and item.data.get("valueBoolean") is not False
    ]


def _is_live_referral(on: date, item: Resource) -> bool:
    if item.data.get("doNotPerform") is True or (_names(item, "other") and not _names(item, "liver")):
        return False
    status = item.data.get("status")
    if status == "active":
        return True
    return (
        status == "completed"
        and item.date is not None
        and add_months(item.date.latest, _REFERRAL_MONTHS) > on
    )


# --- other diseases ---------------------------------------------------------------------------------------------------


@once
def other_malignancy(chart: Chart) -> Fact[Presence]:
    """Whether another malignancy is active. The Condition of the NET's own site (WHO ICD-10 C17.x) is not another one.

    No list of SNOMED codes is complete, so a Condition that only reads like a malignancy takes certainty away.
    """
    found = other_malignancies(chart)
    labelled = [item for item in chart.conditions_labelled(_reads_like_malignancy) if _is_active(item)]
    active = [item for item in found.others if item.use is Use.USE and _is_active(item)]
    used = {item.reference for item in (*active, *net_conditions(chart))}
    discarded = chart.dropped("other_malignancy") + tuple(
        Discarded(item.evidence("code"), _why_no_other(item, is_maybe_net=item in found.maybe_net))
        for item in (*found.others, *found.maybe_net)
        if item.reference not in used
    )
    discarded += tuple(Discarded(item.evidence("code"), _BY_LABEL) for item in labelled)
    if active:
        evidence = tuple(item.evidence("code") for item in active)
        return Fact(Presence.PRESENT, evidence, discarded=discarded)
    return Fact(gap=_no_other_malignancy(chart, found, labelled), discarded=discarded)


_BY_LABEL = "only the words of an entry say so"


def _no_other_malignancy(chart: Chart, found: OtherMalignancies, labelled: Sequence[Resource]) -> Gap:
    if (blind := chart.blind("other_malignancy")) is not None:
        return blind
    unconfirmed = [item for item in found.others if item.use is not Use.USE and _is_active(item)]
    if unconfirmed or labelled:
        reason = unconfirmed[0].why if unconfirmed else _BY_LABEL
        return Gap(GapKind.CONFLICTING, f"Other malignancy: on record, but {reason}.")
    if any(_is_active(item) for item in found.maybe_net):
        reason = "Other malignancy: what is on record may be the neuroendocrine tumour, coded by its organ."
        return Gap(GapKind.INDETERMINATE, reason)
    return chart.missing("other_malignancy")


@cache
def _malignancy_words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What reads like a malignancy of its own, and what takes that back; in folded text.

    Patterns that ignore case take eight times as long, and each Condition of a chart has three labels or so.
    """
    words = json.loads((files("fhir_mappings") / "valuesets" / "malignancy-keywords.json").read_text("utf-8"))
    malignant, taken_back = (
        "|".join(map(re.escape, map(str.casefold, words[name]))) for name in ("malignant", "not")
    )
    return re.compile(malignant), re.compile(taken_back)


def _reads_like_malignancy(label: str) -> bool:
    malignant, taken_back = _malignancy_words()
    text = label.casefold()
    return malignant.search(text) is not None and taken_back.search(text) is None


def _is_active(item: Resource) -> bool:
    return item.is_current and not item.is_negated


def _why_no_other(item: Resource, *, is_maybe_net: bool) -> str:
    if item.is_negated:
        return "refuted"
    if not item.is_current:
        return "recorded as resolved or inactive: history"
    return "it may be the neuroendocrine tumour, coded by its organ" if is_maybe_net else item.why


@once
def carcinoid_syndrome(chart: Chart) -> Fact[Presence]:
    """Whether a carcinoid syndrome is on record; it decides nothing, but asks for an echocardiogram."""
    return _active(chart, "carcinoid-syndrome", "carcinoid_syndrome")


@once
def carcinoid_heart_disease(chart: Chart) -> Fact[Presence]:
    """Whether carcinoid heart disease is on record: cardiology comes first (clinical.md 1.7)."""
    return _active(chart, "carcinoid-heart-disease", "carcinoid_heart_disease")


def _active(chart: Chart, value_set: str, fact: str) -> Fact[Presence]:
    """Present where an active entry says so; that there is none nobody records in a code."""
    found = chart.find({value_set}, "Condition")
    active = [item for item in found.usable if _is_active(item)]
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or "refuted or history")
        for item in (*found.usable, *found.candidates)
        if item not in active
    )
    if active:
        evidence = tuple(item.evidence("code") for item in active)
        return Fact(Presence.PRESENT, evidence, discarded=discarded)
    doubt = next((item for item in found.candidates if _is_active(item)), None)
    gap = chart.missing(fact)
    if gap.kind is GapKind.NOT_RECORDED and doubt is not None:
        gap = Gap(GapKind.INDETERMINATE, f"{chart.inputs[fact].label}: recorded, but {doubt.why}.")
    return Fact(gap=gap, discarded=discarded)


# --- orders -----------------------------------------------------------------------------------------------------------

_ORDERS = {
    "order-transplant-referral": OrderKind.TRANSPLANT_REFERRAL,
    "imaging-somatostatin-receptor-pet": OrderKind.SOMATOSTATIN_RECEPTOR_PET,
    "imaging-liver-mri": OrderKind.LIVER_MRI,
    "imaging-liver-ct": OrderKind.RESTAGING,
    "imaging-pet-whole-body": OrderKind.RESTAGING,
    "order-ki67-immunohistochemistry": OrderKind.KI67,
    "imaging-echocardiography": OrderKind.ECHOCARDIOGRAM,
    "referral-hpb-surgery": OrderKind.SURGICAL_REFERRAL,
}
_OPEN = ("active", "on-hold", "draft")


@once
def open_orders(chart: Chart) -> Fact[tuple[OpenOrder, ...]]:
    """The orders already placed that would answer a missing criterion; a draft counts, so that nothing is proposed twice.

    An order is a thing that exists, so of a part that was read whole "none" is a value and no gap.
    """
    found = chart.find(frozenset(_ORDERS) | {"order-immunohistochemistry"}, "ServiceRequest")
    items = [(item, kind) for item in found.usable if (kind := _kind(item)) is not None]
    placed = [(item, kind) for item, kind in items if _is_open(item)]
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or "not open, or an order not to do it")
        for item in (*found.candidates, *(item for item, _ in items if not _is_open(item)))
    )
    if not placed and chart.blind("open_orders") is not None:
        return Fact(gap=chart.missing("open_orders"), discarded=discarded)
    return Fact(
        tuple(OpenOrder(kind, item.reference, item.date) for item, kind in placed),
        tuple(item.evidence("code") for item, _ in placed),
        discarded=discarded,
    )


def _is_open(item: Resource) -> bool:
    return item.data.get("status") in _OPEN and item.data.get("doNotPerform") is not True


def _kind(item: Resource) -> OrderKind | None:
    """What an order is for; a plain immunohistochemistry counts as Ki-67 where its text says so."""
    kind = next((value for name, value in _ORDERS.items() if name in item.meanings), None)
    text = str((item.data.get("code") or {}).get("text") or "").lower()
    return kind or (OrderKind.KI67 if re.search(r"ki.?67", text) else None)
