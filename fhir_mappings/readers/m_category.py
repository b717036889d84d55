"""The M category of TNM: in the NET chapters of AJCC 8 and 9 its letter tells where the metastases are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Evidence
from fhir_mappings.inputs import M_CATEGORY_CODES
from fhir_mappings.readers.conditions import net_conditions, other_malignancies
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.presence import UNKNOWN_ANSWER, is_unknown_answer
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.resource import Resource, Use
from fhir_mappings.site_relations import has_digestive_net_chapter


@dataclass(frozen=True, slots=True)
class MCategory:
    """One M category, whose letter tells liver from other sites where the letter may be read.

    `refusal` says why it may not: then a letter proves nothing, but "M1b" may still mean disease outside the liver.
    """

    resource: Resource
    category: str  # "m1a", "m1b", "m1c", "m1", "m0"; "" where the code is not known here, with a doubt
    refusal: str = ""
    element: str = "valueCodeableConcept"
    doubt: str = ""

    @property
    def evidence(self) -> Evidence:
        """Where the category stands, as written."""
        if not self.is_of_stage:
            return self.resource.value_evidence()
        return self.resource.evidence(self.element, self.category.upper())

    @property
    def is_of_stage(self) -> bool:
        """Tell whether it stands in a Condition's stage, which has no day: it can say "there", and never "not"."""
        return self.resource.kind == "Condition"

    @property
    def says_liver(self) -> bool:
        """Tell whether the category says that there are liver metastases."""
        return not self.refusal and self.category in ("m1a", "m1c")

    @property
    def says_extrahepatic(self) -> bool | None:
        """Whether the letter says disease outside the liver: yes, no, or nothing of it."""
        return {"m1a": False, "m1b": True, "m1c": True, "": True}.get(self.category)


_CATEGORIES = ("m1a", "m1b", "m1c", "m1", "m0")
_EDITIONS = frozenset({"tnm-ajcc8", "tnm-ajcc9"})


def m_categories(chart: Chart) -> Iterator[MCategory]:
    """The M categories on record that may be the NET's."""
    for item in chart.resources:
        if item.kind == "Condition" and item.use is not Use.DROP:
            yield from _stages(chart, item)
        if item.kind != "Observation" or item.use is Use.DROP or not item.meanings & M_CATEGORY_CODES:
            continue
        if (category := _category(chart, item.coded_value)) is not None:
            yield MCategory(item, category, _refusal(chart, item))
        elif is_unknown_answer(chart, item.coded_value):
            yield MCategory(item, "", _refusal(chart, item), doubt=UNKNOWN_ANSWER)


def _category(chart: Chart, concept: object) -> str | None:
    meanings = chart.meanings(concept)
    return next((name for name in _CATEGORIES if f"tnm-{name}" in meanings), None)


def _stages(chart: Chart, condition: Resource) -> Iterator[MCategory]:
    """The categories of a Condition's stages; a stage speaks of its Condition, and of no day."""
    for index, stage in enumerate(condition.data.get("stage") or ()):
        if (category := _category(chart, stage.get("summary"))) is not None:
            refusal = _refusal_of_stage(chart, condition, chart.meanings(stage.get("type")))
            undated = replace(condition, date=None)
            yield MCategory(undated, category, refusal, f"stage[{index}].summary")


def _refusal_of_stage(chart: Chart, condition: Resource, edition: frozenset[str]) -> str:
    """Why the letter of a stage may not be read: the Condition has to be the NET itself."""
    if condition.is_negated or not condition.is_current:
        return "the stage of a Condition that is refuted or over"
    if condition in other_malignancies(chart).others:
        return REFUSALS[Tumour.OTHER]
    if condition not in net_conditions(chart):
        return REFUSALS[Tumour.UNTOLD]
    return _refusal_by_chapter(chart, edition)


def _refusal(chart: Chart, item: Resource) -> str:
    """Why the letter may not be read: it means other things in other chapters, and AJCC 7 has none (terminology.md 2 d)."""
    tumour = links(chart).tumour_of_tissue(item)
    method = chart.meanings(item.data.get("method"))
    if tumour is not Tumour.NET:
        return REFUSALS[tumour]
    if refusal := _refusal_by_chapter(chart, method):
        return refusal
    if not links(chart).is_linked_to_net(item) and not method & _EDITIONS:
        return "neither a link to the NET nor the edition of TNM says how to read the letter"
    return ""


def _refusal_by_chapter(chart: Chart, edition: frozenset[str]) -> str:
    site = primary_site(chart).value
    if "tnm-ajcc7" in edition:
        return "AJCC 7 has no letter for the M category of a NET"
    if site is None or not has_digestive_net_chapter(site.sites):
        return "the letter means this only for a NET of the digestive tract"
    return ""
