"""Calls of the patient-view service, as a client would make them, and the official shape of the answers."""

import copy
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.settings import Settings
from cds_service.tenants import open_tenants

ON = date(2026, 11, 23)
SERVICE = "/cds-services/milan-net-patient-view"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

Body = dict[str, Any]


def bundle(*resources: Body, **members: Any) -> Body:
    """A searchset Bundle."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} for resource in resources],
        **members,
    }


def condition(identifier: str, code: str, **members: Any) -> Body:
    """An active, confirmed Condition of the patient, coded with ICD-10-CM."""
    return {
        "resourceType": "Condition",
        "id": identifier,
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
            ]
        },
        "verificationStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}
            ]
        },
        "code": {"coding": [{"system": ICD_10_CM, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        **members,
    }


NET = condition("net", "C7A.012")  # malignant carcinoid tumour of the ileum
LIVER = condition("liver", "C7B.02")  # secondary carcinoid tumours of liver
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1981-05-04"}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def chart(**parts: Any) -> Body:
    """A prefetch with a NET, liver metastases and nothing else; `parts` replace its keys, `...` removes one."""
    given = {
        "patient": PATIENT,
        "conditions": bundle(NET, LIVER),
        **dict.fromkeys(("observations", "procedures", "reports", "specimens", "orders")),
    } | parts
    return copy.deepcopy({key: value for key, value in given.items() if value is not ...})


def call(prefetch: Any = ..., **members: Any) -> Body:
    """A hook request; `...` leaves a member out."""
    body = {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": prefetch,
    } | members
    return {key: value for key, value in body.items() if value is not ...}


def client(settings: Settings | None = None) -> FlaskClient:
    """A client of a service that believes it is `ON`."""
    return create_app(settings or Settings(), open_tenants(), today=lambda: ON).test_client()


@cache
def schema(name: str) -> Draft202012Validator:
    """One of the schemas of the repository."""
    text = (files("cds_service") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def cards_of(response: TestResponse) -> list[Body]:
    """The cards of an answer that is 200, strict JSON and of the official shape."""
    assert response.status_code == 200, response.text
    assert response.content_type == "application/json"
    content = strict(response.data)
    schema("response").validate(content)
    cards: list[Body] = content["cards"]
    return cards


def outcome_of(response: TestResponse) -> Body:
    """The one issue of an answer that is an error told as an OperationOutcome."""
    assert 400 <= response.status_code < 600
    assert response.content_type == "application/fhir+json"
    outcome = strict(response.data)
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    assert issue["diagnostics"]
    found: Body = issue
    return found


def strict(data: bytes) -> Any:
    """JSON without NaN and without two members of the same name."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> Body:
    assert len({name for name, _ in pairs}) == len(pairs), "duplicate member"
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def empty_members(value: Any, path: str = "$") -> Iterator[str]:
    """The paths of all members that are null or empty, which CDS Hooks forbids."""
    if value in (None, "", [], {}):
        yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        yield from empty_members(child, f"{path}.{name}")
