"""Requests that nobody here wrote, good and bad, posted as bodies (checklist 14, 22 and 55).

The records are read where `tests/records.py` says, when they are there; they are not part of the repository.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import records
from tests.hooks.calls import SERVICE, call, chart, client, outcome_of, schema, strict

RECORDS = records.folder()
FILES = sorted(
    path
    for folder in ("E_cdshooks", "F_malformed")
    for path in (RECORDS / folder).rglob("*")
    if path.is_file()
)
EHR = client()

pytestmark = pytest.mark.skipif(not FILES, reason="no records: no ../shared/records, no MILAN_NET_RECORDS")

# Requests of the hook patient-view that are refused on purpose, with the reason.
REFUSED = {
    "cds-prefetch-proxy/service-request.json": "made for CDS Hooks before 1.0: the context has no patientId",
    "cqf-ruler/html-request.json": "hookInstance is no UUID",
    "cqf-ruler/request-HelloWorld.json": "hookInstance is no UUID",
}


def name(path: Path) -> str:
    return path.relative_to(RECORDS).as_posix()


def content(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None


def is_patient_view(path: Path) -> bool:
    body = content(path)
    return isinstance(body, dict) and body.get("hook") == "patient-view"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_item_14_every_file_as_a_body_is_answered_in_json_and_never_with_a_5xx(path: Path) -> None:
    response = EHR.post(SERVICE, data=path.read_bytes(), content_type="application/json")
    assert response.status_code < 500, response.text
    assert response.content_type in ("application/json", "application/fhir+json")
    strict(response.data)
    if response.status_code != 200:
        outcome_of(response)


@pytest.mark.parametrize("path", [path for path in FILES if is_patient_view(path)], ids=name)
def test_item_55_good_requests_are_not_refused_for_their_shape(path: Path) -> None:
    response = EHR.post(SERVICE, data=path.read_bytes(), content_type="application/json")
    refused = any(path.as_posix().endswith(known) for known in REFUSED)
    assert (response.status_code == 400) is refused, response.text
    if response.status_code == 200:
        schema("response").validate(response.json)
        assert response.json == {"cards": []}  # no neuroendocrine tumour in any of them


@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("key", ["patient", "conditions", "observations"])
def test_item_22_every_file_as_a_prefetch_value_is_survived(path: Path, key: str) -> None:
    body = json.dumps(call(chart(**{key: "@"}))).encode().replace(b'"@"', path.read_bytes())
    response = EHR.post(SERVICE, data=body, content_type="application/json")
    assert response.status_code in (200, 400, 412), response.text
    strict(response.data)


def test_the_records_are_where_the_environment_says_else_beside_the_checkout() -> None:
    assert records.folder({"MILAN_NET_RECORDS": "/elsewhere"}) == Path("/elsewhere")
    for unset in ({}, {"MILAN_NET_RECORDS": ""}):
        assert records.folder(unset) == records.REPOSITORY.parent / "shared" / "records"
