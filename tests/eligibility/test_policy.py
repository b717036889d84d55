"""A policy is cited data, and one that is not is refused."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from cds_service.eligibility.criteria import CRITERIA
from cds_service.eligibility.policy import (
    DEFAULT_POLICY,
    PARAMETERS,
    Policy,
    PolicyError,
    Verification,
    parse_policy,
    policies,
    policy,
)
from fhir_mappings.facts import PortalClass

MILAN_2016 = (files("cds_service.eligibility") / "policies" / "milan-net-2016.json").read_text(
    encoding="utf-8"
)
EVERY = pytest.mark.parametrize("item", policies(), ids=lambda item: item.id)


def broken(criterion: str, change: dict[str, Any], drop: str | None = None) -> str:
    """The text of milan-net-2016 with one rule changed."""
    document = json.loads(MILAN_2016)
    rule = next(item for item in document["rules"] if item["criterion"] == criterion)
    rule.update(change)
    if drop:
        del rule[drop]
    return json.dumps(document)


def test_the_default_policy_comes_first():
    assert [item.id for item in policies()] == [DEFAULT_POLICY, "milan-net-2007", "optn-nlrb-net"]


def test_policies_are_read_once():
    assert policy(DEFAULT_POLICY) is policy(DEFAULT_POLICY) is policies()[0]


def test_an_unknown_policy_is_answered_with_the_known_ones():
    with pytest.raises(PolicyError, match=r"'milan-hcc'.*milan-net-2016, milan-net-2007, optn-nlrb-net"):
        policy("milan-hcc")


def test_a_policy_error_is_a_value_error():
    assert issubclass(PolicyError, ValueError)


def test_every_criterion_has_a_function_and_the_names_of_its_parameters():
    assert list(CRITERIA) == list(PARAMETERS)


@EVERY
def test_every_criterion_is_either_asked_or_said_to_be_left_out(item: Policy):
    assert [rule.criterion for rule in item.rules] == [
        name for name in PARAMETERS if name not in {exempt.criterion for exempt in item.exemptions}
    ]


@EVERY
def test_every_policy_says_that_it_is_no_listing_policy_and_gives_outcomes_with_their_limits(item: Policy):
    assert re.search(r"not listing|not the OPTN policy", item.status)
    assert all(
        word in item.evidence for word in ("non-randomised", "89 %", "22 %", "15 years younger", "52-58 %")
    )


@EVERY
def test_every_rule_says_how_far_its_citation_was_checked(item: Policy):
    cited = [rule.citation for rule in item.rules] + [exempt.citation for exempt in item.exemptions]
    cited += [override.citation for rule in item.rules for override in rule.overrides.values()]
    assert all(citation.text and citation.verification in Verification for citation in cited)


def test_what_was_only_remembered_is_not_called_verified():
    assert {rule.citation.verification for rule in policy("optn-nlrb-net").rules} == {
        Verification.FROM_MEMORY
    }


def test_the_policy_of_2007_has_no_ki67_number_and_says_so():
    item = policy("milan-net-2007")
    assert [exempt.criterion for exempt in item.exemptions] == ["ki-67"]
    with pytest.raises(KeyError, match="ki-67"):
        item.rule("ki-67")


@EVERY
def test_only_the_rule_of_the_portal_drainage_carries_site_overrides(item: Policy):
    assert {rule.criterion for rule in item.rules if rule.overrides} == {"portal-drainage"}


NATURES = {
    "differentiation": "permanent",
    "ki-67": "permanent",
    "portal-drainage": "permanent",
    "primary-resected": "actionable",
    "no-extrahepatic-disease": "permanent",
    "liver-involvement": "permanent",
    "stability": "time-resolving",
    "age": "relative",
    "unresectable": "actionable",
}


@EVERY
def test_how_a_criterion_can_change_is_the_same_in_every_policy(item: Policy):
    assert {rule.criterion: rule.nature.value for rule in item.rules} == {
        rule.criterion: NATURES[rule.criterion] for rule in item.rules
    }


def test_the_policies_class_the_debatable_sites_as_their_texts_do():
    classes = {
        item.id: {site: found.portal_class for site, found in item.rule("portal-drainage").overrides.items()}
        for item in policies()
    }
    assert (
        classes["milan-net-2016"]
        == classes["milan-net-2007"]
        == {
            "ampulla": PortalClass.PORTAL,
            "rectum": PortalClass.NOT_PORTAL,
            "stomach": PortalClass.REVIEW,
            "rectosigmoid": PortalClass.REVIEW,
        }
    )
    assert classes["optn-nlrb-net"] == {
        "ampulla": PortalClass.PORTAL,
        "rectum": PortalClass.UNKNOWN,
        "stomach": PortalClass.PORTAL,
        "rectosigmoid": PortalClass.UNKNOWN,
    }


CITED = {"text": "Somebody 2016", "verification": "verified"}
REFUSED = {
    "without-citation": ("age", {}, "citation", "rule age: 'citation' is missing"),
    "without-citation-text": (
        "age",
        {"citation": {"verification": "verified"}},
        None,
        "rule age: 'text' is missing",
    ),
    "without-verification": ("age", {"citation": {"text": "X"}}, None, "rule age: 'verification' is missing"),
    "odd-verification": (
        "age",
        {"citation": CITED | {"verification": "sure"}},
        None,
        "rule age: 'sure' is not a valid",
    ),
    "empty-citation": ("age", {"citation": CITED | {"text": " "}}, None, "rule age: 'text' should be a text"),
    "without-parameters": ("age", {}, "parameters", "rule age: 'parameters' is missing"),
    "missing-parameter": ("age", {"parameters": {"threshold": 60}}, None, "rule age: parameters should be"),
    "text-for-a-number": (
        "age",
        {"parameters": {"threshold": "60", "inclusive": True, "adultAge": 18}},
        None,
        "rule age: parameter 'threshold' should be Decimal, is '60'",
    ),
    "number-for-a-truth": (
        "age",
        {"parameters": {"threshold": 60, "inclusive": 1, "adultAge": 18}},
        None,
        "rule age: parameter 'inclusive' should be bool",
    ),
    "without-limit": ("age", {}, "limit", "rule age: 'limit' is missing"),
    "odd-nature": ("age", {"nature": "sad"}, None, "rule age: 'sad' is not a valid Nature"),
    "unknown-criterion": ("age", {"criterion": "shoe-size"}, None, "rule shoe-size: unknown criterion"),
    "duplicate": ("age", {"criterion": "ki-67"}, None, "rule ki-67: stands there twice"),
    "unnamed": ("age", {}, "criterion", "a rule without 'criterion'"),
    "exempt-without-citation": ("age", {"applies": False}, "citation", "rule age: 'citation' is missing"),
}


@pytest.mark.parametrize(("criterion", "change", "drop", "message"), REFUSED.values(), ids=REFUSED)
def test_the_loader_refuses_a_rule_and_names_file_and_rule(
    criterion: str, change: dict[str, Any], drop: str | None, message: str
):
    with pytest.raises(PolicyError, match=f"^some.json: {re.escape(message)}"):
        parse_policy(broken(criterion, change, drop), "some.json")


def test_the_loader_refuses_a_policy_that_forgets_a_criterion():
    document = json.loads(MILAN_2016)
    document["rules"] = [rule for rule in document["rules"] if rule["criterion"] != "stability"]
    with pytest.raises(PolicyError, match=r"some.json: rule stability: is missing"):
        parse_policy(json.dumps(document), "some.json")


@pytest.mark.parametrize(
    "key", ["id", "version", "title", "status", "evidence", "citation", "rules", "portalOverrides", "orders"]
)
def test_the_loader_refuses_a_policy_that_does_not_say_what_it_is(key: str):
    document = json.loads(MILAN_2016)
    del document[key]
    with pytest.raises(PolicyError, match=f"some.json: .*'{key}' is missing"):
        parse_policy(json.dumps(document), "some.json")


def test_the_loader_refuses_a_site_without_a_citation():
    document = json.loads(MILAN_2016)
    del document["portalOverrides"]["rectum"]["citation"]
    with pytest.raises(PolicyError, match=r"some.json: portalOverrides rectum: 'citation' is missing"):
        parse_policy(json.dumps(document), "some.json")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"rules": [1], "portalOverrides": {}}'])
def test_the_loader_refuses_what_is_no_policy_at_all(text: str):
    with pytest.raises(PolicyError, match=r"^some\.json: "):
        parse_policy(text, "some.json")


def test_a_parameter_that_is_asked_for_wrongly_is_an_error_and_never_a_guess():
    with pytest.raises(PolicyError, match="age: parameter 'months' should be Decimal"):
        policy(DEFAULT_POLICY).rule("age").number("months")
