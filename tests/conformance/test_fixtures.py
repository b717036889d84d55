"""Requests and answers that nobody here wrote: HL7's fixtures, and those of other projects (cds-hooks.md 8.2 and 10).

The records are read where `tests/records.py` says, when they are there; they are not part of the repository.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from cds_service.hooks.services import SERVICES, Service, answering
from tests import records
from tests.conformance.hospital import OCCASIONS, REFERRAL, call_of, context_of, path_of
from tests.hooks.calls import SERVICE, Body, bundle, call, cards_of, chart, client, outcome_of, schema, strict

RECORDS = records.folder()
FILES = sorted(
    path
    for folder in ("E_cdshooks", "F_malformed")
    for path in (RECORDS / folder).rglob("*")
    if path.is_file()
)
EHR = client()
OURS = {service.hook for service in SERVICES}
WITH_RECORDS = pytest.mark.skipif(not FILES, reason="no records: no ../shared/records, no MILAN_NET_RECORDS")
REFERENCE = "patientId is a reference, which HL7's validator refuses too"
OLDER = "made for CDS Hooks before 1.0"
NO_UUID = "hookInstance is no UUID"

# Requests of our hooks that are refused on purpose, with the reason.
REFUSED: Final = {
    "cds-prefetch-proxy/service-request.json": f"{OLDER}: the context has no patientId",
    "cds-hooks-spec/examples_block00.json": f"{OLDER}: the orders are not in draftOrders",
    "cqf-ruler/opioidcds-01-request.json": REFERENCE,
    "cqf-ruler/opioidcds-01-request-prefetch.json": REFERENCE,
    "request-example-rec-10-illicit-drugs-POS-Opiate-non-synthetic.json": REFERENCE,
    "cqf-ruler/html-request.json": NO_UUID,
    "cqf-ruler/request-HelloWorld.json": NO_UUID,
}


@dataclass(frozen=True)
class Verdict:
    """What HL7's validator says of a fixture, what we answer, and why."""

    is_good: bool
    answer: str  # a status, or what the schema says
    why: str


VALID, INVALID = "valid", "invalid"
HL7: Final = {
    "validator/cdshooks-request-pv-good.json": Verdict(
        True, "412", "its shape is fine; it holds none of the data that we ask for"
    ),
    "cdshooks/cdshooks-request-order-sign-good.json": Verdict(
        True, "200", "no order in it concerns us, so that nothing else is needed"
    ),
    "validator/cdshooks-response-empty-good.json": Verdict(True, VALID, "no advice"),
    "validator/cdshooks-response-good.json": Verdict(True, VALID, "two cards, links of both types, reasons"),
    "validator/cdshooks-services-good.json": Verdict(True, VALID, "three services"),
}
FOLDER = RECORDS / "E_cdshooks" / "fhir-test-cases"
FIXTURES = sorted(FOLDER.rglob("*.json"))


def name(path: Path) -> str:
    return path.relative_to(RECORDS).as_posix()


def content(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def hook_of(path: Path) -> str | None:
    body = content(path)
    hook = body.get("hook") if isinstance(body, dict) else None
    return hook if isinstance(hook, str) else None


def posted(path: Path, hook: str) -> Any:
    return EHR.post(path_of(answering(hook)), data=path.read_bytes(), content_type="application/json")


@WITH_RECORDS
def test_item_55_every_fixture_of_hl7_that_is_here_is_in_the_table() -> None:
    assert {path.relative_to(FOLDER).as_posix() for path in FIXTURES} == set(HL7)


@WITH_RECORDS
@pytest.mark.parametrize("path", FIXTURES, ids=name)
def test_item_55_each_fixture_of_hl7_gets_its_verdict(path: Path) -> None:
    expected = HL7[path.relative_to(FOLDER).as_posix()]
    hook = hook_of(path)
    if hook is not None:
        response = posted(path, hook)
        assert str(response.status_code) == expected.answer
        assert (response.status_code == 400) is not expected.is_good
    else:
        kind = "response" if "response" in path.name else "discovery"
        found = schema(kind).is_valid(content(path))
        assert (VALID if found else INVALID) == expected.answer
        assert found is expected.is_good


# The mistakes of HL7's fixtures that are not among the records, each made once in a call of ours. `None`: tolerated.
MISTAKES: Final[dict[str, tuple[str, Body, str | None]]] = {
    "cdshooks-request-patient-view-bad: patientId is a reference": (
        "patient-view",
        {"patientId": "Patient/p1"},
        "context.patientId",
    ),
    "cdshooks-request-patient-view-bad: encounterId is a reference; nothing here reads it": (
        "patient-view",
        {"encounterId": "Encounter/e1"},
        None,
    ),
    "cdshooks-request-order-sign-bad: patientId is a reference": (
        "order-sign",
        {"patientId": "Patient/p1"},
        "context.patientId",
    ),
    "cdshooks-request-order-sign-bad: an unknown status; the order may be signed all the same": (
        "order-sign",
        {"draftOrders": bundle(REFERRAL | {"status": "Xactive"})},
        None,
    ),
    "cdshooks-request-order-select-bad: a selection is a bare id; it still names a draft": (
        "order-select",
        {"selections": ["d0"]},
        None,
    ),
    "a user without a type; nobody is looked up by it": ("patient-view", {"userId": "example"}, None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_item_55_the_mistakes_of_bad_fixtures_are_refused_or_tolerated_on_purpose(mistake: str) -> None:
    hook, wrong, path = MISTAKES[mistake]
    service = answering(hook)
    response = EHR.post(path_of(service), json=call_of(service, context=context_of(service) | wrong))
    if path is None:
        assert len(cards_of(response)) == 1
    else:
        assert response.status_code == 400
        assert outcome_of(response)["expression"] == [path]


def test_item_55_resources_in_the_envelope_of_a_batch_are_no_prefetch() -> None:
    """As in HL7's bad requests, where each key holds `{response, resource}`."""
    wrapped = {key: {"response": {"status": "200 OK"}, "resource": part} for key, part in chart().items()}
    assert EHR.post(SERVICE, json=call(wrapped)).status_code == 412


CARD: Final[Body] = {"summary": "x", "indicator": "info", "source": {"label": "x"}}
LINK: Final[Body] = {"label": "x", "url": "https://x.org", "type": "absolute"}
GOOD: Final[Body] = {"label": "x", "isRecommended": True}
ANSWERS: Final = {
    "cdshooks-response-empty": ({"cards": []}, VALID),
    "cdshooks-response-two-cards": ({"cards": [CARD, CARD]}, VALID),
    "cdshooks-response-empty-source": ({"cards": [CARD | {"source": {}}]}, INVALID),
    "cdshooks-response-link: a card with a source that has an address": (
        {"cards": [CARD | {"source": {"label": "x", "url": "https://x.org/a---b#420"}}]},
        VALID,
    ),
    "cdshooks-response-source-link: a link without a type; the text asks for one, HL7's models do not": (
        {"cards": [CARD | {"links": [{"label": "x", "url": "https://x.org"}]}]},
        INVALID,
    ),
    "cdshooks-response-source-link: a summary of 140 characters or more; the text allows 139": (
        {"cards": [CARD | {"summary": "x" * 140}]},
        INVALID,
    ),
    "cdshooks-response-suggestion: nothing says how to select": (
        {"cards": [CARD | {"suggestions": [{"label": "x"}]}]},
        INVALID,
    ),
    "cds-resp-1: two recommended where one can be chosen": (
        {"cards": [CARD | {"selectionBehavior": "at-most-one", "suggestions": [GOOD, GOOD]}]},
        INVALID,
    ),
    "cds-resp-3: a context for a page": (
        {"cards": [CARD | {"links": [LINK | {"appContext": "x"}]}]},
        INVALID,
    ),
    "cds-resp-4: a reason without a display": (
        {"cards": [CARD | {"overrideReasons": [{"code": "x", "system": "urn:x"}]}]},
        INVALID,
    ),
    "systemActions must not be empty": ({"cards": [], "systemActions": []}, INVALID),
    "laxer than HL7's validator: an extension need not be registered": (
        {"cards": [CARD | {"extension": {"org.example": {"x": 1}}}]},
        VALID,
    ),
}


@pytest.mark.parametrize("fixture", ANSWERS)
def test_item_55_our_schema_judges_answers_as_hl7_does_or_says_why_not(fixture: str) -> None:
    answer, expected = ANSWERS[fixture]
    assert schema("response").is_valid(answer) is (expected == VALID)


# --- other projects ----------------------------------------------------------------------------------------------------


@WITH_RECORDS
@pytest.mark.parametrize("path", [path for path in FILES if hook_of(path) in OURS], ids=name)
def test_item_55_good_requests_are_not_refused_for_their_shape(path: Path) -> None:
    response = posted(path, hook_of(path) or "")
    refused = any(path.as_posix().endswith(known) for known in REFUSED)
    assert (response.status_code == 400) is refused, response.text
    if response.status_code == 200:
        schema("response").validate(response.json)
        assert response.json == {"cards": []}  # no neuroendocrine tumour in any of them


@WITH_RECORDS
@pytest.mark.parametrize("path", [path for path in FILES if (hook_of(path) or "") not in OURS], ids=name)
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
def test_item_55_nothing_else_is_taken_for_a_request(path: Path, service: Service) -> None:
    response = EHR.post(path_of(service), data=path.read_bytes(), content_type="application/json")
    assert response.status_code == 400
    outcome_of(response)


@WITH_RECORDS
@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("key", ["patient", "conditions", "observations"])
def test_item_55_every_file_as_a_prefetch_value_is_survived(path: Path, key: str) -> None:
    body = json.dumps(call(chart(**{key: "@"}))).encode().replace(b'"@"', path.read_bytes())
    response = EHR.post(SERVICE, data=body, content_type="application/json")
    assert response.status_code in (200, 400, 412), response.text
    strict(response.data)


@WITH_RECORDS
@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("member", ["draftOrders", "conditions", "appointments"])
def test_item_55_every_file_as_a_draft_is_survived(path: Path, member: str) -> None:
    [service] = [service for service in SERVICES if list(OCCASIONS[service.hook]) == [member]]
    context = context_of(service) | {member: "@"}
    body = json.dumps(call_of(service, context=context)).encode().replace(b'"@"', path.read_bytes())
    response = EHR.post(path_of(service), data=body, content_type="application/json")
    assert response.status_code in (200, 400), response.text
    strict(response.data)


def test_the_records_are_where_the_environment_says_else_beside_the_checkout() -> None:
    assert records.folder({"MILAN_NET_RECORDS": "/elsewhere"}) == Path("/elsewhere")
    for unset in ({}, {"MILAN_NET_RECORDS": ""}):
        assert records.folder(unset) == records.REPOSITORY.parent / "shared" / "records"
