"""Which Conditions are the primary NET, a metastasis or another malignancy, and the sites that they name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Discarded, Fact, Gap, GapKind, Presence
from fhir_mappings.inputs import METASTATIC_NET, NET_HISTOLOGY, UNSITED_METASTASIS
from fhir_mappings.readers.histology import coding_meanings, extensions, named_tumours
from fhir_mappings.relevance import OTHER_MALIGNANCY
from fhir_mappings.resource import Resource, Use, codings
from fhir_mappings.site_relations import has_digestive_net_chapter, overlap

_SECONDARY = UNSITED_METASTASIS | METASTATIC_NET | {"liver-metastasis", "liver-metastasis-review"}
_RELATED_PRIMARY = "related-primary-cancer-condition"


def is_metastasis(meanings: frozenset[str]) -> bool:
    """Whether a code names a metastasis, here or there."""
    return bool(meanings & _SECONDARY) or any(
        name.startswith(("extrahepatic-", "nodes-")) for name in meanings
    )


def is_secondary(chart: Chart, condition: Resource) -> bool:
    """Whether a Condition is a metastasis: by its code, or because it points to its primary (mCODE)."""
    return is_metastasis(chart.meanings(condition.data.get("code"))) or _points_to_primary(condition)


def _points_to_primary(condition: Resource) -> bool:
    return any(str(item.get("url")).endswith(_RELATED_PRIMARY) for item in extensions(condition))


@once
def net_conditions(chart: Chart) -> list[Resource]:
    """The Conditions of the primary NET: by their own code or histology, or the one that a NET histology is linked to.

    A metastasis is never one of them, even where its histology is a NET (terminology.md 2 c).
    """
    conditions = [item for item in chart.resources if item.kind == "Condition" and item.use is not Use.DROP]
    own = [item for item in conditions if _names_primary_net(chart, item)]
    if any(not item.is_negated for item in own):
        return own
    return own + _conditions_of_net_histology(chart, conditions)


def _names_primary_net(chart: Chart, condition: Resource) -> bool:
    if _points_to_primary(condition):
        return False
    by_code = [coding_meanings(chart, coding) for coding in codings(condition.data.get("code"))]
    if any(found & NET_HISTOLOGY and not is_metastasis(found) for found in by_code):
        return True
    return bool(condition.meanings & NET_HISTOLOGY) and not is_secondary(chart, condition)


def _conditions_of_net_histology(chart: Chart, conditions: Iterable[Resource]) -> list[Resource]:
    """WHO ICD-10 has no code for a NET: the site stands in C17.x and the histology in an Observation beside it.

    Without a link, one Condition of a digestive site is taken as the NET's where no other tumour is on record.
    """
    possible = [item for item in conditions if not item.is_negated and not is_secondary(chart, item)]
    focused = [item for item in possible if item.reference in named_tumours(chart).net_focus]
    sited = [item for item in possible if _names_tumour(chart, item)]
    if (
        focused
        or len(sited) != 1
        or named_tumours(chart).has_other
        or not named_tumours(chart).has_net_histology
    ):
        return focused
    return sited if has_digestive_net_chapter(sites_of_conditions(chart, sited)) else []


def _names_tumour(chart: Chart, condition: Resource) -> bool:
    return OTHER_MALIGNANCY in condition.meanings or bool(sites_of_conditions(chart, [condition]))


def sites_in(meanings: Iterable[str]) -> frozenset[str]:
    """The organ sites among value sets, without their prefix; "unknown" is no site."""
    named = (name.removeprefix("site-") for name in meanings if name.startswith("site-"))
    return frozenset(named) - {"unknown"}


def is_active(item: Resource) -> bool:
    """Whether a Condition is neither history nor refuted."""
    return item.is_current and not item.is_negated


def active_condition(
    chart: Chart, fact: str, is_over: Callable[[Resource], bool] = lambda _: False
) -> Fact[Presence]:
    """Present where an active entry says so; that there is none nobody records in a code."""
    found = chart.find(chart.inputs[fact].value_sets, "Condition")
    active = [item for item in found.usable if is_active(item) and not is_over(item)]
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), item.why or "refuted or history")
        for item in (*found.usable, *found.candidates)
        if item not in active
    )
    if active:
        evidence = tuple(item.evidence("code") for item in active)
        return Fact(Presence.PRESENT, evidence, discarded=discarded)
    doubt = next((item for item in found.candidates if is_active(item) and not is_over(item)), None)
    gap = chart.missing(fact)
    if gap.kind is GapKind.NOT_RECORDED and doubt is not None:
        gap = Gap(GapKind.INDETERMINATE, f"{chart.inputs[fact].label}: recorded, but {doubt.why}.")
    return Fact(gap=gap, discarded=discarded)


@dataclass(frozen=True, slots=True)
class OtherMalignancies:
    """Conditions of another malignancy, and those that may as well be the NET itself, coded by its organ only."""

    others: tuple[Resource, ...]
    maybe_net: tuple[Resource, ...]


@once
def other_malignancies(chart: Chart) -> OtherMalignancies:
    """The malignancies coded beside the NET, whatever their status.

    C17.2 beside a NET of the ileum may be the same tumour, coded by its organ; so may the one Condition of an organ
    beside a NET histology that nothing links to it (terminology.md 2 a).
    """
    own = {item.reference for item in net_conditions(chart)}
    found = [
        item
        for item in chart.resources
        if item.kind == "Condition"
        and item.use is not Use.DROP
        and OTHER_MALIGNANCY in item.meanings
        and item.reference not in own
        and not item.meanings & (NET_HISTOLOGY | METASTATIC_NET | UNSITED_METASTASIS)
    ]
    net_sites = sites_of_conditions(chart, net_conditions(chart))
    is_alone = not own and len(found) == 1 and named_tumours(chart).has_net_histology
    maybe = tuple(
        item
        for item in found
        if not histology_of(chart, item)
        and (is_alone or overlap(sites_of_conditions(chart, [item]), net_sites))
    )
    return OtherMalignancies(tuple(item for item in found if item not in maybe), maybe)


def histology_of(chart: Chart, condition: Resource) -> bool:
    """Whether an extension of a Condition, or an observation that has it in focus, says what another tumour it is."""
    return named_tumours(chart).is_other(condition) or condition.reference in named_tumours(chart).other_focus


def sites_of_conditions(chart: Chart, conditions: Iterable[Resource]) -> frozenset[str]:
    """The organ sites that the codes and body sites of Conditions name."""
    return frozenset().union(
        *(
            sites_in(chart.meanings(concept))
            for item in conditions
            for concept in (item.data.get("code"), *(item.data.get("bodySite") or ()))
        )
    )
