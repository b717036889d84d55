"""What stands beside the criteria: a discussion first, a caveat that changes no answer, and nothing that vanishes."""

from typing import Any

import pytest

from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import policies, policy
from fhir_mappings.facts import EndOfLifeCare, Facts, GapKind, Issue, Presence
from tests.eligibility.builders import ON, facts, gap, ki67, known

MILAN = policy("milan-net-2016")
RECORDED: dict[str, Any] = {
    "carcinoid_heart_disease": Presence.PRESENT,
    "end_of_life_care": EndOfLifeCare.PALLIATIVE,
    "transplant_refusal": Presence.PRESENT,
    "pregnancy": Presence.PRESENT,
}
CAVEATS = ("hereditary_syndrome", "general_comorbidity")


def judged(chart: Facts) -> Any:
    return assess(chart, MILAN, ON, policies())


def ids(found: Any) -> list[str]:
    return [item.id.replace("-", "_") for item in found]


@pytest.mark.parametrize(("name", "value"), RECORDED.items())
def test_it_forbids_a_plain_referral_under_every_rule_set(name: str, value: Any) -> None:
    found = judged(facts(**{name: known(value, "Condition/x")}))
    assert (found.verdict, ids(found.considerations)) == ("borderline", [name])
    assert found.headline == found.considerations[0].reason
    assert [item.reference for item in found.considerations[0].evidence] == ["Condition/x"]
    assert "transplant-referral" not in found.orders
    assert dict(found.other_verdicts) == {"milan-net-2007": "borderline", "optn-nlrb-net": "borderline"}


@pytest.mark.parametrize("name", RECORDED)
def test_it_changes_no_criterion_and_no_verdict_that_is_worse(name: str) -> None:
    with_it = judged(facts(ki67_percent=ki67("12"), **{name: known(RECORDED[name])}))
    without = judged(facts(ki67_percent=ki67("12")))
    assert (with_it.verdict, with_it.headline, with_it.criteria) == (
        without.verdict,
        without.headline,
        without.criteria,
    )
    assert ids(with_it.considerations) == [name]


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (GapKind.INDETERMINATE, "borderline"),
        (GapKind.NOT_RECORDED, "meets"),
        (GapKind.NOT_SENT, "meets"),  # and a warning
    ],
)
def test_an_entry_in_doubt_asks_for_a_discussion_too(name: str, kind: GapKind, verdict: str) -> None:
    found = judged(facts(**{name: gap(kind, "It is in doubt.")}))
    assert found.verdict == verdict
    assert ids(found.considerations) == [name] * (verdict == "borderline")
    assert ("It is in doubt." in found.warnings) is (kind is GapKind.NOT_SENT)


@pytest.mark.parametrize("name", RECORDED)
def test_an_unreadable_entry_that_speaks_of_it_is_a_doubt(name: str) -> None:
    chart = facts(
        **{name: gap(GapKind.UNREADABLE, "It could not be read.")},
        issues=(Issue("Condition/x", "no code", (name,)),),
    )
    found = judged(chart)
    assert (found.verdict, ids(found.considerations)) == ("borderline", [name])
    assert "It could not be read." in found.warnings


def test_all_of_them_stand_on_one_card_in_one_order() -> None:
    found = judged(facts(**{name: known(value) for name, value in reversed(RECORDED.items())}))
    assert ids(found.considerations) == list(RECORDED)


@pytest.mark.parametrize("name", CAVEATS)
@pytest.mark.parametrize("fact", [known(Presence.PRESENT, "Condition/x"), gap(GapKind.INDETERMINATE)])
def test_a_caveat_is_said_and_changes_nothing_else(name: str, fact: Any) -> None:
    found, bare = judged(facts(**{name: fact})), judged(facts())
    assert (ids(found.caveats), ids(bare.caveats)) == ([name], [])
    for part in ("verdict", "headline", "criteria", "considerations", "orders", "warnings", "other_verdicts"):
        assert getattr(found, part) == getattr(bare, part), part
    assert [item.reference for item in found.caveats[0].evidence] == [
        item.reference for item in fact.evidence
    ]


@pytest.mark.parametrize("name", CAVEATS)
@pytest.mark.parametrize("kind", [GapKind.NOT_RECORDED, GapKind.NOT_SENT])
def test_no_caveat_is_invented(name: str, kind: GapKind) -> None:
    assert judged(facts(**{name: gap(kind)})).caveats == ()


@pytest.mark.parametrize(
    ("care", "name"), [(EndOfLifeCare.HOSPICE, "hospice"), (EndOfLifeCare.PALLIATIVE, None)]
)
def test_only_hospice_care_keeps_the_criteria_from_being_asked(care: EndOfLifeCare, name: str | None) -> None:
    assert judged(facts(end_of_life_care=known(care))).gate == name
