"""Whose resource is it? A record holds what was sent for a patient, and that may still be another's."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fhir_mappings.bundle import listed
from fhir_mappings.nodes import Entry, LinkNode, Node, ReferenceNode
from fhir_mappings.reference import server_of

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


def links_of_patients(entries: Iterable[Entry], urls: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The ids that are one person's, by each of them: every type of `Patient.link` says so, in both directions."""
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        if entry.node.resourceType == "Patient" and entry.node.link is not None:
            one = owner_of(entry, urls)
            for other in _linked(entry.node, urls):
                if one is not None and other != one:
                    found[one] = found.get(one, frozenset()) | {other}
                    found[other] = found.get(other, frozenset()) | {one}
    return found


def is_replaced(patient: Node) -> bool:
    """Whether a Patient was merged into another one, and must no longer be used."""
    return any(isinstance(link, LinkNode) and link.type == "replaced-by" for link in listed(patient.link))


def _linked(patient: Node, urls: Mapping[str, str]) -> Iterator[str]:
    for link in listed(patient.link):
        other = link.other if isinstance(link, LinkNode) else None
        text = other.get("reference") if isinstance(other, Mapping) else None
        name = (urls.get(text) or patient_named(text)) if isinstance(text, str) else None
        if name:
            yield name


def names_elsewhere(text: str | None, urls: Mapping[str, str], server: str) -> bool:
    """Whether a reference names a patient of another server than the one that is known; a Patient that came is known."""
    return bool(server and text and text not in urls) and server_of(text) not in ("", server)


_THINGS = frozenset({"Patient", "RelatedPerson", "Person", "Practitioner", "PractitionerRole", "Group"})
_THINGS |= {"Device", "Location", "Organization", "Substance"}


def is_about_another(focus: object, own: str, urls: Mapping[str, str]) -> bool:
    """Whether an Observation has its focus on another person or thing than the patient `own`, as a donor or a fetus."""
    for item in listed(focus):
        given = item if isinstance(item, Mapping) else {}
        text = given.get("reference")
        reference = text.strip() if isinstance(text, str) else ""
        if (urls.get(reference) or patient_named(reference)) == own:
            continue
        kind = reference.split("/_history/")[0].rpartition("/")[0].rpartition("/")[2] or given.get("type")
        if kind in _THINGS or reference in urls:
            return True
    return False


def patient_named(reference: str) -> str | None:
    """The id of the patient that a literal reference names, relative or absolute, versioned or not."""
    found = _LAST_TWO.search(reference)
    return found.group(1) if found else None


def by_patient(entries: Sequence[Entry], urls: Mapping[str, str]) -> dict[str, list[Entry]]:
    """The resources of a file by patient. What names nobody belongs to the one patient there is.

    Among several patients it may be any one's: each record has it, and `PatientRecord.doubt_of` says so. What is
    linked to a patient is also that patient's.
    """
    groups: dict[str, list[Entry]] = {}
    ownerless: list[Entry] = []
    for entry in entries:
        owner = owner_of(entry, urls)
        (ownerless if owner is None else groups.setdefault(owner, [])).append(entry)
    if len(groups) == 1:
        return {owner: list(entries) for owner in groups}
    linked = links_of_patients(entries, urls)
    adrift = [entry for entry in ownerless if entry.type in _OF_PATIENTS]
    whole = {
        owner: [*mine, *(item for other in linked.get(owner, ()) for item in groups.get(other, ())), *adrift]
        for owner, mine in groups.items()
    }
    present = {entry.node.id for entry in entries if entry.type == "Patient"}
    found = {owner: mine for owner, mine in whole.items() if owner in present or owner not in linked}
    return found if len(found) > 1 else {owner: list(entries) for owner in found}


_OF_PATIENTS = frozenset({"Condition", "Observation", "Procedure", "DiagnosticReport", "ServiceRequest"})
