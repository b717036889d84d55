"""The M category of TNM: in the NET chapters of AJCC 8 and 9 its letter tells where the metastases are."""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_mappings.chart import Chart
from fhir_mappings.inputs import M_CATEGORY_CODES
from fhir_mappings.readers.histology import Tumour
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
    category: str  # "m1a", "m1b", "m1c", "m1", "m0"
    refusal: str = ""
    element: str = "valueCodeableConcept"

    @property
    def says_liver(self) -> bool:
        """Tell whether the category says that there are liver metastases."""
        return not self.refusal and self.category in ("m1a", "m1c")

    @property
    def says_extrahepatic(self) -> bool | None:
        """Whether the letter says disease outside the liver: yes, no, or nothing of it."""
        return {"m1a": False, "m1b": True, "m1c": True}.get(self.category)


_CATEGORIES = ("m1a", "m1b", "m1c", "m1", "m0")
_EDITIONS = frozenset({"tnm-ajcc8", "tnm-ajcc9"})


def m_categories(chart: Chart) -> Iterator[MCategory]:
    """The M categories on record that may be the NET's."""
    for item in chart.resources:
        if item.kind != "Observation" or item.use is Use.DROP or not item.meanings & M_CATEGORY_CODES:
            continue
        meanings = chart.meanings(item.coded_value)
        category = next((name for name in _CATEGORIES if f"tnm-{name}" in meanings), None)
        if category is not None:
            yield MCategory(item, category, _refusal(chart, item))


def _refusal(chart: Chart, item: Resource) -> str:
    """Why the letter may not be read: it means other things in other chapters, and AJCC 7 has none (terminology.md 2 d)."""
    tumour = links(chart).tumour_of_tissue(item)
    method = chart.meanings(item.data.get("method"))
    site = primary_site(chart).value
    if tumour is not Tumour.NET:
        return REFUSALS[tumour]
    if "tnm-ajcc7" in method:
        return "AJCC 7 has no letter for the M category of a NET"
    if site is None or not has_digestive_net_chapter(site.sites):
        return "the letter means this only for a NET of the digestive tract"
    if not links(chart).is_linked_to_net(item) and not method & _EDITIONS:
        return "neither a link to the NET nor the edition of TNM says how to read the letter"
    return ""
