"""Facts of the patient's care: transplant status, orders already placed, and other diseases that matter."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from fhir_mappings.chart import OTHER_MALIGNANCY, Chart, once
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
from fhir_mappings.inputs import METASTATIC_NET, NET_HISTOLOGY, UNSITED_METASTASIS
from fhir_mappings.readers.site import net_conditions
from fhir_mappings.resource import Resource, Use, codings
from fhir_mappings.when import add_months

_REFERRAL_MONTHS = 12  # a completed referral counts as active for a year [judgement]


@cache
def _organ_words() -> Mapping[str, tuple[str, ...]]:
    words = json.loads((files("fhir_mappings") / "valuesets" / "organ-keywords.json").read_text("utf-8"))
    return {name: tuple(words[name]) for name in ("liver", "other")}


def _names(item: Resource, organ: str) -> bool:
    """Whether the text or a display of a resource's code names an organ."""
    code = item.data.get("code") or {}
    text = " ".join(
        str(part) for part in (code.get("text"), *(coding.get("display") for coding in codings(code))) if part
    ).lower()
    return any(word in text for word in _organ_words()[organ])


@once
def transplant_status(chart: Chart) -> Fact[TransplantStatus]:
    """Whether the patient has a transplanted liver, is listed for one, or has an active referral for one."""
    transplanted = [item for item in _transplants(chart) if not item.is_negated]
    if transplanted:
        return Fact(TransplantStatus.TRANSPLANTED, tuple(item.evidence("code") for item in transplanted))
    waiting = [
        item
        for item in chart.find({"transplant-waitlist"}, "Condition", "Observation").usable
        if item.is_current and not item.is_negated
    ]
    listed = [item for item in waiting if _names(item, "liver")]
    if listed:
        return Fact(TransplantStatus.LISTED, tuple(item.evidence("code") for item in listed))
    referred = [
        item
        for item in chart.find({"order-transplant-referral"}, "ServiceRequest").usable
        if _is_live_referral(chart.on, item)
    ]
    if referred:
        return Fact(TransplantStatus.REFERRED, tuple(item.evidence("code") for item in referred))
    unnamed = [item for item in waiting if not _names(item, "other")]
    if unnamed:
        reason = "Transplant status: on a transplant waiting list, the organ is not stated."
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, reason),
            discarded=tuple(Discarded(item.evidence("code"), "organ not stated") for item in unnamed),
        )
    return Fact(gap=chart.missing("transplant_status"))


def _transplants(chart: Chart) -> Iterable[Resource]:
    items = chart.find(
        {"liver-transplant-procedure", "liver-transplant-status"}, "Procedure", "Condition"
    ).usable
    return [item for item in items if "transplant-donor" not in item.meanings]


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


@once
def other_malignancy(chart: Chart) -> Fact[Presence]:
    """Whether another malignancy is active. The Condition of the NET's own site (WHO ICD-10 C17.x) is not another one."""
    own = {item.reference for item in net_conditions(chart)}
    found = chart.find({OTHER_MALIGNANCY}, "Condition")
    others = [
        item
        for item in found.usable
        if item.reference not in own
        and not item.meanings & (NET_HISTOLOGY | METASTATIC_NET | UNSITED_METASTASIS)
    ]
    active = [item for item in others if item.is_current and not item.is_negated]
    history = tuple(
        Discarded(
            item.evidence("code"),
            "refuted" if item.is_negated else "recorded as resolved or inactive: history",
        )
        for item in others
        if item not in active
    )
    candidates = tuple(Discarded(item.evidence("code"), item.why) for item in found.candidates)
    if active:
        return Fact(
            Presence.PRESENT, tuple(item.evidence("code") for item in active), discarded=history + candidates
        )
    return Fact(gap=chart.missing("other_malignancy"), discarded=history + candidates + found.discarded)


@once
def carcinoid_syndrome(chart: Chart) -> Fact[Presence]:
    """Whether a carcinoid syndrome is on record; it decides nothing, but asks for an echocardiogram."""
    return _active(chart, "carcinoid-syndrome", "carcinoid_syndrome")


@once
def carcinoid_heart_disease(chart: Chart) -> Fact[Presence]:
    """Whether carcinoid heart disease is on record: cardiology comes first (clinical.md 1.7)."""
    return _active(chart, "carcinoid-heart-disease", "carcinoid_heart_disease")


def _active(chart: Chart, value_set: str, fact: str) -> Fact[Presence]:
    found = chart.find({value_set}, "Condition")
    active = [item for item in found.usable if item.is_current and not item.is_negated]
    if active:
        return Fact(Presence.PRESENT, tuple(item.evidence("code") for item in active))
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or "refuted or history")
        for item in (*found.usable, *found.candidates)
    )
    return Fact(gap=chart.missing(fact), discarded=discarded)


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
    """The orders already placed that would answer a missing criterion; a draft counts, so that nothing is proposed twice."""
    found = chart.find(frozenset(_ORDERS) | {"order-immunohistochemistry"}, "ServiceRequest")
    orders = []
    for item in found.usable:
        kind = _kind(item)
        if (
            kind is not None
            and item.use is Use.USE
            and item.data.get("status") in _OPEN
            and item.data.get("doNotPerform") is not True
        ):
            orders.append((OpenOrder(kind, item.reference, item.date), item.evidence("code")))
    if not orders and chart.blind("open_orders") is not None:
        return Fact(gap=chart.missing("open_orders"))
    return Fact(
        tuple(order for order, _ in orders),
        tuple(evidence for _, evidence in orders),
        discarded=found.discarded,
    )


def _kind(item: Resource) -> OrderKind | None:
    """What an order is for; a plain immunohistochemistry counts as Ki-67 where its text says so."""
    kind = next((value for name, value in _ORDERS.items() if name in item.meanings), None)
    text = str((item.data.get("code") or {}).get("text") or "").lower()
    return kind or (OrderKind.KI67 if "ki-67" in text or "ki67" in text else None)
