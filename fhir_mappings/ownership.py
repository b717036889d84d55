"""Whose resource is it? A record holds what was sent for a patient, and that may still be another's."""

import re
from collections.abc import Iterable, Mapping, Sequence

from fhir_mappings.nodes import Entry, Node, ReferenceNode

_LAST_TWO = re.compile(r"(?:^|/)Patient/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?$")


def subject_of(node: Node) -> str | None:
    """The reference to the patient as written: None without a subject, empty where it is no literal reference."""
    holder = node.subject if node.subject is not None else node.patient
    if holder is None:
        return None
    if isinstance(holder, list) and len(holder) == 1 and isinstance(holder[0], Mapping):
        holder = ReferenceNode(holder[0].get("reference"))
    text = holder.reference if isinstance(holder, ReferenceNode) else holder
    return text.strip() if isinstance(text, str) else ""


def urls_of_patients(entries: Iterable[Entry]) -> dict[str, str]:
    """The ids of the Patients of a Bundle by their fullUrl (`urn:uuid:...`)."""
    patients = (entry for entry in entries if entry.node.resourceType == "Patient")
    return {
        entry.full_url: entry.node.id
        for entry in patients
        if entry.full_url and isinstance(entry.node.id, str)
    }


def owner_of(entry: Entry, urls: Mapping[str, str]) -> str | None:
    """The id of the patient a resource belongs to; None where it does not say, or not in a form that can be read."""
    if entry.node.resourceType == "Patient":
        return entry.node.id if isinstance(entry.node.id, str) else None
    text = subject_of(entry.node)
    if not text:
        return None
    if text in urls or text.startswith("urn:uuid:"):
        return urls.get(text, text.removeprefix("urn:uuid:"))
    return patient_named(text)


def patient_named(reference: str) -> str | None:
    """The id of the patient that a literal reference names, relative or absolute, versioned or not."""
    found = _LAST_TWO.search(reference)
    return found.group(1) if found else None


def by_patient(entries: Sequence[Entry], urls: Mapping[str, str]) -> dict[str, list[Entry]]:
    """The resources of a file by patient. What names nobody belongs to the one patient there is, else to nobody."""
    groups: dict[str, list[Entry]] = {}
    ownerless: list[Entry] = []
    for entry in entries:
        owner = owner_of(entry, urls)
        (ownerless if owner is None else groups.setdefault(owner, [])).append(entry)
    if len(groups) == 1:
        return {owner: list(entries) for owner in groups}
    return groups
