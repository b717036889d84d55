"""Cards: their limits, their words, and that nothing of a record becomes markup in them."""

import re
from dataclasses import replace
from html import unescape
from importlib.resources import files
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.eligibility.verdict import Answer, Flag, Verdict
from cds_service.hooks.cards import CARDS, OVERRIDE_REASONS, cards
from cds_service.hooks.detail import ANSWERS, FLAGS, MARKS, detail
from cds_service.hooks.occasions import Manner
from cds_service.hooks.text import one_line, shorten
from tests.hooks.assessments import RULES, TENANT, WITH_CARD, assessment, criterion, facts
from tests.hooks.calls import HOOK_INSTANCE, empty_members, schema
from tests.hooks.test_text import ANYTHING, HOSTILE, tags

GFM = MarkdownIt("gfm-like", {"html": True})
FORBIDDEN = re.compile(r"eligible for transplant|contraindicat", re.IGNORECASE)


def card(
    verdict: Verdict = Verdict.OUTSIDE, text: str = "Ki-67 12 % (limit < 10 %)", **changes: Any
) -> dict[str, Any]:
    (made,) = cards(
        assessment(verdict, text, **changes), facts(), RULES, hook_instance=HOOK_INSTANCE, tenant=TENANT
    )
    read: dict[str, Any] = orjson.loads(orjson.dumps(made))
    return read


def test_every_verdict_with_a_card_has_a_function_and_a_template_of_its_name() -> None:
    assert set(CARDS) == set(WITH_CARD)
    names = {entry.name for entry in (files("cds_service") / "templates" / "cards").iterdir()}
    assert {name for name in names if not name.startswith("_")} == {
        f"{verdict.value}.md" for verdict in CARDS
    }
    assert all(function.__name__ == verdict.value.replace("-", "_") for verdict, function in CARDS.items())


def test_every_answer_and_flag_has_a_word() -> None:
    assert set(ANSWERS) == set(MARKS) == set(Answer)
    assert set(FLAGS) == set(Flag)


def test_a_patient_whom_the_criteria_do_not_concern_gets_no_card() -> None:
    assert (
        cards(assessment(Verdict.NOT_APPLICABLE), facts(), RULES, hook_instance=HOOK_INSTANCE, tenant=TENANT)
        == []
    )


@pytest.mark.parametrize("verdict", WITH_CARD)
def test_each_card_has_the_official_shape(verdict: Verdict) -> None:
    made = card(verdict)
    schema("response").validate({"cards": [made]})
    assert made["indicator"] == "info"
    assert list(empty_members({name: made[name] for name in made if name != "extension"})) == []
    assert "actionSelectionBehavior" not in str(made)


@pytest.mark.parametrize(
    ("verdict", "headline", "summary"),
    [
        (
            Verdict.MEETS,
            "all met",
            "Meets recorded Milan-NET criteria: consider referral for liver-transplant evaluation",
        ),
        (
            Verdict.OUTSIDE,
            "Ki-67 12 % (limit < 10 %)",
            "Outside Milan-NET criteria: Ki-67 12 % (limit < 10 %)",
        ),
        (
            Verdict.NOT_YET,
            "stability reaches 6 months on 2027-01-01",
            "Not yet: stability reaches 6 months on 2027-01-01",
        ),
        (Verdict.INCOMPLETE, "2 of 8 criteria lack data", "Possible candidate: 2 of 8 criteria lack data"),
        (
            Verdict.BORDERLINE,
            "age 61",
            "Borderline for Milan-NET criteria: age 61: individual discussion",
        ),
        (Verdict.RESECTION_FIRST, "R0 feasible", "Resection first: R0 feasible"),
    ],
)
def test_the_summary_carries_the_answer(verdict: Verdict, headline: str, summary: str) -> None:
    assert card(verdict, headline)["summary"] == summary


@pytest.mark.parametrize("verdict", WITH_CARD)
@pytest.mark.parametrize("text", ["x" * 500, "😀" * 300, *HOSTILE])
def test_the_summary_is_plain_short_and_one_line(verdict: Verdict, text: str) -> None:
    summary = card(verdict, text)["summary"]
    assert 1 <= len(summary.encode("utf-16-le")) // 2 <= 139
    assert not re.search(r"[\n\r`*\[\]]|<[A-Za-z/!?]", summary)


@pytest.mark.parametrize("verdict", WITH_CARD)
def test_no_card_decides_in_place_of_a_clinician(verdict: Verdict) -> None:
    made = card(verdict)
    assert not FORBIDDEN.search(made["summary"] + made["detail"])
    assert "supports, and does not replace, clinical judgement" in made["detail"]
    assert "not OPTN or NHSBT listing policy" in made["detail"]


@pytest.mark.parametrize("verdict", WITH_CARD)
def test_the_detail_shows_all_that_a_clinician_needs_to_check_it(verdict: Verdict) -> None:
    shown = unescape(re.sub(r"<[^>]*>", "", GFM.render(card(verdict)["detail"])))
    for part in (
        *("✓ met", "✗ not met", "? unknown", "borderline, not sent", "2026-10-20", "< 10 %"),
        *("What would answer it: Ask for", "What could change it: Ask for", "Observation/ki67"),
        *("older than", "Condition/broken", "Condition/bent", "2027-01-01", "2042-05-04", "2027-04-20"),
        *("OPTN", "all criteria together: meets", "PRRT", "multidisciplinary", "10-year survival", "adults"),
        *(RULES.version, RULES.title, "2026-11-23"),
    ):
        assert (part in shown) is (part != "all criteria together: meets" or verdict is not Verdict.MEETS), (
            part
        )


def test_a_bare_assessment_has_no_empty_sections() -> None:
    bare = assessment(
        Verdict.MEETS,
        criteria=(criterion(Answer.MET, stale_on=None, discarded=(), flags=(), value=None, dated=None),),
        considerations=(),
        caveats=(),
        resolves_on=None,
        ages_out_on=None,
        warnings=(),
        differences=(),
        other_verdicts=(),
        issues=(),
        mendings=(),
    )
    headings = re.findall(r"^#### (.*)$", detail(bare, RULES), re.MULTILINE)
    assert headings == ["Criteria", "What this rests on", "Evidence", "Alternatives to discuss"]


def test_a_warning_stands_under_note_and_not_among_the_dates() -> None:
    text = detail(assessment(Verdict.MEETS, warnings=("The transplant status could not be read.",)), RULES)
    notes = text.partition("#### Note")[2].partition("####")[0]
    assert "The transplant status could not be read" in notes
    assert text.count("The transplant status could not be read") == 1


AUTHORED = tags(GFM.render(detail(assessment(text="x"), RULES)))


@settings(max_examples=60, deadline=None)
@given(text=ANYTHING.filter(lambda text: one_line(text).strip(" .") != ""))
def test_no_text_of_a_record_becomes_markup_and_every_one_is_shown(text: str) -> None:
    html = GFM.render(detail(assessment(text=text), RULES))
    assert tags(html) == AUTHORED
    quoted = [unescape(found) for found in re.findall(r"<td>(.*?)</td>", html, re.DOTALL)]
    assert shorten(one_line(text), 120) in quoted


@given(text=st.sampled_from(HOSTILE), verdict=st.sampled_from(WITH_CARD))
def test_in_no_card(text: str, verdict: Verdict) -> None:
    assert tags(GFM.render(detail(assessment(verdict, text), RULES))) == tags(
        GFM.render(detail(assessment(verdict, "x"), RULES))
    )


def test_the_reasons_to_override_are_those_of_the_clinical_reference() -> None:
    assert len(OVERRIDE_REASONS) == 6
    assert all(set(reason) == {"code", "system", "display"} for reason in OVERRIDE_REASONS)


def test_there_are_no_links_for_now() -> None:
    assert "links" not in card()


def test_the_source_is_the_guideline_and_its_topic_is_static_and_alphanumeric() -> None:
    for verdict in WITH_CARD:
        source = card(verdict)["source"]
        assert source["url"] == "https://doi.org/10.1111/ajt.13831"
        assert re.fullmatch(r"[A-Za-z0-9]{1,100}", source["topic"]["code"])
        assert source["topic"] == card(verdict, "other patient")["source"]["topic"]


def test_cards_on_two_topics_are_told_apart_when_a_client_uses_a_hook_instance_twice() -> None:
    """Else the feedback on one would keep the other away."""
    treatment, imaging = (
        cards(
            assessment(Verdict.MEETS),
            facts(),
            RULES,
            hook_instance=HOOK_INSTANCE,
            tenant=TENANT,
            how=Manner(topic=topic),
        )[0]["uuid"]
        for topic in ("treatment-order", "imaging-order")
    )
    assert treatment != imaging


def test_uuids_are_lower_case_unique_and_the_same_for_the_same_call() -> None:
    made = card(Verdict.MEETS)
    uuids = [made["uuid"], *(item["uuid"] for item in made["suggestions"])]
    assert len(set(uuids)) == len(uuids)
    assert all(str(UUID(uuid)) == uuid for uuid in uuids)
    assert card(Verdict.MEETS) == made
    assert card(Verdict.MEETS, "something else")["uuid"] != made["uuid"]
    (other,) = cards(
        assessment(Verdict.MEETS),
        facts(),
        RULES,
        hook_instance=HOOK_INSTANCE.replace("d", "e"),
        tenant=TENANT,
    )
    assert other["uuid"] != made["uuid"]


def test_a_card_without_orders_has_no_suggestions() -> None:
    made = card(orders=())
    assert "suggestions" not in made
    assert "selectionBehavior" not in made


def test_another_rule_set_is_called_by_its_own_name() -> None:
    other = replace(assessment(Verdict.MEETS), policy="optn-nlrb-net", policy_title="OPTN")
    (made,) = cards(other, facts(), RULES, hook_instance=HOOK_INSTANCE, tenant=TENANT)
    assert made["summary"].startswith("Meets recorded OPTN criteria")
