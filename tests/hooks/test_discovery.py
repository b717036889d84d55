"""The discovery document. Numbers are those of the checklist in the CDS Hooks digest of this project."""

import re

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.services import SERVICES
from fhir_mappings.record import PARTS
from tests.hooks.calls import client, empty_members, outcome_of, schema, strict

# Of no hook may drafts, selections, conditions or appointments be tokens (cds-hooks.md 7).
CONTEXT_TOKENS = {"context.userId", "context.patientId", "context.encounterId"}
USER_TOKENS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}


@pytest.fixture(scope="module")
def ehr() -> FlaskClient:
    return client()


def test_1_discovery_is_an_object_with_services(ehr: FlaskClient) -> None:
    response = ehr.get("/cds-services")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    schema("discovery").validate(strict(response.data))
    assert response.json is not None
    assert [service["id"] for service in response.json["services"]] == [service.id for service in SERVICES]


def test_2_each_service_has_hook_description_id_and_title(ehr: FlaskClient) -> None:
    content = strict(ehr.get("/cds-services").data)
    for service in content["services"]:
        for name in ("hook", "description", "id", "title"):
            assert isinstance(service[name], str)
            assert service[name].strip()


def test_3_each_listed_service_exists_and_others_do_not(ehr: FlaskClient) -> None:
    for service in SERVICES:
        assert ehr.post(f"/cds-services/{service.id}", json={}).status_code == 400
        refused = ehr.get(f"/cds-services/{service.id}")
        assert refused.status_code == 405
        assert "POST" in refused.headers["Allow"]
        outcome_of(refused)
    unknown = ehr.post("/cds-services/canary-4711", json={})
    assert unknown.status_code == 404
    assert "4711" not in unknown.text
    outcome_of(unknown)


def test_4_no_member_is_null_or_empty(ehr: FlaskClient) -> None:
    assert list(empty_members(strict(ehr.get("/cds-services").data))) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_5_prefetch_uses_only_tokens_of_its_hook(service) -> None:
    for template in service.prefetch.values():
        assert re.fullmatch(r"[A-Z][A-Za-z]+(/|\?)\S+", template)
        tokens = set(re.findall(r"\{\{([^{}]+)\}\}", template))
        assert tokens <= CONTEXT_TOKENS | USER_TOKENS
        assert not re.search(r"[{}]", re.sub(r"\{\{[^{}]+\}\}", "", template))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_6_prefetch_stays_within_the_restricted_subset(service) -> None:
    for template in service.prefetch.values():
        names = re.findall(r"[?&]([^=&]+)=", template)
        assert not [name for name in names if name.startswith("_") and name not in ("_count", "_sort")]
        assert not [name for name in names if "." in name or (":" in name and not name.endswith(":in"))]


def test_8_the_requirements_name_the_fhir_version_and_ids_are_unique() -> None:
    assert all("FHIR R4" in service.usage_requirements for service in SERVICES)
    assert len({service.id for service in SERVICES}) == len(SERVICES)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_a_service_asks_for_what_the_reader_reads_and_requires_what_it_asks_for(service) -> None:
    assert list(service.prefetch) == list(PARTS)
    for key, template in service.prefetch.items():
        assert re.split(r"[/?]", template)[0] == PARTS[key]
    assert set(service.required) <= set(service.prefetch)


@pytest.mark.parametrize("path", ["/cds-services/", "//cds-services", "/cds-services//"])
def test_53_naively_joined_discovery_addresses_work_without_a_redirect(ehr: FlaskClient, path: str) -> None:
    assert ehr.get("/", environ_overrides={"PATH_INFO": path}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/x", "/cds-services/a/b", "/cds-services/milan-net-patient-view/x"])
def test_14_an_unknown_address_is_told_in_json(ehr: FlaskClient, path: str) -> None:
    response = ehr.get(path)
    assert response.status_code == 404
    outcome_of(response)
