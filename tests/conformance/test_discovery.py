"""The discovery document (cds-hooks.md 1 and 10)."""

import re

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.services import SERVICES, Service
from cds_service.settings import Settings
from fhir_mappings.record import PARTS
from tests.conformance.hospital import DISCOVERY, Hospital, feedback_of, path_of
from tests.hooks.calls import Body, client, empty_members, outcome_of, schema, strict

# Of no hook may drafts, selections, conditions or appointments be tokens (cds-hooks.md 7).
CONTEXT_TOKENS = {"context.userId", "context.patientId", "context.encounterId"}
USER_TOKENS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
VERSIONS = {"version", "hookVersion"}


@pytest.fixture(scope="module", params=[False, True], ids=["2.0.1", "3.0"])
def ehr(request: pytest.FixtureRequest) -> FlaskClient:
    """A client, with and without what the ballot of 3.0 adds: the rest holds for both."""
    return client(Settings(cds_hooks_3=request.param))


def listed(ehr: FlaskClient) -> list[Body]:
    found: list[Body] = strict(ehr.get(DISCOVERY).data)["services"]
    return found


def test_item_01_discovery_is_an_object_with_services(ehr: FlaskClient) -> None:
    response = ehr.get(DISCOVERY)
    assert response.status_code == 200
    assert response.content_type == "application/json"
    schema("discovery").validate(strict(response.data))
    assert [service["id"] for service in listed(ehr)] == [service.id for service in SERVICES]


def test_item_01_behind_the_lock_the_document_is_the_same(hospital: Hospital) -> None:
    assert hospital.get(DISCOVERY).data == client().get(DISCOVERY).data


def test_item_02_each_service_has_hook_description_id_and_title(ehr: FlaskClient) -> None:
    for service in listed(ehr):
        for name in ("hook", "description", "id", "title"):
            assert isinstance(service[name], str)
            assert service[name].strip()


def test_item_02_the_six_hooks_are_those_of_the_library() -> None:
    assert [service.hook for service in SERVICES] == [
        *("patient-view", "order-select", "order-sign"),
        *("problem-list-item-create", "encounter-start", "appointment-book"),
    ]


@EACH_SERVICE
def test_item_03_each_listed_service_exists(ehr: FlaskClient, service: Service) -> None:
    for path in (path_of(service), feedback_of(service)):
        assert ehr.post(path, json={}).status_code == 400
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            refused = ehr.open(path, method=method)
            assert refused.status_code == 405
            assert "POST" in refused.headers["Allow"]
            outcome_of(refused)


@pytest.mark.parametrize("path", ["canary-4711", "canary-4711/feedback", "%2e%2e", "MILAN-NET-PATIENT-VIEW"])
def test_item_03_no_other_service_does(ehr: FlaskClient, path: str) -> None:
    unknown = ehr.post(f"{DISCOVERY}/{path}", json={})
    assert unknown.status_code == 404
    assert "4711" not in unknown.text
    outcome_of(unknown)


def test_item_04_no_member_is_null_or_empty(ehr: FlaskClient) -> None:
    assert list(empty_members(strict(ehr.get(DISCOVERY).data))) == []


@EACH_SERVICE
def test_item_05_prefetch_uses_only_tokens_of_its_hook(service: Service) -> None:
    for template in service.prefetch.values():
        assert re.fullmatch(r"[A-Z][A-Za-z]+(/|\?)\S+", template)
        tokens = set(re.findall(r"\{\{([^{}]+)\}\}", template))
        assert tokens
        assert tokens <= CONTEXT_TOKENS | USER_TOKENS
        assert not re.search(r"[{}]", re.sub(r"\{\{[^{}]+\}\}", "", template))


@EACH_SERVICE
def test_item_06_prefetch_stays_within_the_restricted_subset(service: Service) -> None:
    for template in service.prefetch.values():
        names = re.findall(r"[?&]([^=&]+)=", template)
        assert not [name for name in names if name.startswith("_") and name not in ("_count", "_sort")]
        assert not [name for name in names if "." in name or (":" in name and not name.endswith(":in"))]
        assert not re.search(r"=(ne|sa|eb|ap)\d", template)


def test_item_07_versions_are_shown_when_they_are_asked_for() -> None:
    for service in listed(client(Settings(cds_hooks_3=True))):
        assert re.fullmatch(r"\d+\.\d+\.\d+", service["version"])
        assert service["hookVersion"] == ("0.1.0" if service["hook"] == "problem-list-item-create" else "1.0")


def test_item_07_without_the_switch_discovery_is_that_of_2_0_1() -> None:
    assert not [service for service in listed(client()) if VERSIONS & set(service)]


def test_item_07_the_switch_changes_nothing_else() -> None:
    newer = listed(client(Settings(cds_hooks_3=True)))
    without = [{name: service[name] for name in service if name not in VERSIONS} for service in newer]
    assert without == listed(client())


def test_item_07_templates_keep_their_order(ehr: FlaskClient) -> None:
    for service in listed(ehr):
        assert list(service["prefetch"]) == list(PARTS)
    assert list(PARTS) != sorted(PARTS)


def test_item_08_the_requirements_name_the_fhir_version_and_what_is_required() -> None:
    for service in SERVICES:
        assert "FHIR R4" in service.usage_requirements
        assert all(PARTS[key] in service.usage_requirements for key in service.required)


def test_item_08_no_two_hooks_share_an_id() -> None:
    assert len({service.id for service in SERVICES}) == len(SERVICES)
    assert len({service.hook for service in SERVICES}) == len(SERVICES)


@EACH_SERVICE
def test_a_service_asks_for_what_the_reader_reads_and_requires_what_it_asks_for(service: Service) -> None:
    assert list(service.prefetch) == list(PARTS)
    for key, template in service.prefetch.items():
        assert re.split(r"[/?]", template)[0] == PARTS[key]
    assert set(service.required) <= set(service.prefetch)
