"""The M category of TNM: in the NET chapters of AJCC 8 and 9 its letter tells where the metastases are."""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_mappings.chart import Chart
from fhir_mappings.inputs import M_CATEGORY_CODES
from fhir_mappings.readers.histology import links
from fhir_mappings.resource import Resource, Use


@dataclass(frozen=True, slots=True)
class MCategory:
    """One M category that speaks of the NET: M1a is liver only, M1b outside the liver only, M1c both."""

    resource: Resource
    category: str  # "m1a", "m1b", "m1c", "m1", "m0"
    element: str = "valueCodeableConcept"

    @property
    def says_liver(self) -> bool:
        """Tell whether the category says that there are liver metastases."""
        return self.category in ("m1a", "m1c")

    @property
    def says_extrahepatic(self) -> bool | None:
        """Whether the category says disease outside the liver: yes, no, or nothing of it."""
        return {"m1a": False, "m1b": True, "m1c": True}.get(self.category)


_CATEGORIES = ("m1a", "m1b", "m1c", "m1", "m0")


def m_categories(chart: Chart) -> Iterator[MCategory]:
    """The M categories that may be read with the NET chapter.

    The letters mean other things in other chapters, so only a category that is linked to the NET counts, or any where no
    other tumour is on record; AJCC 7 knows no letters (terminology.md 2 d).
    """
    for item in chart.resources:
        if item.kind != "Observation" or item.use is Use.DROP or not item.meanings & M_CATEGORY_CODES:
            continue
        if not links(chart).speaks_of_net(item) or "tnm-ajcc7" in chart.meanings(item.data.get("method")):
            continue
        meanings = chart.meanings(item.data.get("valueCodeableConcept"))
        category = next((name for name in _CATEGORIES if f"tnm-{name}" in meanings), None)
        if category is not None:
            yield MCategory(item, category)
