"""What the first reading keeps of any FHIR resource: only what decides whether it matters, and whatever shape it has."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fhir_mappings.reference import encoded

_NO_WORDS = Raw(b"")
_NO_META = Raw(b"null")


class CodingNode(Struct, gc=False):
    """A Coding, or anything that stands in its place."""

    system: Any = None
    code: Any = None
    display: Raw = _NO_WORDS  # bytes: words may be in another encoding, and few are looked at


class ConceptNode(Struct, gc=False):
    """A CodeableConcept, or anything that stands in its place."""

    text: Raw = _NO_WORDS
    code: Any = None  # of a Coding that stands in its place

    coding: (
        list[CodingNode | list[Any] | str | float | bool | None] | CodingNode | str | float | bool | None
    ) = None


Concept = ConceptNode | list[Any] | str | float | bool | None


class ReferenceNode(Struct, gc=False):
    """A Reference, or anything that stands in its place."""

    reference: Any = None


class ExtensionNode(Struct, gc=False):
    """An Extension that may hold a concept (mCODE puts the histology there)."""

    valueCodeableConcept: Concept = None  # noqa: N815  FHIR's own name


class StageNode(Struct, gc=False):
    """Condition.stage: the stage may say where the metastases are."""

    summary: Concept = None


class PartNode(Struct, gc=False):
    """Observation.component: its code may ask what the observation itself does not."""

    code: Concept = None


class SearchNode(Struct, gc=False):
    """Bundle.entry.search."""

    mode: Any = None


class LinkNode(Struct, gc=False):
    """Bundle.link, or Patient.link: to another record of the same person."""

    relation: Any = None
    url: Any = None
    other: Any = None
    type: Any = None


class EntryNode(Struct, gc=False):
    """Bundle.entry; `resource` may be missing, as in a DELETE."""

    search: SearchNode | list[Any] | str | float | bool | None = None
    request: Any = None  # of a transaction or batch; DELETE and GET bring no resource
    response: Any = None  # to one; the answer to a write may bring no resource
    fullUrl: Any = None  # noqa: N815  FHIR's own name
    resource: Node | list[Any] | str | float | bool | None = None


class IssueNode(Struct, gc=False):
    """OperationOutcome.issue."""

    severity: Any = None
    code: Any = None
    details: Any = None
    diagnostics: Any = None


class Node(Struct, gc=False):
    """What the first reading keeps of any FHIR resource; every member tolerates any JSON value."""

    resourceType: Any = None  # noqa: N815  FHIR's own name
    id: Any = None
    code: Concept = None
    extension: (
        list[ExtensionNode | list[Any] | str | float | bool | None]
        | ExtensionNode
        | str
        | float
        | bool
        | None
    ) = None
    stage: list[StageNode | list[Any] | str | float | bool | None] | StageNode | str | float | bool | None = (
        None
    )
    conclusionCode: (  # noqa: N815  FHIR's own name
        list[ConceptNode | list[Any] | str | float | bool | None] | ConceptNode | str | float | bool | None
    ) = None
    component: (
        list[PartNode | list[Any] | str | float | bool | None] | PartNode | str | float | bool | None
    ) = None
    contained: Raw = _NO_WORDS  # bytes: few resources contain any, and only those of a report are looked at
    subject: ReferenceNode | list[Any] | str | float | bool | None = None
    patient: ReferenceNode | list[Any] | str | float | bool | None = None
    entry: list[EntryNode | list[Any] | str | float | bool | None] | EntryNode | str | float | bool | None = (
        None
    )
    link: list[LinkNode | list[Any] | str | float | bool | None] | LinkNode | str | float | bool | None = None
    total: Any = None  # of a Bundle of search results
    meta: Raw = _NO_META  # bytes: most of it is never looked at
    birthDate: Any = None  # noqa: N815  FHIR's own name
    deceasedBoolean: Any = None  # noqa: N815  FHIR's own name
    deceasedDateTime: Any = None  # noqa: N815  FHIR's own name
    deceased_unknown_when: Any = msgspec.field(default=None, name="_deceasedDateTime")
    issue: list[IssueNode | list[Any] | str | float | bool | None] | IssueNode | str | float | bool | None = (
        None
    )


PrefetchValue = Node | list[Any] | str | float | bool | None


class Entry(Struct, frozen=True, gc=False):
    """One resource of the record: what the first reading kept, where it came from, and how to get its bytes."""

    node: Node
    place: tuple[str, int]
    full_url: str | None = None

    @property
    def type(self) -> str:
        """The resource type as written, or an empty text."""
        kind = self.node.resourceType
        return kind if type(kind) is str else ""

    @property
    def reference(self) -> str:
        """`Type/id`; a resource without an id is named by its place in the record."""
        name = self.node.id
        if type(name) is not str or not name:
            return f"{self.type}/(no id, no. {self.place[1] + 1})"
        return f"{self.type}/{encoded(name)}"
