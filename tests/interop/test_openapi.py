"""The service does what its OpenAPI document says, whatever is sent to it: open, and where it asks who calls."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import settings
from pydantic import SecretStr
from schemathesis import BaseSchema, Case, Config
from schemathesis.openapi import from_dict

from cds_service.app import create_app
from cds_service.hooks import openapi
from cds_service.integrator.keys import PUBLIC, make, private_key, sign
from cds_service.settings import Settings
from cds_service.tenants import Tenant, Tenants, Trust, open_tenants
from tests.hooks.calls import ON, chart
from tests.loopback import Later

ISSUER = "https://ehr.example.org"
BASE = "https://cds.example.org"
RULES: Mapping[str, Any] = {
    # What is sent is read more tolerantly than it is described, because EHRs do not keep to it (integration.md 1.1).
    "negative_data_rejection": {"enabled": False},
    # Made-up charts lack what the service requires.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "412"]},
}
few = settings(max_examples=15)  # beside the cases that schemathesis always tries
fewer = settings(max_examples=4)


def described(**manner: bool) -> BaseSchema:
    """What a service says of itself, to call it by."""
    schema = from_dict(dict(openapi.document(**manner)), config=Config.from_dict({"checks": dict(RULES)}))
    schema.app, schema.location = Later(), "/openapi.json"
    return schema


ANYBODY = described(is_open=True, has_open_discovery=False)
CALLERS = described(is_open=False, has_open_discovery=False)
OPEN_DISCOVERY = described(is_open=False, has_open_discovery=True)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("keys")
    make(folder)
    return private_key(folder, "ES384")


def locked(key: Path, **given: Any) -> Flask:
    """A service for one clinic."""
    trust = Trust(issuer=ISSUER, jwks_file=key.with_name(PUBLIC), audiences=(BASE,), algorithms=("ES384",))
    kept = Settings(database_url=SecretStr(f"sqlite:///{key.with_name('kept.db')}"), **given)
    return create_app(kept, Tenants((Tenant(id="clinic", trust=trust),)), today=lambda: ON)


@pytest.fixture(scope="module", autouse=True)
def _applications(key: Path) -> None:
    ANYBODY.app.made = create_app(Settings(), open_tenants(), today=lambda: ON)
    CALLERS.app.made = locked(key)
    OPEN_DISCOVERY.app.made = locked(key, open_discovery=True)


@pytest.mark.parametrize("schema", [ANYBODY, CALLERS, OPEN_DISCOVERY])
def test_a_service_serves_the_document_that_is_true_of_it(schema: BaseSchema) -> None:
    assert schema.app.made.test_client().get("/openapi.json").json == schema.raw_schema


@ANYBODY.parametrize()
@few
def test_everything_is_answered_as_it_is_described(case: Case) -> None:
    lend_a_chart(case)
    case.call_and_validate()


@CALLERS.parametrize()
@fewer
def test_a_known_caller_is_answered_as_it_is_described_and_nobody_else(case: Case, key: Path) -> None:
    lend_a_chart(case)
    token = sign(key, issuer=ISSUER, audience=BASE + case.path, now=time.time())
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"})


@OPEN_DISCOVERY.include(path="/cds-services").parametrize()
@fewer
def test_where_discovery_is_open_no_token_is_asked_for(case: Case) -> None:
    case.call_and_validate()


def lend_a_chart(case: Case) -> None:
    """Make of a call that brings no chart one that gets a card, and of its token one for its patient."""
    body = case.body
    if not isinstance(body, dict) or not isinstance(body.get("context"), dict):
        return
    if "prefetch" not in body and "patientId" in body["context"]:
        body["context"]["patientId"] = "p1"
        body["prefetch"] = chart()
    if isinstance(body.get("fhirAuthorization"), dict) and "patient" in body["fhirAuthorization"]:
        body["fhirAuthorization"]["patient"] = body["context"].get("patientId")
