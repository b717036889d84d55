"""Draft orders and new problems of a hook's context: what they are for, told from codes, else from their words.

They are not on the FHIR server yet, may lack ids, types and intents (cds-hooks.md 7), and no fact is read from them:
they decide whether there is an occasion to speak, and which proposals would be made twice.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fhir_mappings.facts import OrderKind
from fhir_mappings.inputs import inputs
from fhir_mappings.mending import mend
from fhir_mappings.metastasis_words import named_in
from fhir_mappings.ownership import patient_named
from fhir_mappings.readers.care import order_kind, organ_words
from fhir_mappings.relevance import all_meanings, labels
from fhir_mappings.resource import codings
from fhir_mappings.valueset import Terminology

Json = Mapping[str, Any]
Lookup = Callable[[str | None, str | None], OrderKind | None]
"""What a site orders under a code of its own."""


class DraftKind(StrEnum):
    """The draft orders on which the criteria have something to say."""

    TRANSPLANT_EVALUATION = "liver-transplant"
    LIVER_RESECTION = "liver-resection"
    LIVER_EMBOLISATION = "liver-embolisation"
    RADIONUCLIDE_THERAPY = "radionuclide-therapy"
    RECEPTOR_IMAGING = "somatostatin-receptor-imaging"


_VALUE_SETS: Final[Mapping[str, DraftKind]] = {
    "order-transplant-referral": DraftKind.TRANSPLANT_EVALUATION,
    "liver-transplant-procedure": DraftKind.TRANSPLANT_EVALUATION,
    "liver-resection": DraftKind.LIVER_RESECTION,
    "liver-embolisation": DraftKind.LIVER_EMBOLISATION,
    "imaging-somatostatin-receptor-pet": DraftKind.RECEPTOR_IMAGING,
}
_BY_ORDER: Final[Mapping[OrderKind, DraftKind]] = {
    OrderKind.TRANSPLANT_REFERRAL: DraftKind.TRANSPLANT_EVALUATION,
    OrderKind.SOMATOSTATIN_RECEPTOR_PET: DraftKind.RECEPTOR_IMAGING,
}
# Of a ServiceRequest, and of a MedicationRequest in R4 and R5; the display of a reference is its words.
_CODES = ("code", "medicationCodeableConcept", "medication", "medicationReference")
_GONE = ("cancelled", "revoked", "entered-in-error", "completed", "stopped")
_ORGAN_UNKNOWN = "order-transplant-referral"  # its code is for any organ (terminology.md 2 j)


@dataclass(frozen=True, slots=True)
class DraftedOrder:
    """One draft order: its relative reference where it has an id, and what it is for."""

    reference: str | None
    kind: DraftKind | None
    order: OrderKind | None


def drafted_orders(
    bundle: Json, patient_id: str, terminology: Terminology, own: Lookup
) -> tuple[DraftedOrder, ...]:
    """A patient's draft orders in a Bundle of a hook's context.

    What is no order, cancelled, not to be done or for another patient is left out.
    """
    return tuple(
        _drafted(resource, terminology, own)
        for resource in _resources(bundle)
        if _is_order(resource) and _owner(resource) in (None, patient_id)
    )


def names_the_tumour(bundle: Json, terminology: Terminology) -> bool:
    """Whether a Condition of a Bundle is a neuroendocrine tumour or a liver metastasis, or cannot be read and may be.

    Whose it is does not matter: a call that mixes patients up is not passed over, and its record tells.
    """
    return any(
        resource.get("resourceType") == "Condition" and _may_name_the_tumour(dict(resource), terminology)
        for resource in _resources(bundle)
    )


def _resources(bundle: Json) -> Iterator[Json]:
    """The resources of a Bundle, whatever is missing around them, the Bundle included."""
    given = bundle.get("entry", bundle)
    for entry in given if isinstance(given, list) else [given]:
        resource = entry.get("resource", entry) if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _owner(resource: Json) -> str | None:
    subject = resource.get("subject", resource.get("patient"))
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return patient_named(reference) if isinstance(reference, str) else None


def _may_name_the_tumour(condition: dict[str, Any], terminology: Terminology) -> bool:
    """Whether a Condition does once it is mended; where its code has no shape of one, it may."""
    wanted = inputs()["neuroendocrine_tumour"].value_sets | inputs()["liver_metastases"].value_sets
    mended, _ = mend(condition)
    if not isinstance(mended.get("code", {}), dict):
        return True
    if any(named.in_liver for label in labels(mended.get("code")) for named in named_in(label)):
        return True  # liver metastases in words, which patient-view would speak of, too
    try:
        return not wanted.isdisjoint(all_meanings("Condition", mended, terminology))
    except (TypeError, AttributeError):  # a code that is no text, which the record names when it is read
        return False


def _is_order(resource: Json) -> bool:
    return (
        resource.get("resourceType") in ("ServiceRequest", "MedicationRequest")
        and resource.get("status") not in _GONE
        and resource.get("doNotPerform") is not True
    )


def _drafted(resource: Json, terminology: Terminology, own: Lookup) -> DraftedOrder:
    identifier = resource.get("id")
    reference = (
        f"{resource['resourceType']}/{identifier}" if isinstance(identifier, str) and identifier else None
    )
    found = [
        (coding.get("system"), coding.get("code")) for code in _coded(resource) for coding in codings(code)
    ]
    pairs = [
        (system, code) for system, code in found if isinstance(code, str) and isinstance(system, str | None)
    ]
    meanings = frozenset().union(*(terminology.meanings(system, code) for system, code in pairs))
    text = " ".join(label for code in _coded(resource) for label in labels(code)).lower()
    order = next((kind for pair in pairs if (kind := own(*pair))), None) or order_kind(meanings, text)
    return DraftedOrder(reference, _kind(meanings, text, order), order)


def _coded(resource: Json) -> Iterator[Json]:
    """The concepts that say what an order is for, in whatever shape a draft has them."""
    for name in _CODES:
        given = resource.get(name)
        for item in given if isinstance(given, list) else [given]:
            if isinstance(item, dict):
                yield _concept(item)


def _concept(item: Json) -> Json:
    """A concept: in a CodeableReference (R5), as a lone coding, or in the words of a reference."""
    if isinstance(item.get("concept"), dict):
        item = item["concept"]
    if isinstance(item.get("code"), str) and "coding" not in item:
        return {"coding": [item], "text": item.get("text")}
    coding = item.get("coding")
    words = item.get("text", item.get("display"))
    return {"coding": [coding] if isinstance(coding, dict) else coding, "text": words}


def _kind(meanings: Collection[str], text: str, order: OrderKind | None) -> DraftKind | None:
    if "transplant-donor" in meanings or _says("not-liver-transplant", text):
        return None
    coded = next((kind for name, kind in _VALUE_SETS.items() if name in meanings), None)
    if coded is None and order is not None:
        coded = _BY_ORDER.get(order)
    if coded is not None:
        return None if _ORGAN_UNKNOWN in meanings and _is_for_another_organ(text) else coded
    return next((kind for kind in DraftKind if _says(kind.value, text)), None)


def _is_for_another_organ(text: str) -> bool:
    words = organ_words()
    return bool(words["other"].search(text)) and not words["liver"].search(text)


def _says(name: str, text: str) -> bool:
    return bool(text) and _words()[name].search(text) is not None


@cache
def _words() -> Mapping[str, re.Pattern[str]]:
    content = json.loads(
        (files("fhir_mappings") / "valuesets" / "drafted-order-keywords.json").read_text("utf-8")
    )
    return {name: re.compile("|".join(items)) for name, items in content.items() if name != "description"}
