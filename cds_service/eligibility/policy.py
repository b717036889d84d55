"""Policies as cited data: thresholds, months and what to call them come from JSON, never from code.

A rule without a citation is refused, and so is one that code would have to guess a number for.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from cds_service.eligibility.verdict import Nature
from fhir_mappings.facts import PortalClass

DEFAULT_POLICY = "milan-net-2016"
_POLICIES = files("cds_service.eligibility") / "policies"

T = TypeVar("T")
Parameter = Decimal | bool | str | tuple[str, ...]

# What each criterion must be told, and as what. The keys are the criteria, in the order in which they are shown.
PARAMETERS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        "differentiation": {
            "ki67Threshold": Decimal,
            "ki67Inclusive": bool,
            "mitosesThreshold": Decimal,
            "mitosesInclusive": bool,
            "mitosesUnit": str,
            "gradeThreeSince": Decimal,
        },
        "ki-67": {"threshold": Decimal, "inclusive": bool, "nearLimit": Decimal, "oldAfterMonths": Decimal},
        "portal-drainage": {},
        "primary-resected": {"accepted": tuple, "refused": tuple},
        "no-extrahepatic-disease": {"stalenessMonths": Decimal, "wholeBodyImaging": bool},
        "liver-involvement": {
            "threshold": Decimal,
            "inclusive": bool,
            "nearLimit": Decimal,
            "stalenessMonths": Decimal,
        },
        "stability": {"months": Decimal, "stalenessMonths": Decimal},
        "age": {"threshold": Decimal, "inclusive": bool, "adultAge": Decimal},
        "unresectable": {},
    }
)


class PolicyError(ValueError):
    """A policy file that cannot be used; the message names the file and the rule."""


class Verification(StrEnum):
    """How far a citation was checked (docs/clinical.md)."""

    VERIFIED = "verified"
    FROM_MEMORY = "from-memory"
    JUDGEMENT = "judgement"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a rule comes from, how far that was checked, and what a reader should know about it."""

    text: str
    verification: Verification
    note: str = ""


@dataclass(frozen=True, slots=True)
class PortalOverride:
    """A primary site that this policy classes otherwise than anatomy or the published range alone would."""

    portal_class: PortalClass
    citation: Citation = field(compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy asks of one criterion. `overrides` (site id to class) belongs to `portal-drainage` alone.

    Rules that ask the same in the same words are equal, whatever they cite: then so is the answer.
    """

    criterion: str
    label: str
    nature: Nature
    limit: str
    citation: Citation = field(compare=False)
    parameters: Mapping[str, Parameter]
    overrides: Mapping[str, PortalOverride] = field(default_factory=dict)

    def number(self, name: str) -> Decimal:
        """A number among the parameters; raises PolicyError when it is none."""
        return self._parameter(name, Decimal)

    def months(self, name: str) -> int:
        """A whole number among the parameters: months or years."""
        return int(self.number(name))

    def truth(self, name: str) -> bool:
        """A yes or no among the parameters."""
        return self._parameter(name, bool)

    def text(self, name: str) -> str:
        """A word among the parameters."""
        return self._parameter(name, str)

    def words(self, name: str) -> tuple[str, ...]:
        """A list of words among the parameters."""
        return self._parameter(name, tuple)

    def _parameter(self, name: str, kind: type[T]) -> T:
        value = self.parameters.get(name)
        if not isinstance(value, kind):
            raise PolicyError(f"{self.criterion}: parameter {name!r} should be {kind.__name__}, is {value!r}")
        return value


@dataclass(frozen=True, slots=True)
class Exemption:
    """A criterion that a policy does not contain, with the citation that says so; it is left out of its answers."""

    criterion: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class OrderRule:
    """For how many months after its day an order counts as placed; afterwards it is taken as forgotten."""

    months: int
    citation: Citation


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the criteria: what it is, what it is not, what it rests on, and its rules in order."""

    id: str
    version: str
    title: str
    status: str  # "restates published selection criteria; not a listing or allocation policy"
    citation: Citation
    evidence: str  # one honest sentence about outcomes, with its limits
    rules: tuple[Rule, ...]
    orders: OrderRule
    exemptions: tuple[Exemption, ...] = ()

    def rule(self, criterion: str) -> Rule:
        """The rule of a criterion; raises KeyError where the policy has none."""
        for rule in self.rules:
            if rule.criterion == criterion:
                return rule
        raise KeyError(f"{self.id} has no rule {criterion!r}")


@cache
def policy(policy_id: str) -> Policy:
    """The policy of that id; raises PolicyError that lists the known ones."""
    for known in policies():
        if known.id == policy_id:
            return known
    raise PolicyError(f"unknown policy {policy_id!r}; known: {', '.join(known.id for known in policies())}")


@cache
def policies() -> tuple[Policy, ...]:
    """Every policy that comes with the package, the default one first."""
    names = sorted(entry.name for entry in _POLICIES.iterdir() if entry.name.endswith(".json"))
    found = (parse_policy((_POLICIES / name).read_text(encoding="utf-8"), name) for name in names)
    return tuple(sorted(found, key=lambda item: (item.id != DEFAULT_POLICY, item.id)))


def parse_policy(text: str, name: str) -> Policy:
    """Read one policy; `name` is the file's, for the message of the PolicyError that a bad one raises."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        return _policy(_mapping(document))
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"{name}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _policy(document: Mapping[str, Any]) -> Policy:
    items = tuple(_mapping(item) for item in document["rules"])
    _refuse_wrong_set([str(_named(item, "criterion")) for item in items])
    overrides = {
        site: _at(f"portalOverrides {site}", _override, item)
        for site, item in _mapping(document["portalOverrides"]).items()
    }
    return Policy(
        id=_text(document, "id"),
        version=_text(document, "version"),
        title=_text(document, "title"),
        status=_text(document, "status"),
        citation=_at("policy", _citation, document["citation"]),
        evidence=_text(document, "evidence"),
        rules=tuple(
            _at(f"rule {item['criterion']}", _rule, item, overrides) for item in items if _applies(item)
        ),
        orders=_at("orders", _order_rule, document["orders"]),
        exemptions=tuple(
            _at(f"rule {item['criterion']}", _exemption, item) for item in items if not _applies(item)
        ),
    )


def _refuse_wrong_set(criteria: list[str]) -> None:
    """Every criterion once: what a policy does not ask it must say (`"applies": false`), never forget."""
    for criterion in criteria:
        if criterion not in PARAMETERS:
            raise PolicyError(f"rule {criterion}: unknown criterion; known: {', '.join(PARAMETERS)}")
        if criteria.count(criterion) > 1:
            raise PolicyError(f"rule {criterion}: stands there twice")
    missing = [criterion for criterion in PARAMETERS if criterion not in criteria]
    if missing:
        raise PolicyError(f"rule {missing[0]}: is missing")


def _at(where: str, build: Callable[..., T], *arguments: object) -> T:
    try:
        return build(*arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"{where}: {_sentence(error)}") from error


def _applies(item: Mapping[str, Any]) -> bool:
    return item.get("applies", True) is not False


def _order_rule(item: object) -> OrderRule:
    given = _mapping(item)
    months = given["countMonths"]
    if not isinstance(months, Decimal) or months <= 0 or months != int(months):
        raise PolicyError(f"'countMonths' should be a whole number of months, is {months!r}")
    return OrderRule(int(months), _citation(given["citation"]))


def _exemption(item: Mapping[str, Any]) -> Exemption:
    return Exemption(item["criterion"], _citation(item["citation"]))


def _rule(item: Mapping[str, Any], overrides: Mapping[str, PortalOverride]) -> Rule:
    criterion = item["criterion"]
    return Rule(
        criterion=criterion,
        label=_text(item, "label"),
        nature=Nature(_text(item, "nature")),
        limit=_text(item, "limit"),
        citation=_citation(item["citation"]),
        parameters=_parameters(_mapping(item["parameters"]), PARAMETERS[criterion]),
        overrides=MappingProxyType(dict(overrides) if criterion == "portal-drainage" else {}),
    )


def _parameters(given: Mapping[str, Any], wanted: Mapping[str, type]) -> Mapping[str, Parameter]:
    if set(given) != set(wanted):
        raise PolicyError(f"parameters should be {sorted(wanted)}, are {sorted(given)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, kind in wanted.items():
        if not isinstance(values[name], kind):
            raise PolicyError(f"parameter {name!r} should be {kind.__name__}, is {values[name]!r}")
    return MappingProxyType(values)


def _override(item: Mapping[str, Any]) -> PortalOverride:
    return PortalOverride(PortalClass(_text(item, "class")), _citation(item["citation"]))


def _citation(item: object) -> Citation:
    given = _mapping(item)
    return Citation(
        _text(given, "text"), Verification(_text(given, "verification")), str(given.get("note", ""))
    )


def _mapping(item: object) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise PolicyError(f"expected an object, found {item!r}")
    return item


def _named(item: Mapping[str, Any], key: str) -> object:
    if key not in item:
        raise PolicyError(f"a rule without {key!r}: {sorted(item)}")
    return item[key]


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item[key]
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{key!r} should be a text, is {value!r}")
    return value
