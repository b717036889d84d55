"""Facts of the patient's care: transplant status, orders already placed, and other diseases that matter."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Fact,
    Gap,
    GapKind,
    Note,
    OpenOrder,
    OrderKind,
    OrderState,
    Presence,
    TransplantStatus,
)
from fhir_mappings.inputs import METASTATIC_NET, NET_HISTOLOGY
from fhir_mappings.metastasis_words import sentences
from fhir_mappings.readers.conditions import (
    OtherMalignancies,
    active_condition,
    is_active,
    net_conditions,
    other_malignancies,
)
from fhir_mappings.relevance import LABELLED_MALIGNANCY, LABELLED_TUMOUR, OTHER_MALIGNANCY, labels
from fhir_mappings.resource import Resource, Use, codings, intent
from fhir_mappings.valueset import normalise_system


@cache
def organ_words() -> Mapping[str, re.Pattern[str]]:
    """The words of each organ, found where a word begins: "hart" is a heart in Dutch, and no part of a chart."""
    words = json.loads((files("fhir_mappings") / "valuesets" / "organ-keywords.json").read_text("utf-8"))
    return {name: re.compile(rf"\b(?:{'|'.join(words[name])})") for name in ("liver", "other")}


def _names(item: Resource, organ: str) -> bool:
    """Whether the text or a display of a resource's code names an organ."""
    code = item.data.get("code") or {}
    words = (code.get("text"), *(coding.get("display") for coding in codings(code)))
    return bool(organ_words()[organ].search(" ".join(str(part) for part in words if part).lower()))


# --- transplant -------------------------------------------------------------------------------------------------------

_WAITING = frozenset({"transplant-waitlist"})
_TRANSPLANT = frozenset({"liver-transplant-procedure", "liver-transplant-status"})


@once
def transplant_status(chart: Chart) -> Fact[TransplantStatus]:
    """Whether the patient has a transplanted liver or is listed for one; a referral is one of the `open_orders`.

    A donor is no recipient, and a waiting list for another organ none for a liver (terminology.md 2 j).
    """
    transplanted = [item for item in _transplants(chart) if item.use is Use.USE]
    waiting = [item for item in _waiting(chart) if item.use is Use.USE and _names(item, "liver")]
    for status, items in (
        (TransplantStatus.TRANSPLANTED, transplanted),
        (TransplantStatus.LISTED, waiting),
    ):
        if items:
            evidence = tuple(item.evidence("code") for item in items)
            return Fact(status, evidence, discarded=_unused(chart, items))
    return Fact(gap=_no_status(chart), discarded=_unused(chart, ()))


def _unused(chart: Chart, used: Iterable[Resource]) -> tuple[Discarded, ...]:
    """Everything that speaks of a transplantation and is not what the status rests on."""
    found = chart.find(_TRANSPLANT | _WAITING, "Procedure", "Condition", "Observation")
    taken = {item.reference for item in used}
    return found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or _why_unused(item))
        for item in (*found.usable, *found.candidates)
        if item.reference not in taken
    )


def _why_unused(item: Resource) -> str:
    if "transplant-donor" in item.meanings:
        return "a donor, not a recipient"
    if item.is_negated:
        return "not done, or refuted"
    if not item.is_current:
        return "recorded as resolved or inactive: history"
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


@once
def transplant_refusal(chart: Chart) -> Fact[Presence]:
    """Whether a decision against a liver transplantation is on record: an order not to refer, a transplantation not done.

    Who decided, and why, no code says; ICD-10-CM Z53.2 names no procedure and is not read (clinical.md 6).
    """
    orders = chart.find({"order-transplant-referral"}, "ServiceRequest")
    operations = chart.find({"liver-transplant-procedure"}, "Procedure")
    against = [item for item in (*orders.usable, *operations.usable) if _speaks_against(item)]
    discarded = orders.discarded + operations.discarded
    if against:
        return Fact(Presence.PRESENT, tuple(item.evidence("code") for item in against), discarded=discarded)
    doubted = [item for item in (*orders.candidates, *operations.candidates) if _speaks_against(item)]
    discarded += tuple(Discarded(item.evidence("code"), item.why) for item in doubted)
    gap = chart.missing("transplant_refusal")
    if gap.kind is GapKind.NOT_RECORDED and doubted:
        label = chart.inputs["transplant_refusal"].label
        gap = Gap(GapKind.INDETERMINATE, f"{label}: recorded, but {doubted[0].why}.")
    return Fact(gap=gap, discarded=discarded)


def _speaks_against(item: Resource) -> bool:
    """An operation that was not done, or an order not to refer for a transplantation, unless of another organ."""
    if item.kind == "Procedure":
        return item.is_negated and "transplant-donor" not in item.meanings
    is_other_organ = _names(item, "other") and not _names(item, "liver")
    return item.data.get("doNotPerform") is True and not is_other_organ


# --- other diseases ---------------------------------------------------------------------------------------------------


@once
def other_malignancy(chart: Chart) -> Fact[Presence]:
    """Whether another malignancy is active. The Condition of the NET's own site (WHO ICD-10 C17.x) is not another one.

    No list of SNOMED codes is complete, so a Condition that only reads like a malignancy takes certainty away.
    """
    found = other_malignancies(chart)
    labelled = [item for item in _labelled(chart) if is_active(item)]
    active = [item for item in found.others if item.use is Use.USE and is_active(item)]
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
    unconfirmed = [item for item in found.others if item.use is not Use.USE and is_active(item)]
    if unconfirmed or labelled:
        reason = unconfirmed[0].why if unconfirmed else _BY_LABEL
        return Gap(GapKind.CONFLICTING, f"Other malignancy: on record, but {reason}.")
    if any(is_active(item) for item in found.maybe_net):
        reason = "Other malignancy: what is on record may be the neuroendocrine tumour, coded by its organ."
        return Gap(GapKind.INDETERMINATE, reason)
    return chart.missing("other_malignancy")


@dataclass(frozen=True, slots=True)
class _MalignancyWords:
    """Patterns for text in small letters: those that ignore case take eight times as long."""

    malignant: re.Pattern[str]
    taken_back: re.Pattern[str]  # with the word in question between < and >
    tumour: re.Pattern[str]
    elsewhere: re.Pattern[str]


@cache
def _malignancy_words() -> _MalignancyWords:
    words = json.loads((files("fhir_mappings") / "valuesets" / "malignancy-keywords.json").read_text("utf-8"))
    net, organ = (f"(?:{'|'.join(words[name])})" for name in ("net", "organ"))
    taken_back, elsewhere = (
        re.compile("|".join(words[name]).replace("{net}", net).replace("{organ}", organ))
        for name in ("not", "elsewhere")
    )
    malignant = re.compile("|".join(map(re.escape, words["malignant"])))
    return _MalignancyWords(malignant, taken_back, re.compile(net), elsewhere)


def _labelled(chart: Chart) -> list[Resource]:
    """The Conditions that only words call another malignancy: without a code, or as a tumour that no code names."""
    unknown = chart.labelled("Condition", LABELLED_MALIGNANCY, _reads_like_malignancy)
    return unknown + [
        item
        for item in chart.resources
        if item.kind == "Condition"
        and item.use is not Use.DROP
        and LABELLED_TUMOUR in item.meanings
        and item.meanings.isdisjoint(_TOLD_BY_CODE)
        and _reads_like_malignancy(item.data)
    ]


_TOLD_BY_CODE = NET_HISTOLOGY | METASTATIC_NET | {OTHER_MALIGNANCY, "history-of-net"}


def _reads_like_malignancy(condition: Mapping[str, Any]) -> bool:
    code = condition.get("code")
    return isinstance(code, dict) and any(_is_malignant(label) for label in labels(code))


def _is_malignant(label: str) -> bool:
    """Whether a label names a malignancy that its own clause does not take back; a tumour of a lung is another one."""
    words = _malignancy_words()
    for sentence in sentences(label):
        text = re.sub(r"[<>]", " ", sentence.lower())
        if any(not _is_taken_back(text, found) for found in words.malignant.finditer(text)):
            return True
        tumour = words.tumour.search(text) and words.elsewhere.search(text)
        if tumour and not _is_taken_back(text, tumour):
            return True
    return False


def _is_taken_back(text: str, named: re.Match[str]) -> bool:
    marked = f"{text[: named.start()]}<{named[0]}>{text[named.end() :]}"
    return _malignancy_words().taken_back.search(marked) is not None


def _why_no_other(item: Resource, *, is_maybe_net: bool) -> str:
    if item.is_negated:
        return "refuted"
    if not item.is_current:
        return "recorded as resolved or inactive: history"
    return "it may be the neuroendocrine tumour, coded by its organ" if is_maybe_net else item.why


@once
def carcinoid_syndrome(chart: Chart) -> Fact[Presence]:
    """Whether a carcinoid syndrome is on record; it decides nothing, but asks for an echocardiogram."""
    return active_condition(chart, "carcinoid_syndrome")


@once
def carcinoid_heart_disease(chart: Chart) -> Fact[Presence]:
    """Whether carcinoid heart disease is on record: cardiology comes first (clinical.md 1.7)."""
    return active_condition(chart, "carcinoid_heart_disease")


# --- orders -----------------------------------------------------------------------------------------------------------

_SNOMED = "http://snomed.info/sct"
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
_STATES = {
    "active": OrderState.ACTIVE,
    "on-hold": OrderState.ON_HOLD,
    "draft": OrderState.DRAFT,
    "completed": OrderState.COMPLETED,
}


@once
def open_orders(chart: Chart) -> Fact[tuple[OpenOrder, ...]]:
    """The orders on record that would answer a missing criterion and are, or may still be, open.

    An order is a thing that exists, so of a part that was read whole "none" is a value and no gap. Of a part that was
    not, the orders that were seen are a value with a note.
    """
    found = chart.find(frozenset(_ORDERS) | {"order-immunohistochemistry"}, "ServiceRequest")
    items = [(item, kind) for item in (*found.usable, *found.candidates) if (kind := _kind(item)) is not None]
    open_ = [(item, kind) for item, kind in items if not _why_closed(item, kind)]
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), why) for item, kind in items if (why := _why_closed(item, kind))
    )
    blind = chart.blind("open_orders")
    if not open_ and blind is not None:
        return Fact(gap=blind, discarded=discarded)
    return Fact(
        tuple(_order(item, kind) for item, kind in open_),
        tuple(item.evidence("code") for item, _ in open_),
        discarded=discarded,
        notes=(Note("incomplete", blind.reason),) if blind is not None else (),
    )


def _why_closed(item: Resource, kind: OrderKind) -> str:
    """Why an order cannot be open; empty where it can."""
    if item.data.get("doNotPerform") is True:
        return "an order not to do it"
    is_referral = kind is OrderKind.TRANSPLANT_REFERRAL
    if is_referral and _names(item, "other") and not _names(item, "liver"):
        return "for another organ"
    return "completed" if item.data.get("status") == "completed" and not is_referral else ""


def _order(item: Resource, kind: OrderKind) -> OpenOrder:
    """An order with its state; a proposal or plan is none yet, whatever its status (FHIR R4, request-intent)."""
    meant, doubt = intent(item.data), item.why
    if not doubt and meant is Use.CANDIDATE:
        doubt = "its intent is not one that FHIR defines"
    if not doubt and kind is OrderKind.TRANSPLANT_REFERRAL and _is_for_any_organ(item):
        doubt = "its organ is not stated"
    state = OrderState.PROPOSED if meant is Use.DROP else _STATES.get(str(item.data.get("status")))
    is_clear = not doubt and state is not None
    return OpenOrder(
        kind, item.reference, item.date, state if state and is_clear else OrderState.DOUBTFUL, doubt
    )


def _is_for_any_organ(item: Resource) -> bool:
    """Whether nothing says that a referral is for the liver: the code of SNOMED CT is for any organ (terminology.md 2 j)."""
    systems = {normalise_system(coding.get("system")) for coding in codings(item.data.get("code"))}
    return systems == {_SNOMED} and not _names(item, "liver")


def _kind(item: Resource) -> OrderKind | None:
    return order_kind(item.meanings, str((item.data.get("code") or {}).get("text") or ""))


def order_kind(meanings: Collection[str], text: str) -> OrderKind | None:
    """What an order is for; a plain immunohistochemistry counts as Ki-67 where its text says so."""
    kind = next((value for name, value in _ORDERS.items() if name in meanings), None)
    return kind or (OrderKind.KI67 if re.search(r"ki.?67", text.lower()) else None)
