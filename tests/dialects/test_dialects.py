"""What EHRs really send, from golden files: each with its note and source, and the answer that it has to get.

The files were written by us from the documented shapes; the patients are made up. Where a vendor documents nothing
(feedback of Oracle Health, athenahealth and Medplum), there is no file.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.hooks import feedback
from cds_service.hooks.cards import EXTENSION
from cds_service.hooks.prefetch import gather
from cds_service.hooks.request import parse
from cds_service.hooks.services import SERVICES, find
from cds_service.settings import Settings
from cds_service.tenants import Tenant, Tenants
from fhir_mappings.bundle import PartState
from tests.hooks.calls import ON, cards_of, outcome_of, schema

Case = dict[str, Any]
CASES: dict[str, Case] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(Path(__file__).parent.glob("*.json"))
}
REQUESTS = [name for name, case in CASES.items() if not case["path"].endswith("/feedback")]
FEEDBACK = [name for name, case in CASES.items() if case["path"].endswith("/feedback")]
SILENT = [name for name in REQUESTS if CASES[name]["expected"] == {"status": 200, "verdict": None}]


class NoEhr:
    """A FHIR server that must not be asked: none of these calls gives the right to."""

    def fetch(self, access: object, queries: object, deadline: float) -> Any:
        raise AssertionError("asked")


def tenant_of(case: Case) -> Tenant:
    return Tenant.model_validate({"id": "site", **case["tenant"]})


def client_of(case: Case) -> FlaskClient:
    return create_app(Settings(), Tenants((tenant_of(case),)), today=lambda: ON).test_client()


def posted(name: str) -> Any:
    case = CASES[name]
    return client_of(case).post(case["path"], data=json.dumps(case["body"]), headers=case["headers"])


@pytest.mark.parametrize("name", CASES)
def test_every_file_says_what_it_shows_and_from_where(name: str) -> None:
    case = CASES[name]
    assert set(case) == {"note", "source", "tenant", "path", "headers", "body", "expected"}
    assert len(case["note"]) > 40
    assert ".md " in case["source"]
    assert case["path"].split("/")[2] in {service.id for service in SERVICES}


def test_every_vendor_and_both_directions_are_there() -> None:
    vendors = {name.split("-")[0] for name in REQUESTS}
    assert vendors == {"epic", "oracle", "athenahealth", "medplum", "sandbox"}
    assert {name.split("-")[0] for name in FEEDBACK} == {"epic", "sandbox"}


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in REQUESTS if name not in SILENT])
def test_a_request_of_the_dialect_gets_its_answer(name: str) -> None:
    expected = CASES[name]["expected"]
    response = posted(name)
    assert response.status_code == expected["status"], response.text
    if expected["status"] != 200:
        outcome_of(response)
        return
    [card] = cards_of(response)
    assert card["extension"][EXTENSION]["verdict"] == expected["verdict"]
    assert card["indicator"] == expected["indicator"]
    assert expected.get("opening", "") in card["detail"]
    assert card.get("links") == expected.get("links")


@pytest.mark.parametrize("name", SILENT)
def test_a_request_that_does_not_concern_us_gets_no_card_and_no_error(name: str) -> None:
    assert cards_of(posted(name)) == []


@pytest.mark.parametrize("name", REQUESTS)
def test_a_part_is_complete_where_the_ehr_says_so_in_its_own_way(name: str) -> None:
    """Rows are found by the site's names, "no results" is an answer, and what failed or was left out is neither."""
    case = CASES[name]
    service, body = find(case["path"].split("/")[2]), json.dumps(case["body"]).encode()
    hook = parse(body, service)
    record = gather(hook, body, service, tenant=tenant_of(case), ehr=NoEhr(), deadline=0.0)
    sent = _kinds_sent(case)
    failed = set(case["expected"].get("unread", ()))
    for kind, state in record.parts.items():
        is_whole = kind in sent - failed
        assert (state is PartState.COMPLETE) is is_whole, (kind, state)


def _kinds_sent(case: Case) -> set[str]:
    """The types of which every row was sent, by the test's own reading of the aliases."""
    prefetch = case["body"].get("prefetch", {})
    aliases = case["tenant"].get("prefetch_aliases", {})
    keys = find(case["path"].split("/")[2]).prefetch
    return {
        template.replace("/", "?").split("?")[0]
        for key, template in keys.items()
        if all(name in prefetch for name in aliases.get(key, [key]))
    }


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_json_whatever_is_accepted(name: str) -> None:
    response = posted(name)
    assert response.content_type in ("application/json", "application/fhir+json")
    assert response.status_code not in (401, 406, 415, 500)


def test_the_extension_that_an_ehr_announces_itself_with_changes_nothing() -> None:
    case = CASES["epic-patient-view"]
    without = case | {"body": {key: value for key, value in case["body"].items() if key != "extension"}}
    answers = [cards_of(client_of(case).post(item["path"], json=item["body"])) for item in (case, without)]
    assert answers[0] == answers[1]


def test_without_the_names_of_the_site_its_rows_say_nothing() -> None:
    """The aliases are what makes the golden answer: the same call to a tenant without them has no Conditions."""
    case = CASES["epic-patient-view"]
    plain = case | {"tenant": {"dialect": "epic"}}
    outcome_of(client_of(plain).post(case["path"], json=case["body"]))


def test_a_failed_row_leaves_unread_what_an_empty_one_says_is_not_recorded() -> None:
    [failed] = cards_of(posted("epic-observations-refused"))
    case = json.loads(json.dumps(CASES["epic-observations-refused"]))
    case["body"]["prefetch"]["labs"] = CASES["epic-no-results"]["body"]["prefetch"]["labs"]
    [empty] = cards_of(client_of(case).post(case["path"], json=case["body"]))

    def gap(card: Case) -> str:
        criteria = card["extension"][EXTENSION]["criteria"]
        found: str = next(item["gap"] for item in criteria if item["id"] == "ki-67")
        return found

    assert (gap(failed), gap(empty)) == ("unreadable", "not-recorded")


def test_a_site_code_makes_an_order_ours_and_nothing_else_does() -> None:
    case = CASES["epic-order-sign"]
    unmapped = case | {"tenant": {key: value for key, value in case["tenant"].items() if key != "orders"}}
    assert cards_of(client_of(unmapped).post(case["path"], json=case["body"])) == []


# --- feedback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FEEDBACK)
def test_feedback_of_the_dialect_is_read(name: str) -> None:
    case = CASES[name]
    entries = feedback.parse(json.dumps(case["body"]).encode())
    read = [
        {
            "outcome": entry.outcome.value,
            "reason": {"system": entry.reason.system, "code": entry.reason.code} if entry.reason else None,
            "suggestions": list(entry.suggestions),
        }
        for entry in entries
    ]
    assert read == case["expected"]["entries"]
    assert all(entry.comment is None for entry in entries)


@pytest.mark.parametrize("name", FEEDBACK)
def test_feedback_of_the_dialect_is_acknowledged_also_when_it_comes_again(name: str) -> None:
    case = CASES[name]
    client = client_of(case)
    for _ in range(2):
        response = client.post(case["path"], json=case["body"], headers=case["headers"])
        assert response.status_code == case["expected"]["status"], response.text


@pytest.mark.parametrize("name", [name for name in FEEDBACK if name.startswith("sandbox")])
def test_the_sandbox_sends_feedback_as_the_standard_says(name: str) -> None:
    schema("feedback").validate(CASES[name]["body"])
