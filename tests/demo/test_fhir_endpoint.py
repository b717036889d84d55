"""The demonstration's FHIR endpoint: what FHIR R4 and the CDS Hooks Sandbox ask of it, and that nothing changes it."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.demo.fhir import MARK, PREFIX, demo_app, demo_fhir, demonstrate
from cds_service.demo.search import LARGEST_PAGE, PAGE
from cds_service.errors import DataError
from fhir_mappings.record import PARTS
from tests.demo.servers import SAMPLES, running_demo

BASE = f"http://localhost{PREFIX}"
LARGE = "chart-of-2000-resources"
FORM = "application/x-www-form-urlencoded"
CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.fixture(scope="module")
def application() -> Flask:
    return demo_app(SAMPLES)


@pytest.fixture
def client(application: Flask) -> FlaskClient:
    return application.test_client()


def sample(name: str) -> list[dict[str, Any]]:
    content = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return [entry["resource"] for entry in content["entry"]]


def everything() -> Iterator[dict[str, Any]]:
    for path in sorted(SAMPLES.glob("*.json")):
        yield from sample(path.stem)


def found(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.content_type == "application/fhir+json"
    content: dict[str, Any] = json.loads(response.data)
    assert content["type"] == "searchset"
    return content


def resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle.get("entry", [])]


def ids(bundle: dict[str, Any]) -> list[str]:
    return [resource["id"] for resource in resources(bundle)]


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((item["url"] for item in bundle["link"] if item["relation"] == relation), None)


def pages(client: FlaskClient, query: str) -> Iterator[dict[str, Any]]:
    address: str | None = f"{BASE}/{query}"
    while address is not None:
        page = found(client.get(address.removeprefix("http://localhost")))
        yield page
        address = link(page, "next")


def refused(response: TestResponse, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.content_type == "application/fhir+json"
    assert response.headers[MARK] == "true"
    OperationOutcome.model_validate_json(response.data)
    text: str = json.loads(response.data)["issue"][0]["diagnostics"]
    return text


# --- what it says of itself -------------------------------------------------------------------------------------------


def test_the_capability_statement_is_valid_r4_and_says_what_can_be_done(client: FlaskClient) -> None:
    response = client.get(f"{PREFIX}/metadata")
    statement = json.loads(response.data)
    CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == BASE
    declared = {item["type"]: item for item in statement["rest"][0]["resource"]}
    assert set(PARTS.values()) <= set(declared)
    for item in declared.values():
        assert {part["code"] for part in item["interaction"]} == {"read", "search-type"}


def test_every_declared_parameter_is_obeyed_and_no_other_is(client: FlaskClient) -> None:
    statement = json.loads(client.get(f"{PREFIX}/metadata").data)
    for item in statement["rest"][0]["resource"]:
        declared = {part["name"] for part in item["searchParam"]}
        for name in ("_id", "patient", "subject", "category"):
            response = client.get(f"{PREFIX}/{item['type']}?{name}=nothing-like-it")
            assert response.status_code == (200 if name in declared else 400), (item["type"], name)
            if name in declared:
                assert found(response)["total"] == 0


def test_every_answer_and_the_log_say_that_it_is_a_demonstration(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/metadata", "/Patient", "/Patient/meets", "/Patient/nobody", "/no/such/place", ""):
        assert client.get(f"{PREFIX}{path}").headers[MARK] == "true", path
    assert "DEMO" in json.loads(client.get(f"{PREFIX}/metadata").data)["description"]
    with caplog.at_level(logging.WARNING):
        demo_app(SAMPLES)
    assert "DEMO" in caplog.text


def test_an_application_that_is_made_a_demonstration_says_so_on_its_other_pages_too() -> None:
    app = Flask("other")
    app.add_url_rule("/cds-services", "discovery", lambda: {"services": []})
    demonstrate(app, SAMPLES)
    response = app.test_client().get("/cds-services")
    assert response.headers[MARK] == "true"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_every_resource_of_every_sample_is_served_as_it_is_written(client: FlaskClient) -> None:
    for path in sorted(SAMPLES.glob("*.json")):
        for resource in sample(path.stem)[:50]:
            response = client.get(f"{PREFIX}/{resource['resourceType']}/{resource['id']}")
            assert response.status_code == 200
            assert response.content_type == "application/fhir+json"
            assert json.loads(response.data) == resource


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from references(part)


def test_every_reference_leads_to_a_resource_that_is_served(client: FlaskClient) -> None:
    named = {text for resource in everything() for text in references(resource)}
    assert named
    for text in named:
        assert client.get(f"{PREFIX}/{text}").status_code == 200, text


def test_a_patient_has_the_name_that_the_sandbox_shows(client: FlaskClient) -> None:
    for patient in resources(found(client.get(f"{PREFIX}/Patient"))):
        assert patient["name"][0]["given"]


@pytest.mark.parametrize(
    "path",
    ["Patient/nobody", "Condition/meets", "Medication/meets", "Medication?patient=meets", "Patient/a/b"],
)
def test_what_is_not_there_is_a_404_with_an_outcome(client: FlaskClient, path: str) -> None:
    refused(client.get(f"{PREFIX}/{path}"), 404)


# --- searching --------------------------------------------------------------------------------------------------------


def test_all_patients_are_listed_on_one_page_without_a_token(client: FlaskClient) -> None:
    bundle = found(client.get(f"{PREFIX}/Patient"))
    assert bundle["total"] == len(ids(bundle)) == len(list(SAMPLES.glob("*.json")))
    assert link(bundle, "next") is None


@pytest.mark.parametrize("kind", [kind for kind in PARTS.values() if kind != "Patient"])
def test_a_search_by_patient_finds_exactly_what_the_sample_holds(client: FlaskClient, kind: str) -> None:
    expected = [item for item in sample("01-meets") if item["resourceType"] == kind]
    bundle = found(client.get(f"{PREFIX}/{kind}?patient=meets"))
    assert resources(bundle) == expected
    assert bundle["total"] == len(expected)
    Bundle.model_validate(bundle)


def test_a_search_that_finds_nothing_has_no_entry_and_says_so(client: FlaskClient) -> None:
    bundle = found(client.get(f"{PREFIX}/ServiceRequest?patient=meets"))
    assert (bundle["total"], "entry" in bundle) == (0, False)
    Bundle.model_validate(bundle)


@pytest.mark.parametrize("value", ["meets", "Patient/meets", f"{BASE}/Patient/meets"])
@pytest.mark.parametrize("name", ["patient", "subject"])
def test_a_patient_is_named_by_id_by_reference_or_by_address(
    client: FlaskClient, name: str, value: str
) -> None:
    bundle = found(client.get(f"{PREFIX}/Condition", query_string={name: value}))
    assert bundle["total"] == found(client.get(f"{PREFIX}/Condition?patient=meets"))["total"] > 0


@pytest.mark.parametrize("value", ["http://elsewhere.example/Patient/meets", "Group/meets", "meet", ""])
def test_another_server_type_or_part_of_an_id_names_nobody(client: FlaskClient, value: str) -> None:
    assert found(client.get(f"{PREFIX}/Condition", query_string={"patient": value}))["total"] == 0


def test_several_values_are_alternatives_and_repeated_parameters_narrow(client: FlaskClient) -> None:
    def total(*given: tuple[str, str]) -> int:
        count: int = found(client.get(f"{PREFIX}/Condition?{urlencode(given)}"))["total"]
        return count

    one, other = total(("patient", "meets")), total(("patient", "rectum"))
    assert one > 0
    assert other > 0
    assert total(("patient", "meets,rectum")) == one + other
    assert total(("patient", "meets"), ("subject", "Patient/rectum")) == 0
    assert total(("patient", "meets"), ("_id", "meets-net")) == 1


@pytest.mark.parametrize("token", ["laboratory", f"{CATEGORIES}|laboratory", "imaging,laboratory,exam"])
def test_a_category_is_a_code_of_any_system_or_of_one(client: FlaskClient, token: str) -> None:
    wanted = {text.rpartition("|")[2] for text in token.split(",")}
    bundle = found(client.get(f"{PREFIX}/Observation", query_string={"patient": "meets", "category": token}))
    given = [
        item
        for item in sample("01-meets")
        if item["resourceType"] == "Observation"
        and wanted & {coding["code"] for part in item.get("category", []) for coding in part["coding"]}
    ]
    assert resources(bundle) == given
    assert given


def test_a_category_of_another_system_is_another_category(client: FlaskClient) -> None:
    assert found(client.get(f"{PREFIX}/Observation?category=urn:other|laboratory"))["total"] == 0


def test_a_search_by_form_finds_what_a_search_by_address_finds(client: FlaskClient) -> None:
    posted = client.post(f"{PREFIX}/Observation/_search", data={"patient": "meets", "category": "laboratory"})
    asked = client.get(f"{PREFIX}/Observation?patient=meets&category=laboratory")
    assert found(posted) == found(asked)


def test_parameters_in_the_address_of_a_form_count_too(client: FlaskClient) -> None:
    posted = client.post(f"{PREFIX}/Condition/_search?patient=meets", data={"_id": "meets-net,rectum-net"})
    assert ids(found(posted)) == ["meets-net"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Condition?patient=meets&clinical-status=active", "category"),
        ("Condition?patient:Patient=meets", "patient"),
        ("Patient?patient=meets", "_id"),
        ("Specimen?category=laboratory", "subject"),
        ("Condition?_count=ten", "_count"),
        ("Condition?_count=-1", "_count"),
        ("Condition?_count=²", "_count"),
        ("Condition?_offset=1e3", "_offset"),
        ("Condition?_offset=99999999", "_offset"),
    ],
)
def test_a_parameter_that_cannot_be_obeyed_is_refused_and_not_left_out(
    client: FlaskClient, query: str, named: str
) -> None:
    assert named in refused(client.get(f"{PREFIX}/{query}"), 400)


def test_what_only_asks_for_another_form_is_left_aside(client: FlaskClient) -> None:
    plain = found(client.get(f"{PREFIX}/Condition?patient=meets"))
    assert found(client.get(f"{PREFIX}/Condition?patient=meets&_format=json&_pretty=true")) == plain


# --- paging -----------------------------------------------------------------------------------------------------------


def test_a_small_chart_is_one_page_and_a_large_one_has_a_next_link(client: FlaskClient) -> None:
    assert link(found(client.get(f"{PREFIX}/Observation?patient=meets")), "next") is None
    first = found(client.get(f"{PREFIX}/Observation?patient={LARGE}"))
    assert len(ids(first)) == PAGE < first["total"]
    assert str(link(first, "next")).startswith(f"{BASE}/Observation?patient={LARGE}&")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_the_pages_hold_everything_once_and_in_one_order(client: FlaskClient, size: int) -> None:
    whole = ids(found(client.get(f"{PREFIX}/Condition?_count={LARGEST_PAGE}")))
    read = [ids(page) for page in pages(client, f"Condition?_count={size}")]
    assert [identifier for page in read for identifier in page] == whole
    assert all(len(page) == size for page in read[:-1])
    assert 0 < len(read[-1]) <= size


def test_the_next_link_keeps_the_filters_also_after_a_form(client: FlaskClient) -> None:
    given = {"patient": f"Patient/{LARGE}", "category": f"{CATEGORIES}|laboratory", "_count": "500"}
    first = found(client.post(f"{PREFIX}/Observation/_search", data=given))
    following = str(link(first, "next")).removeprefix(BASE + "/")
    read = [*ids(first), *(i for page in pages(client, following) for i in ids(page))]
    assert len(set(read)) == len(read) == first["total"]


def test_no_page_is_larger_than_the_largest_and_a_count_of_zero_only_counts(client: FlaskClient) -> None:
    assert len(ids(found(client.get(f"{PREFIX}/Observation?_count=5000")))) == LARGEST_PAGE
    counted = found(client.get(f"{PREFIX}/Observation?_count=0"))
    assert counted["total"] > LARGEST_PAGE
    assert "entry" not in counted
    assert link(counted, "next") is None


def test_a_page_beyond_the_last_is_empty(client: FlaskClient) -> None:
    bundle = found(client.get(f"{PREFIX}/Condition?patient=meets&_offset=50"))
    assert "entry" not in bundle
    assert link(bundle, "next") is None


# --- browsers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/metadata", "/Patient", "/Patient/meets", "/Observation/_search", "/nothing"]
)
def test_a_browser_from_anywhere_may_ask_first(client: FlaskClient, path: str) -> None:
    asked = {
        "Origin": "https://sandbox.cds-hooks.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    response = client.options(f"{PREFIX}{path}", headers=asked)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert {"Content-Type", "Authorization", "Accept"} <= set(
        response.headers["Access-Control-Allow-Headers"].split(", ")
    )


def test_a_browser_may_read_answers_and_errors(client: FlaskClient) -> None:
    for path in ("/Patient/meets", "/Patient/nobody", "/Condition?nonsense=1"):
        assert client.get(f"{PREFIX}{path}").headers["Access-Control-Allow-Origin"] == "*"


# --- nothing changes it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/Patient/meets"),
        ("PATCH", "/Patient/meets"),
        ("DELETE", "/Patient/meets"),
        ("POST", "/Patient"),
        ("POST", "/metadata"),
        ("POST", ""),
        ("DELETE", "/Patient?_id=meets"),
    ],
)
def test_nothing_can_be_written(client: FlaskClient, method: str, path: str) -> None:
    before = client.get(f"{PREFIX}/Patient").data
    response = client.open(f"{PREFIX}{path}", method=method, json={"resourceType": "Patient"})
    refused(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.get(f"{PREFIX}/Patient").data == before


def test_a_search_is_posted_as_a_form_of_bounded_size(client: FlaskClient) -> None:
    refused(client.post(f"{PREFIX}/Condition/_search", json={"patient": "meets"}), 415)
    refused(client.post(f"{PREFIX}/Condition/_search", data={"patient": "x" * 70_000}), 413)


# --- the samples ------------------------------------------------------------------------------------------------------


def test_samples_with_the_same_id_cannot_be_served(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "01-meets.json", tmp_path / "01.json")
    shutil.copy(SAMPLES / "01-meets.json", tmp_path / "02.json")
    with pytest.raises(DataError, match=r"02\.json: another sample has a Patient"):
        demo_fhir(tmp_path)


@pytest.mark.parametrize(
    "content", ["{}", "[]", "no JSON", '{"entry": [1]}', '{"entry": [{"resource": {}}]}']
)
def test_a_file_that_is_no_bundle_is_told_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "01.json").write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"01\.json: this is no Bundle of resources"):
        demo_fhir(tmp_path)


# --- another process --------------------------------------------------------------------------------------------------


def test_it_runs_in_a_process_of_its_own_and_links_lead_back_to_it() -> None:
    with running_demo() as base:
        first = requests.get(f"{base}/Observation?patient={LARGE}", timeout=10).json()
        second = requests.get(str(link(first, "next")), timeout=10).json()
    assert str(link(first, "next")).startswith(base)
    assert len(ids(second)) == PAGE
    assert not set(ids(first)) & set(ids(second))
