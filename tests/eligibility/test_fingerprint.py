"""The fingerprint of an assessment: what a clinician set aside comes back when there is something new to know."""

from dataclasses import replace
from typing import Any

import pytest

from cds_service.eligibility.assessment import Assessment, Caveat
from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import policy
from fhir_mappings.facts import Discarded, Evidence, Fact, Gap, GapKind
from tests.eligibility.builders import ON, day, facts, present

BONE = Evidence("Condition/bone", "code", day("2026-11-01"), "http://snomed.info/sct|94222008")


def unknown(
    *hints: Evidence, kind: GapKind = GapKind.NOT_RECORDED, why: str = "status is provisional"
) -> Fact[Any]:
    return Fact(gap=Gap(kind, "Nothing settles it."), discarded=tuple(Discarded(hint, why) for hint in hints))


def judged(extrahepatic: Fact[Any]) -> Assessment:
    return assess(facts(extrahepatic_disease=extrahepatic), policy("milan-net-2016"), ON)


NOTHING = judged(unknown()).fingerprint


@pytest.mark.parametrize(
    "fact",
    [
        unknown(BONE),
        unknown(replace(BONE, code=None, value="Bone metastases in L2.")),
        unknown(kind=GapKind.UNREADABLE),
        unknown(kind=GapKind.CONFLICTING),
    ],
)
def test_a_new_hint_of_the_worst_is_something_new(fact: Fact[Any]) -> None:
    assert judged(fact).fingerprint != NOTHING


def test_the_same_hint_from_another_resource_or_twice_is_nothing_new() -> None:
    once = judged(unknown(BONE)).fingerprint
    again = replace(BONE, reference="Condition/other")
    assert judged(unknown(again)).fingerprint == once
    assert judged(unknown(BONE, again)).fingerprint == once
    assert judged(unknown(replace(BONE, date=day("2026-11-02")))).fingerprint != once


def test_what_was_set_aside_beside_a_known_answer_is_nothing_new() -> None:
    certain = present()
    beside = replace(certain, discarded=(Discarded(BONE, "replaced by a newer version"),))
    assert judged(beside).fingerprint == judged(certain).fingerprint


def test_a_caveat_is_something_new() -> None:
    found = judged(unknown())
    assert replace(found, caveats=(Caveat("hereditary-syndrome", "MEN 1"),)).fingerprint != NOTHING
